"""An all-in-one package of wheelhouses: assembled, verified, published under its own tags, and refused when changed."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bundler.adapters.archive import write_archive
from bundler.adapters.workspace import Workspace
from bundler.kinds import verify
from bundler.kinds.kind import Judge
from bundler.kinds.manifests import load_manifests
from bundler.kinds.offline.package import Package, target_env
from bundler.model import dsse
from bundler.model.bundle import Bundle, Entry, File, Folder, Link, Slice, text_file
from bundler.model.verdict import Verdict
from bundler.progress import Silent, State, Task
from bundler.sidecars import provenance, sbom
from tests.cli.signing import MAKER, text_of
from tests.world import World, make_wheel, world

# Whole commands, or other programs: each takes a good part of a second.
pytestmark = pytest.mark.slow

OFFLINE = """\
kind: offline
component: demo-offline
repository: example/demo
asset: demo-offline-{distro}-{version}-{arch}.tar.gz
parts:
  - manifest: litellm
    contents: true
    copies: {metadata/runtime.env: metadata/litellm-runtime.env}
    links: ["packages/mirror/https:/example.org/latest/{asset}"]
  - {manifest: agent, archive: false, contents: true}
exports: {DEMO_SOURCE: "${ROOT}/repos/demo"}
redirects: {https://example.org/demo/skills.git: skills}
"""
AGENT = """\
kind: wheelhouse
component: agent
repository: example/agent
asset: agent-runtime-{distro}-{version}-{arch}.tar.gz
requirement: agent==0.1
bootstrap: [pip>=25.1]
released: false
targets: [debian-12]
"""
ASSET = "demo-offline-debian-12-amd64.tar.gz"
TOP = ASSET.removesuffix(".tar.gz")


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world whose package is assembled, for tests that only read its manifests."""
    with world(tmp_path_factory.mktemp("package")) as made:
        yield assembled(made)


@pytest.fixture
def own(unlocked: World) -> World:
    """A world of a test's own, whose package is assembled."""
    return assembled(unlocked)


def assembled(unlocked: World) -> World:
    """Lock and assemble a world's package; its agent wants another aiohttp than litellm."""
    make_wheel(unlocked.index.folder, "agent", "0.1", ["aiohttp==4.0"])
    make_wheel(unlocked.index.folder, "aiohttp", "4.0")
    litellm = (unlocked.root / "manifests" / "litellm.yaml").read_text()
    make_wheel(unlocked.index.folder, "litellm", "1.0", ["orjson>=3; extra == 'proxy'", "aiohttp<4"])
    unlocked.write("litellm.yaml", litellm)
    unlocked.write("agent.yaml", AGENT)
    unlocked.write("offline.yaml", OFFLINE)
    for component in ("litellm", "agent", "offline"):
        done = unlocked.run("lock", "debian-12-amd64", "--component", component)
        assert done.code == 0, done.err
    done = unlocked.run("assemble", "debian-12-amd64")
    assert done.code == 0, done.err
    return unlocked


def unpacked(world: World) -> Path:
    """The package's folder, unpacked by tar."""
    folder = world.root / "unpacked"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    subprocess.run(["tar", "-xzf", str(world.dist / ASSET)], cwd=folder, check=True)
    return folder / TOP


def packed(world: World, folder: Path) -> Path:
    """A package of what a folder holds now, as this tool would write it, with a list that agrees."""

    def entry(path: Path) -> Entry:
        inner = str(path.relative_to(folder))
        if path.is_symlink():
            return Link(inner, str(path.readlink()))
        if path.is_dir():
            return Folder(inner)
        file = text_file(inner, path.read_bytes(), executable=bool(path.stat().st_mode & 0o100))
        return replace(file, content=Slice(str(path), 0, file.size))

    entries = [entry(path) for path in sorted(folder.rglob("*"))]
    archive = world.root / "changed" / ASSET
    archive.parent.mkdir(exist_ok=True)
    with archive.open("wb") as file:
        write_archive(Bundle.of(TOP, entries), file, 315532800, lambda: False)
    return archive


def relisted(folder: Path) -> None:
    """Write the package's list anew, as who changed a file would."""
    files = [p for p in sorted(folder.rglob("*")) if p.is_file() and not p.is_symlink() and p.name != "files.sha256"]
    digests = {str(path.relative_to(folder)): text_file("", path.read_bytes()) for path in files}
    lines = [f"{file.sha256}  {path}\n" for path, file in sorted(digests.items()) if isinstance(file, File)]
    (folder / "metadata" / "files.sha256").write_text("".join(lines))


def test_the_package_holds_each_part_once_and_everything_is_where_consumers_look(package: World) -> None:
    folder = unpacked(package)
    wheels = {path.name for path in (folder / "packages" / "pip").iterdir()}
    assert {"aiohttp-3.0-py3-none-any.whl", "aiohttp-4.0-py3-none-any.whl"} <= wheels, "each part has its own"
    archive = folder / "packages" / "components" / "litellm-runtime-debian-12-amd64.tar.gz"
    assert not list(archive.parent.glob("agent*"))
    assert (folder / "packages" / "python").is_dir()
    link = folder / "packages/mirror/https:/example.org/latest" / archive.name
    assert link.is_symlink() and link.read_bytes() == archive.read_bytes()
    assert (folder / "metadata/litellm-runtime.env").read_text() == "LITELLM_PACKAGE_SPEC=litellm[proxy]==1.0\n"
    subprocess.run(["sha256sum", "--quiet", "-c", "metadata/files.sha256"], cwd=folder, check=True)
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "metadata", "packages"]


def test_target_env_begins_as_the_bootstrap_reads_it_and_exports_below_root(package: World) -> None:
    folder = unpacked(package)
    lines = (folder / "metadata/target.env").read_text().splitlines()
    assert lines[:3] == ["DISTRO_ID=debian", "DISTRO_VERSION=12", "ARCH=amd64"]
    script = "set -a; ROOT=/r; . metadata/target.env; echo $DEMO_SOURCE; git config --get-all url.file:///r/repos/skills.insteadOf"
    done = subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["/r/repos/demo", "https://example.org/demo/skills.git"]


def test_manifest_json_has_a_key_a_line_and_covers_every_folder(package: World) -> None:
    text = (unpacked(package) / "metadata/manifest.json").read_text()
    assert '\n  "target": {\n    "distro": "debian",\n    "version": "12",\n    "arch": "amd64"\n  },\n' in text
    facts = json.loads(text)
    assert list(facts["collections"]) == ["packages/components", "packages/pip"]
    assert facts["componentReleases"]["litellm"]["repo"] == "example/litellm"
    assert facts["packageVersion"] == facts["inputs"][:12]


def test_it_verifies_is_inspected_and_made_once(package: World) -> None:
    done = package.run("verify", str(package.dist / ASSET))
    assert done.code == 0, done.out + done.err
    assert package.run("--json", "inspect", str(package.dist / ASSET)).json()["parts"] == [
        {"component": "litellm", "asset": "litellm-runtime-debian-12-amd64.tar.gz"},
        {"component": "agent", "asset": "agent-runtime-debian-12-amd64.tar.gz"},
    ]
    again = package.run("--json", "assemble", "debian-12-amd64")
    assert [one["state"] for one in again.json()["archives"]] == ["unchanged"]
    assert package.run("verify", "dist").code == 0


def test_its_sbom_tells_its_parts_and_what_is_in_them(package: World) -> None:
    said = sbom.parse((package.dist / f"{ASSET}.cdx.json").read_bytes(), ASSET).inventory
    (archive,) = (item for item in said.items if item.kind == "archive")
    inner = "litellm-runtime-debian-12-amd64.tar.gz"
    assert archive.purl == f"pkg:generic/litellm@1.0?file_name={inner}"
    assert archive.path == f"packages/components/{inner}"
    assert "pkg:pypi/litellm@1.0" in archive.needs
    items = said.by_purl
    assert items["pkg:pypi/agent@0.1"].needs == ("pkg:pypi/aiohttp@4.0",)
    assert items["pkg:pypi/litellm@1.0"].needs == ("pkg:pypi/aiohttp@3.0", "pkg:pypi/orjson@3.1")
    assert items["pkg:pypi/aiohttp@4.0"].path == "packages/pip/aiohttp-4.0-py3-none-any.whl"
    assert {archive.purl, "pkg:pypi/agent@0.1"} <= {*said.roots}
    assert said.host == "debian 12 amd64"
    verdict = verify.judge_any(package.dist / ASSET, ASSET)
    assert verdict.inventory == said


def test_the_locks_alone_tell_the_same_packages(package: World) -> None:
    said = sbom.parse((package.dist / f"{ASSET}.cdx.json").read_bytes(), ASSET).inventory
    workspace = Workspace(package.root / "manifests")
    manifests = load_manifests(workspace)
    told = manifests.components["offline"].inventories(manifests.hosts, workspace, ["all"])
    assert list(told) == ["debian-12-amd64"]
    kinds = ("wheel", "python")
    locked, held = ([item for item in one.items if item.kind in kinds] for one in (told["debian-12-amd64"], said))
    assert [(one.purl, one.path, one.sha256) for one in locked] == [(one.purl, one.path, one.sha256) for one in held]
    assert told["debian-12-amd64"].host == said.host


def test_the_same_locks_make_the_same_bytes_elsewhere(package: World, tmp_path: Path) -> None:
    before = (package.dist / ASSET).read_bytes()
    assert (
        package.run("assemble", "debian-12-amd64", "--out", str(tmp_path / "other"), "--offline", TZ="Asia/Tokyo").code
        == 0
    )
    assert (tmp_path / "other" / ASSET).read_bytes() == before


def test_build_makes_the_runtime_only(package: World) -> None:
    assert package.run("build", "debian-12-amd64", "--out", "runtime").code == 0
    assert sorted(path.name for path in (package.root / "runtime").iterdir()) == [
        "SHA256SUMS",
        "litellm-runtime-debian-12-amd64.tar.gz",
        "litellm-runtime-debian-12-amd64.tar.gz.cdx.json",
    ]


CHANGES: dict[str, Callable[[Path], object]] = {
    "a wheel of another": lambda folder: next((folder / "packages/pip").glob("aiohttp-3*")).write_bytes(b"other"),
    "no wheel": lambda folder: next((folder / "packages/pip").glob("agent-*")).unlink(),
    "another archive": lambda folder: next((folder / "packages/components").iterdir()).write_bytes(b"other"),
    "no archive": lambda folder: next((folder / "packages/components").iterdir()).unlink(),
    "a file nobody put there": lambda folder: (folder / "packages/x").touch(),
    "another host": lambda folder: (folder / "metadata/target.env").write_text("DISTRO_ID=debian\n"),
    "a link elsewhere": lambda folder: _relink(next((folder / "packages/mirror").rglob("litellm*"))),
    "another record": lambda folder: (folder / "metadata/components/litellm.tag").write_text("runtime-0\n"),
    "another runtime.env": lambda folder: (folder / "metadata/litellm-runtime.env").write_text("true\n"),
    "no list": lambda folder: (folder / "metadata/manifest.json").write_text("{}"),
}


def _relink(path: Path) -> None:
    path.unlink()
    path.symlink_to("../" * 5 + "metadata/manifest.json")


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_is_changed_is_found(package: World, change: str) -> None:
    folder = unpacked(package)
    assert package.run("verify", str(packed(package, folder))).code == 0, "packed again it is the same"
    CHANGES[change](folder)
    relisted(folder)
    done = package.run("verify", str(packed(package, folder)))
    assert done.code in (1, 3), done.out
    assert "Traceback" not in done.err


def test_a_package_under_another_name_is_refused(package: World) -> None:
    other = package.root / "demo-offline-debian-13-amd64.tar.gz"
    shutil.copy(package.dist / ASSET, other)
    assert package.run("verify", str(other)).code == 3


def test_what_is_not_locked_is_told_with_the_commands_that_lock_it(own: World) -> None:
    done = own.run("assemble", "debian-13-amd64")
    assert done.code == 2
    assert "aiws-bundle lock debian-13-amd64 --component offline" in done.err
    own.write("agent.yaml", AGENT.replace("agent==0.1", "agent==0.2"))
    done = own.run("assemble", "debian-12-amd64")
    assert done.code == 2
    assert "agent" in done.err


def test_a_part_that_there_is_not_is_told_with_its_line(own: World) -> None:
    own.write("offline.yaml", OFFLINE.replace("manifest: agent", "manifest: agnt"))
    done = own.run("check")
    assert done.code == 2
    assert "offline.yaml:10" in done.out + done.err


def test_two_things_at_one_place_are_refused(own: World) -> None:
    own.write("offline.yaml", OFFLINE.replace("metadata/litellm-runtime.env", "metadata/target.env"))
    done = own.run("assemble", "debian-12-amd64")
    assert done.code in (2, 3)
    assert "metadata/target.env" in done.err


def refacted(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the package's facts, and all that must agree with them, as who made the whole package would."""
    path = folder / "metadata/manifest.json"
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    facts = SimpleNamespace(**document)
    facts.target = SimpleNamespace(**document["target"])
    (folder / "metadata/target.env").write_bytes(target_env(cast(Package, facts)))
    relisted(folder)


def _unkept(document: dict[str, Any]) -> None:
    document["parts"][1]["copies"] = {"x": "metadata/more.env"}


FACTS: dict[str, Callable[[dict[str, Any]], object]] = {
    "a value that runs something": lambda facts: facts["exports"].update(DEMO_SOURCE="$(touch /tmp/x)"),
    "a value that ends": lambda facts: facts["exports"].update(DEMO_SOURCE='a"; touch /tmp/x; "'),
    "a name that runs something": lambda facts: facts["exports"].update({"DEMO_A=1; touch /tmp/x; DEMO_B": "1"}),
    "a variable of the shell": lambda facts: facts["exports"].update(LD_PRELOAD="${ROOT}/x.so"),
    "a variable of Node.js": lambda facts: facts["exports"].update(NODE_OPTIONS="--require=${ROOT}/x.js"),
    "a variable of pip": lambda facts: facts["exports"].update(PIP_CONFIG_FILE="${ROOT}/x"),
    "an address that runs something": lambda facts: facts["redirects"].update({"https://x.org/`touch`": "skills"}),
    "a folder that runs something": lambda facts: facts["redirects"].update({"https://x.org/y": "$(touch)"}),
    "a copy of what is left out": _unkept,
    "a copy with a field": lambda facts: facts["parts"][0].update(copies={"metadata/runtime.env": "metadata/{x.y}"}),
    "a part twice": lambda facts: facts["parts"].append(facts["parts"][0]),
    "a package of Node.js": lambda facts: facts.update(name="node-x", exports={"NODE_OPTIONS": "--require=x"}),
}


@pytest.mark.parametrize("change", FACTS)
def test_facts_that_agree_with_each_other_and_are_not_as_a_manifest_may_have_them(package: World, change: str) -> None:
    folder = unpacked(package)
    refacted(folder, lambda document: None)
    assert package.run("verify", str(packed(package, folder))).code == 0, "written again it is the same"
    refacted(folder, FACTS[change])
    (folder / "metadata/more.env").write_text("touch /tmp/x\n")
    relisted(folder)
    done = package.run("verify", str(packed(package, folder)))
    assert done.code == 3, done.out
    assert "metadata/manifest.json: " in done.out + done.err
    assert "this is a bug" not in done.err.lower()


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("DEMO_SOURCE:", "NODE_OPTIONS:", "NODE_OPTIONS is not to be set"),
        ("https://example.org/demo/skills.git:", '"https://example.org/`id`":', "redirects"),
        ("archive: false, contents: true}", "archive: false, contents: true, copies: {x: metadata/y}}", "left out"),
    ],
)
def test_what_a_manifest_may_not_say_either(own: World, before: str, after: str, told: str) -> None:
    own.write("offline.yaml", OFFLINE.replace(before, after))
    done = own.run("check")
    assert done.code == 2
    assert told in done.out + done.err


def test_a_part_for_another_host_is_refused(own: World) -> None:
    for words in (("lock", "--component", "litellm"), ("build", "--out", "other")):
        assert own.run(words[0], "debian-13-amd64", *words[1:]).code == 0
    folder = unpacked(own)
    [mine], other = (folder / "packages/components").iterdir(), "litellm-runtime-debian-13-amd64.tar.gz"
    mine.unlink()
    shutil.copy(own.root / "other" / other, mine.parent)
    refacted(folder, lambda document: document["parts"][0].update(asset=other))
    done = own.run("verify", str(packed(own, folder)))
    assert done.code == 3
    assert f"packages/components/{other}: is not for debian 12 amd64" in done.out


def test_texts_are_not_kept_without_end(package: World) -> None:
    folder = unpacked(package)
    for number in range(6):
        (folder / f"metadata/{number}").write_bytes(bytes(8 << 20))
    relisted(folder)
    done = package.run("verify", str(packed(package, folder)))
    assert done.code == 3
    assert "bytes already" in done.out


def test_archives_in_it_cannot_be_larger_than_it_is(package: World) -> None:
    folder = unpacked(package)
    (folder / "packages/components/x.tar.gz").write_bytes(bytes(8 << 20))
    relisted(folder)
    done = package.run("verify", str(packed(package, folder)))
    assert done.code == 3
    assert "larger than the package itself" in done.out


def test_an_archive_in_an_archive_in_a_package_is_not_looked_into(
    package: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    deepest: list[str] = []

    class Nested:
        """A kind whose every archive holds another."""

        def judge(self, path: Path, name: str, inner: Judge) -> Verdict:
            deepest.append(name)
            return inner(path, f"{name}/x")

    monkeypatch.setattr(verify, "kind_of", lambda path, name: Nested())
    stages: list[tuple[str, str]] = []

    class Watching(Silent):
        def stage(self, subject: str, state: State, total: int = 0, told: str = "") -> Task:
            stages.append((subject, state))
            return super().stage(subject, state, total, told)

    [verdict] = verify.judge([(package.dist / ASSET, "a")], Watching(), {})
    assert deepest == ["a", "a/x"]
    assert not verdict.good
    assert stages == [("a", "verifying"), ("a", "failed")]


def test_a_signed_package_tells_what_it_was_made_of(own: World) -> None:
    done = own.run("sign", "dist", AIWS_SIGNING_KEY=text_of(MAKER))
    assert done.code == 0, done.err
    content = (own.dist / provenance.name(ASSET)).read_bytes()
    _, statement = provenance.parse(content, ASSET)
    said = statement.materials
    assert (said.command, said.component, said.target) == ("assemble", "demo-offline", "debian-12-amd64")
    assert {"agent-0.1-py3-none-any.whl", "aiohttp-4.0-py3-none-any.whl"} <= {item.name for item in said.items}
    manifests = {item.name for item in said.items if item.kind == "manifest"}
    assert {"offline.yaml", "litellm.yaml", "agent.yaml"} <= {name.rpartition("/")[2] for name in manifests}, manifests
    done = own.run("verify", "dist")
    assert done.code == 0, done.err
    archive = own.dist / ASSET
    assert own.run("verify", str(archive), "--rebuild").code == 0
    other = dsse.compose(MAKER, dsse.parse(content).payload.replace(b'"demo-offline"', b'"other-offline"'))
    (own.dist / provenance.name(ASSET)).write_bytes(other)
    done = own.run("verify", str(archive))
    assert done.code == 3
    assert "says another component than the archive" in done.out
