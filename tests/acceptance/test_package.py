"""The all-in-one package on fresh hosts without a network: assembled with real apt, pip, npm and git, and rehearsed.

What only GitHub has is stood in for: repositories of the test's own making, a program, and the engines of a database.
On Debian 12 all of LiteLLM is deployed; on Debian 13, whose apt, Python, Ansible and PostgreSQL are others, a small
program and the database alone: there LiteLLM comes up in `test_role` and `test_rehearse`. arm64 is assembled and
verified only: a whole machine does not boot through an emulator.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from bundler.adapters.machine import booted
from bundler.adapters.read_archive import read_member
from bundler.kinds.manifests import Manifests
from bundler.kinds.offline import package as facts_of
from bundler.kinds.offline.places import MANIFEST
from bundler.kinds.offline.rehearsing import checkouts, debs, unpacking, wheels
from bundler.kinds.offline.rehearsing.host import FLAGS, Host
from bundler.kinds.steps import StepError
from bundler.payloads.prisma.choice import ENGINES, Database
from tests import json_documents
from tests.acceptance.roots import fresh_machine
from tests.model.samples import wheelhouse_of
from tests.programs import elf
from tests.server import Reply, Server, serving

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="to boot a root takes root"),
    pytest.mark.skipif(not shutil.which("systemd-nspawn"), reason="systemd-container is not installed"),
    pytest.mark.skipif(not shutil.which("npm"), reason="npm is not installed"),
]

ROOT = Path(__file__).parent.parent.parent
VERSIONS = ("12", "13")
PLATFORM = "debian-openssl-3.0.x"
PRICES = "raw.githubusercontent.com"  # LiteLLM asks for them when it starts, and takes those that it carries
OFFLINE = """\
kind: offline
component: ai-workspace-all-in-one-offline
repository: example/console
asset: ai-workspace-all-in-one-offline-{distro}-{version}-{arch}.tar.gz
targets: [debian-12, debian-13]
parts:
  - manifest: PART
    contents: true
    copies: {metadata/runtime.env: metadata/PART-runtime.env}
redirects: {"https://git.example.org/ai/playbooks": playbooks}
apt:
  sets:
    installer:
      - names: [git, curl, ansible, ca-certificates, unzip]
    roles:
      - names: [python3, python3-venv, python3-pip, python3-psycopg2, python3-apt, postgresql, sudo, acl]
      - names: [npm]
        targets: [debian-12]  # without it, as a package may be, on the other
npm:
  packages: [semver@7.6.3]
files:
  - name: ttyd
    version: "1"
    address: https://files.example.org/ttyd.{machine}
    path: packages/bin/ttyd.{machine}
    executable: true
repositories:
  - {name: playbooks, address: "https://git.example.org/ai/playbooks", ref: main}
  - name: xworkspace-console
    address: https://git.example.org/ai/console
    ref: main
    copies: {scripts/ai-workspace-offline-install.sh: scripts/ai-workspace-offline-install.sh}
rehearsal:
  environment: {PLAYBOOK_DIR: "${ROOT}/repos/playbooks"}
  runs:
    - name: what is deployed
      command:
        - ansible-playbook
        - -i
        - localhost,
        - -c
        - local
        - ${ROOT}/repos/playbooks/DEPLOYED
"""
PROXY = """\
        - -e
        - '{"litellm_database": true, "litellm_database_used": USED}'
      changes: 1  # the role's upgrade of pip says so each time
  services:
    - {unit: postgresql}
    - unit: litellm-proxy
      port: 4000
      ask: ASKED
"""
NO_PROXY = """\
  services:
    - {unit: postgresql}
"""
SMALL = (ROOT / "examples/hello-service/manifests/datasette.yaml").read_text()
ALIVE = """[{path: /health/liveliness, answer: alive}, {path: /health/readiness, answer: healthy}]"""
CONNECTED = """
        - {path: /health/readiness, answer: '"db":"connected"'}
        - {path: /key/generate, bearer: sk-1234, body: {}, answer: '"key":"sk-'}
"""


@dataclass(frozen=True)
class World:
    """A folder of manifests, the stand-ins that their addresses are led to, and whether the engines are real ones.

    `part` is the manifest whose archive is a part of the package.
    """

    folder: Path
    mirrors: str
    part: str
    real: bool

    def aiws(self, *words: str, code: int = 0) -> str:
        """What the tool prints."""
        argv = [sys.executable, "-m", "bundler", *words]
        env = {**os.environ, "AIWS_MIRRORS": self.mirrors, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(argv, cwd=self.folder, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == code, f"{words}\n{done.stdout}\n{done.stderr}"
        json_documents.hold(words, done.stdout)
        return done.stdout

    def assembled(self, target: str, *, database: bool = True) -> Path:
        """The package of a target, locked where it is not; with stand-ins for engines of a `database` that it lacks."""
        lock = self.folder / "manifests" / "locks" / f"pylock.{self.part}-{target}.toml"
        if not lock.exists() or (database and "query-engine" not in lock.read_text()):
            self.aiws("lock", target, "--component", self.part)
        self.aiws("lock", target, "--component", "offline")
        started = time.monotonic()
        self.aiws("assemble", target)
        archive = self.folder / "dist" / f"ai-workspace-all-in-one-offline-{target}.tar.gz"
        print(f"{target}: {archive.stat().st_size / 1e6:.0f} MB, assembled in {time.monotonic() - started:.0f} s")
        return archive


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Serves stand-ins: a program for each architecture, and the engines, each beside its checksum."""
    texts = {path.name: path.read_text() for path in (ROOT / "manifests").glob("*.yaml")}
    chosen = wheelhouse_of(Manifests.parse(texts)).sections["database"]
    assert isinstance(chosen, Database)
    with serving() as made:
        for machine, arch in (("x86_64", "amd64"), ("aarch64", "arm64")):
            made.script(f"/ttyd.{machine}", Reply(elf(f"ttyd {arch}\n", "arm64" if arch == "arm64" else "amd64")))
        for engine in ENGINES:
            content = gzip.compress(elf(f"{engine} {chosen.engines.commit}\n"), mtime=0)
            path = chosen.engines.address_of(PLATFORM, engine).removeprefix("https://binaries.prisma.sh")
            made.script(path, Reply(content))
            made.script(f"{path}.sha256", Reply(f"{hashlib.sha256(content).hexdigest()}  {engine}.gz\n".encode()))
        yield made


@pytest.fixture(scope="module")
def world(server: Server, tmp_path_factory: pytest.TempPathFactory) -> World:
    """LiteLLM, deployed by the role."""
    folder = tmp_path_factory.mktemp("world")
    shutil.copytree(ROOT / "manifests", folder / "manifests")
    for name in ("bridge", "console", "qmd", "hermes"):
        (folder / "manifests" / f"{name}.yaml").unlink(missing_ok=True)
    locks = (folder / "manifests" / "locks").glob("pylock.litellm-debian-1[23]-amd64.toml")
    real = all("query-engine" in lock.read_text() for lock in locks)
    text = (OFFLINE + PROXY).replace("USED", str(real).lower()).replace("ASKED", CONNECTED if real else ALIVE)
    (folder / "manifests" / "offline.yaml").write_text(text.replace("PART", "litellm").replace("DEPLOYED", "site.yaml"))
    return World(folder, stood_in(folder, server), "litellm", real)


@pytest.fixture(scope="module")
def small(server: Server, tmp_path_factory: pytest.TempPathFactory) -> World:
    """A small program, and the role of the database alone."""
    folder = tmp_path_factory.mktemp("small")
    (folder / "manifests").mkdir()
    for name in ("targets.yaml", "trust.yaml", "python.yaml"):
        shutil.copy(ROOT / "manifests" / name, folder / "manifests")
    part = re.sub(r"(?m)^targets: .*$", "environment: {ANSIBLE_BECOME_FLAGS: -HSnE}", SMALL)
    (folder / "manifests" / "datasette.yaml").write_text(part)
    text = (OFFLINE + NO_PROXY).replace("PART", "datasette").replace("DEPLOYED", "database.yaml")
    (folder / "manifests" / "offline.yaml").write_text(text)
    return World(folder, stood_in(folder, server), "datasette", real=False)


def stood_in(folder: Path, server: Server) -> str:
    """Make the repositories that a package has, and tell where each address is led."""
    role = Path(__file__).parent / "role"
    shutil.copytree(role, folder / "git" / "playbooks", ignore=shutil.ignore_patterns("*.py", "*.sh", "__pycache__"))
    scripts = folder / "git" / "console" / "scripts"
    scripts.mkdir(parents=True)
    for name in ("ai-workspace-offline-install.sh", "setup-ai-workspace-all-in-one.sh"):
        (scripts / name).write_text("#!/bin/sh\necho only to be there\n")
        (scripts / name).chmod(0o755)
    for name in ("playbooks", "console"):
        repository(folder / "git" / name)
    mirrors = {
        "https://binaries.prisma.sh/": f"{server.address}/",
        "https://files.example.org/": f"{server.address}/",
        "https://git.example.org/ai/": f"file://{folder}/git/",
    }
    return " ".join(f"{one}={other}" for one, other in mirrors.items())


def repository(folder: Path) -> None:
    """Make a repository of a folder, with one commit on `main`."""
    who = ("-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
    for words in (("init", "-q", "-b", "main", "."), ("add", "-A"), (*who, "commit", "-q", "-m", "one")):
        subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module", params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def report(version: str, request: pytest.FixtureRequest) -> dict[str, Any]:
    """What the rehearsal of a package tells."""
    chosen: World = request.getfixturevalue("world" if version == "12" else "small")
    archive = chosen.assembled(f"debian-{version}-amd64", database=version == "12")
    words = ("--json", "rehearse", str(archive), "--root", str(fresh_machine(version)))
    told: dict[str, Any] = json.loads(chosen.aiws(*words))
    for step in told["steps"]:
        print(f"{step['seconds']:7.1f} s  {step['name']}: {step['detail'].splitlines()[:1]}")
    return told


def steps_of(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {step["name"]: step for step in report["steps"]}


def test_every_step_of_the_installation_works_with_no_network(version: str, report: dict[str, Any]) -> None:
    assert report["ok"], report
    skipped = [step["name"] for step in report["steps"] if step.get("skipped")]
    without = [] if version == "12" else ["npm: its cache and settings", "npm: install semver"]
    assert skipped == ["browsers: the program runs", "python: copy the portable one", *without]
    attempts = {attempt["what"] for step in report["steps"] for attempt in step["attempts"]}
    assert attempts <= ({PRICES} if version == "12" else set())


def test_a_second_run_changes_nothing_but_what_the_manifest_names(version: str, report: dict[str, Any]) -> None:
    steps, least, again = steps_of(report), *((10, 1) if version == "12" else (0, 0))
    assert int(steps["run: what is deployed"]["detail"].removeprefix("changed=")) > least
    assert steps["run again, nothing changes: what is deployed"]["detail"] == f"changed={again}"


def test_the_services_run_before_and_after_a_restart(version: str, report: dict[str, Any]) -> None:
    steps = steps_of(report)
    for unit in ("postgresql", "litellm-proxy") if version == "12" else ("postgresql",):
        for what in ("answers", "restarted, answers"):
            assert steps[f"service {unit}: {what}"]["ok"]


def test_the_proxy_is_asked_of_its_database(world: World) -> None:
    if not world.real:
        pytest.skip("the locks have no engines of Prisma: the database was made, and nothing was asked of it")


def test_a_package_for_a_processor_that_this_host_has_not_is_assembled_and_verified(small: World) -> None:
    archive = small.assembled("debian-13-arm64", database=False)
    assert "ok " in small.aiws("verify", str(archive))
    small.aiws("rehearse", str(archive), "--root", str(fresh_machine("13")), code=2)


@pytest.fixture(scope="module")
def host(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A machine in which the package for Debian 12 is unpacked and apt configured, with git and no more."""
    archive = world.folder / "dist" / "ai-workspace-all-in-one-offline-debian-12-amd64.tar.gz"
    if not archive.exists():
        archive = world.assembled("debian-12-amd64")
    facts = facts_of.parse(read_member(archive, archive.name, MANIFEST, 1 << 24) or b"")
    with booted(fresh_machine("12"), tmp_path_factory.mktemp("m") / "mountpoint", archive) as machine:
        made = Host(machine, facts)
        for step in (
            unpacking.unpack,
            unpacking.find_installer,
            unpacking.match_target,
            unpacking.export,
            debs.configure,
        ):
            step(made)
        debs.install(made, "git")
        wheels.configure(made)
        yield made


@contextmanager
def changed(host: Host, path: str, words: str) -> Iterator[Host]:
    """A host whose package a script changes below `path`, its $1; as it was after the context."""
    place = f"{host.root}/{path}"
    host.bash('cp -al "$1" /opt/aside', place)
    try:
        host.bash(words, place)
        yield replace(host, env=dict(host.env))
    finally:
        host.bash('rm -rf "$1"; mv /opt/aside "$1"', place)


WITHOUT_DEB = """
name=$0; cd "$1"
python3 - <<'CODE'
import gzip, pathlib
path = pathlib.Path("Packages.gz")
stanzas = gzip.decompress(path.read_bytes()).decode().split("\\n\\n")
kept = [one for one in stanzas if "Package: NAME" not in one.splitlines()]
assert len(kept) == len(stanzas) - 1
path.unlink()
path.write_bytes(gzip.compress("\\n\\n".join(kept).encode()))
CODE
"""


def without_deb(name: str) -> str:
    return WITHOUT_DEB.replace("NAME", name).replace("name=$0; ", "")


def again(step: Callable[[Host], str]) -> Callable[[Host], str]:
    """A step of apt's, after apt has read the repository."""

    def work(host: Host) -> str:
        debs.update(host)
        return step(host)

    return work


def closure(host: Host) -> str:
    return wheels.install(host, 0, host.facts.closures[0])


# What is left out or changed, how, the step that finds it, and what it says of it, in its first line.
LEFT_OUT: dict[str, tuple[str, str, Callable[[Host], str], str]] = {
    "the installer": (
        "scripts",
        'rm "$1"/*',
        unpacking.find_installer,
        "the package lacks scripts/ai-workspace-offline-inst",
    ),
    "target.env": ("metadata", 'rm "$1/target.env"', unpacking.match_target, "the package lacks metadata/target.env"),
    "ARCH": (
        "metadata",
        'grep -v ARCH "$1/target.env" > /tmp/env; rm "$1/target.env"; cp /tmp/env "$1/target.env"',
        unpacking.match_target,
        "metadata/target.env lacks ARCH=",
    ),
    "another host": (
        "metadata",
        'sed s/=12/=13/ "$1/target.env" > /tmp/env; rm "$1/target.env"; cp /tmp/env "$1/target.env"',
        unpacking.match_target,
        "metadata/target.env says debian 13 amd64, the host is debian 12 amd64",
    ),
    "the variables of a part": (
        "metadata",
        'rm "$1/litellm-runtime.env"',
        unpacking.export,
        "the package lacks metadata/litellm-runtime.env",
    ),
    "all packages of Debian": ("packages/apt", 'rm "$1"/*.deb', debs.configure, "the package lacks packages/apt/*.deb"),
    "the index of packages": ("packages/apt", 'rm "$1"/Packages.gz', again(debs.sets), "apt cannot read packages/apt"),
    "Ansible": ("packages/apt", without_deb("ansible"), again(debs.prerequisites), "packages/apt lacks ansible"),
    "what Ansible needs": (
        "packages/apt",
        without_deb("python3-yaml"),
        again(debs.prerequisites),
        "packages/apt lacks python3-yaml",
    ),
    "what a role installs": (
        "packages/apt",
        without_deb("postgresql"),
        again(debs.sets),
        "the set roles: packages/apt lacks postgresql",
    ),
    "a file that the index names": (
        "packages/apt",
        'rm "$1"/postgresql_*',
        again(debs.sets),
        "the set roles: packages/apt lacks postgresql_",
    ),
    "what the index says of a file": (
        "packages/apt",
        'file=$(ls "$1"/postgresql_*); cp "$file" /tmp/deb; rm "$file"; tr a b < /tmp/deb > "$file"',
        again(debs.sets),
        "the set roles: packages/apt lacks ",
    ),
    "a list": (
        "metadata/apt",
        'rm "$1/roles-deb-packages.txt"; touch "$1/roles-deb-packages.txt"',
        debs.sets,
        "the package lacks metadata/apt/roles-deb-packages.txt, or names in it",
    ),
    "a file of a checkout": (
        "repos/playbooks",
        'rm "$1/site.yaml"',
        checkouts.checkouts,
        "repos/playbooks is not as its commit:  D site.yaml",
    ),
    "a file nobody committed": (
        "repos/playbooks",
        'touch "$1/more"',
        checkouts.checkouts,
        "repos/playbooks is not as its commit: ?? more",
    ),
    "a checkout": (
        "repos/playbooks",
        'rm -r "$1"/* "$1/.git"; rmdir "$1"',
        checkouts.redirects,
        "the package lacks repos/playbooks, where https://git.example.org/ai/playbooks leads",
    ),
    "where an address leads": (
        "metadata",
        "unset GIT_CONFIG_COUNT",
        lambda host: checkouts.redirects(replace(host, env={**host.env, "GIT_CONFIG_COUNT": "1"})),
        "https://git.example.org/ai/playbooks does not lead git to repos/playbooks",
    ),
    "all wheels": ("packages/pip", 'rm "$1"/*', wheels.configure, "the package lacks packages/pip/*.whl"),
    "a wheel": ("packages/pip", 'rm "$1"/orjson-*', closure, "packages/pip lacks orjson"),
    "the flags for sudo": (
        "metadata",
        "true",
        lambda host: wheels.configure(replace(host, env={k: v for k, v in host.env.items() if k != FLAGS})),
        f"nothing exports {FLAGS}",
    ),
}


@pytest.mark.parametrize("what", LEFT_OUT)
def test_whatever_is_left_out_is_named_in_one_line(what: str, host: Host) -> None:
    path, words, step, told = LEFT_OUT[what]
    with changed(host, path, words) as other, pytest.raises(StepError) as caught:
        step(other)
    assert str(caught.value).startswith(told), str(caught.value)
