"""A package with a repository whose playbooks ask for something: `lock` reads it, `check` compares, the host has it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.git_objects import git, git_server
from tests.kinds.offline.test_assemble import ASSET, OFFLINE, unpacked
from tests.world import Ran, World

pytestmark = pytest.mark.slow

ADDRESS = "https://example.org/playbooks.git"
SECTIONS = """\
repositories:
  - name: playbooks
    address: https://example.org/playbooks.git
    ref: main
    copies: {install.sh: scripts/install.sh}
agreements:
  - name: pip
    repository: playbooks
    file: defaults/main.yml
    text: 'pip_version: "{version}"'
    bundled: wheels
    match: python
required:
  - {files: [scripts/install.sh], executable: true, why: the bootstrap does not take the archive for a package}
  - {files: [repos/playbooks/defaults/main.yml], why: the bootstrap has no playbooks to run}
"""
PARTS = "".join(
    line for line in OFFLINE.splitlines(keepends=True) if "agent" not in line and "links" not in line
).replace("redirects: {https://example.org/demo/skills.git: skills}", f"redirects: {{{ADDRESS}: playbooks}}")


@dataclass(frozen=True)
class Playbooks:
    """The repository that the package bundles, and the world whose manifest asks for it."""

    folder: Path
    world: World
    env: dict[str, str]

    def commit(self, text: str) -> str:
        (self.folder / "defaults").mkdir(exist_ok=True)
        (self.folder / "defaults" / "main.yml").write_text(text)
        (self.folder / "install.sh").write_text("#!/bin/sh\n")
        (self.folder / "install.sh").chmod(0o755)
        git(self.folder, "add", "-A")
        git(self.folder, "commit", "-q", "-m", "more")
        return git(self.folder, "rev-parse", "HEAD").strip()

    def run(self, *words: str) -> Ran:
        return self.world.run(*words, **self.env)


@pytest.fixture
def playbooks(locked: World) -> Iterator[Playbooks]:
    served = locked.root / "served"
    served.mkdir()
    folder = served / "playbooks.git"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    locked.write("offline.yaml", PARTS + SECTIONS)
    with git_server(served) as (address, _):
        made = Playbooks(folder, locked, {"AIWS_MIRRORS": f"{ADDRESS}={address}/playbooks.git/.git"})
        made.commit('# Of pip.\npip_version: "26"\n')
        yield made


def test_check_names_each_disagreement_with_file_and_line(playbooks: Playbooks) -> None:
    assert playbooks.run("lock", "debian-12-amd64", "--component", "offline").code == 0
    assert "asks for" not in playbooks.run("check").out
    playbooks.commit('# Of pip.\n\npip_version: "25.3"\n')
    assert "asks for" not in playbooks.run("check").out, "what is bundled is what was locked"
    assert playbooks.run("lock", "debian-12-amd64", "--component", "offline", "--upgrade").code == 0
    done = playbooks.run("check")
    assert done.code == 2
    told = "offline.yaml: playbooks defaults/main.yml:3 asks for pip 25.3, bundled is 26.0 (wheels) (debian-12-amd64)"
    assert told in done.out
    playbooks.commit("pip: any\n")
    assert playbooks.run("lock", "debian-12-amd64", "--component", "offline", "--upgrade").code == 0
    assert "defaults/main.yml no longer asks for pip" in playbooks.run("check").out


def test_the_checkout_works_without_a_network_and_git_is_led_to_it(playbooks: Playbooks) -> None:
    commit = git(playbooks.folder, "rev-parse", "HEAD").strip()
    assert playbooks.run("lock", "debian-12-amd64", "--component", "offline").code == 0
    done = playbooks.run("assemble", "debian-12-amd64")
    assert done.code == 0, done.err
    verified = playbooks.run("verify", str(playbooks.world.dist / ASSET))
    assert verified.code == 0, verified.out
    folder = unpacked(playbooks.world)
    assert git(folder / "repos/playbooks", "log", "-1", "--format=%H").strip() == commit
    assert git(folder / "repos/playbooks", "status", "--porcelain") == ""
    assert (folder / "metadata/playbooks.commit").read_text() == f"{commit}\n"
    script = f"ROOT=$PWD; . metadata/target.env; git clone -q {ADDRESS} copy && git -C copy log -1 --format=%H"
    done_there = subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, text=True, check=True)
    assert done_there.stdout.strip() == commit


def test_what_consumers_stop_without_is_named(playbooks: Playbooks) -> None:
    playbooks.world.write(
        "offline.yaml", PARTS + SECTIONS.replace("    copies: {install.sh: scripts/install.sh}\n", "")
    )
    assert playbooks.run("lock", "debian-12-amd64", "--component", "offline").code == 0
    assert playbooks.run("assemble", "debian-12-amd64").code == 0
    done = playbooks.run("verify", str(playbooks.world.dist / ASSET))
    assert done.code == 1
    assert "scripts/install.sh is missing: the bootstrap does not take the archive for a package" in done.out


def test_a_section_that_changed_is_locked_anew_and_the_others_are_kept(playbooks: Playbooks) -> None:
    assert playbooks.run("lock", "debian-12-amd64", "--component", "offline").code == 0
    lock = playbooks.world.root / "manifests" / "locks" / "offline-debian-12-amd64.toml"
    before = lock.read_text()
    playbooks.commit('pip_version: "27"\n')
    text = (PARTS + SECTIONS).replace("executable: true, why", "why")
    playbooks.world.write("offline.yaml", text)
    assert playbooks.run("lock", "debian-12-amd64", "--component", "offline").code == 0
    assert lock.read_text() == before, "what is required of a package is in no lock"
    playbooks.world.write("offline.yaml", text.replace("match: python", "match: exact"))
    assert playbooks.run("lock", "--check", "debian-12-amd64", "--component", "offline").code == 2
    assert playbooks.run("lock", "debian-12-amd64", "--component", "offline").code == 0
    assert lock.read_text() != before
    assert 'wants = "26"' in lock.read_text(), "the repository is the one that was locked"
