"""`aiws-bundle init` against an index: what it writes locks and builds; what it refuses leaves nothing behind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bundler.kinds.manifests import Manifests
from bundler.kinds.wheelhouse import portable_pins
from bundler.kinds.wheelhouse.component import WheelhouseComponent
from bundler.kinds.wheelhouse.manifest import Wheelhouse
from bundler.model.known_hosts import KNOWN, USUAL, known_targets
from tests.world import World, make_wheel, serve, stock

ROOT = Path(__file__).parent.parent.parent
TWO = ("--targets", "debian-12-amd64,debian-13-amd64")


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[World]:
    """A folder with nothing in it, and an index of applications of several shapes."""
    wheels = tmp_path / "wheels"
    stock(wheels)
    for name, version, python in (
        ("demo", "1.0", ""),
        ("demo", "2.0", ""),
        ("demo", "3.0rc1", ""),
        ("strict", "1.0", "<3.13"),
        ("needy", "1.0", ">=3.12"),
    ):
        code = "def main(): print('1.0')"
        make_wheel(wheels, name, version, module=code, script="main", requires_python=python)
    make_wheel(wheels, "library", "1.0", module="A = 1")
    points = b"[console_scripts]\none = tools:main\ntwo = tools:main\n"
    make_wheel(wheels, "tools", "1.0", more={"tools-1.0.dist-info/entry_points.txt": points})
    make_wheel(wheels, "old", "1.0", tag="cp27-none-any")
    with serve(wheels) as index:
        root = tmp_path / "work"
        root.mkdir()
        yield World(root, index)


def written(world: World) -> dict[str, str]:
    paths = [path for path in world.root.rglob("*") if path.is_file() and not {"cache", "uv-cache"} & set(path.parts)]
    return {str(path.relative_to(world.root)): path.read_text() for path in paths}


def wheelhouse(world: World, name: str) -> Wheelhouse:
    texts = {path.name: path.read_text() for path in (world.root / "manifests").glob("*.yaml")}
    found = Manifests.parse(texts).components[name]
    assert isinstance(found, WheelhouseComponent)
    return found.manifest


def test_the_newest_final_release_is_begun_with_its_program_and_two_hosts(empty: World) -> None:
    done = empty.run("--json", "init", "demo", *TWO)
    assert done.code == 0, done.err
    assert sorted(written(empty)) == [".gitignore", *(f"manifests/{n}.yaml" for n in ("demo", "targets", "trust"))]
    found = wheelhouse(empty, "demo")
    assert (found.requirement, found.program_name, found.targets) == ("demo==2.0", "demo", None)
    assert found.rehearsal and found.rehearsal.run[0].arguments == ("--help",)
    report = done.json()
    assert report["commands"][:2] == ["aiws-bundle lock", "aiws-bundle build debian-12-amd64"]
    assert report["commands"][2].endswith(" bookworm root-debian-12")
    assert report["commands"][3].startswith("aiws-bundle rehearse dist/demo-runtime-debian-12-amd64.tar.gz --root ")


@pytest.mark.slow
def test_what_it_says_comes_next_locks_and_builds(empty: World) -> None:
    for name in ("demo", "library"):
        commands = empty.run("--json", "init", name, *TWO).json()["commands"]
        for line in commands[:2]:
            done = empty.run(*line.split()[1:])
            assert done.code == 0, done.err
    assert sorted(path.name for path in empty.dist.glob("*.tar.gz")) == [
        "demo-runtime-debian-12-amd64.tar.gz",
        "library-runtime-debian-12-amd64.tar.gz",
    ]


def test_another_application_joins_the_folder_and_nothing_else_changes(empty: World) -> None:
    assert empty.run("init", "demo", *TWO).code == 0
    before = written(empty)
    done = empty.run("init", "library", "--targets", "debian-13")
    assert done.code == 2 and "targets.yaml is for amd64, not for debian-13-arm64" in done.err
    assert written(empty) == before
    done = empty.run("init", "library==1.0", "--targets", "debian-13-amd64,ubuntu-24.04-amd64")
    assert done.code == 0, done.err
    assert "demo.yaml has no `targets:`, so it is for the new hosts too" in done.out
    after = written(empty)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"manifests/targets.yaml"}
    assert after["manifests/targets.yaml"].startswith(before["manifests/targets.yaml"].partition("arches")[0])
    assert wheelhouse(empty, "library").targets == ("debian-13", "ubuntu-24.04")


def test_a_library_is_imported_by_the_python_that_has_it(empty: World) -> None:
    assert empty.run("init", "library").code == 0
    found = wheelhouse(empty, "library")
    assert found.program_name == "python"
    assert found.rehearsal and found.rehearsal.run[0].arguments == ("-c", "import library")


def test_a_server_is_started_and_has_to_be_ready(empty: World) -> None:
    words = ("--serve", "--port {port} --host 127.0.0.1", "--ready", "/health")
    assert empty.run("init", "demo==1.0", *words, "--name", "shown", "--repository", "a/b").code == 0
    found = wheelhouse(empty, "shown")
    assert found.rehearsal and found.rehearsal.start == ("--port", "{port}", "--host", "127.0.0.1")
    assert (found.rehearsal.ready, found.repository, found.requirement) == (("/health",), "a/b", "demo==1.0")


def test_a_python_that_the_application_refuses_is_carried(empty: World) -> None:
    done = empty.run("init", "needy", *TWO)
    assert done.code == 0, done.err
    assert written(empty)["manifests/python.yaml"] == portable_pins.text()
    (override,) = wheelhouse(empty, "needy").overrides
    assert (override.targets, override.python) == (("debian-12-amd64",), "portable")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["tools"], "tools has 2 programs, and none is called as it is: one, two"),
        (["absent"], "the index has no project 'absent'"),
        (["demo==9"], "the index has no wheel of demo 9"),
        (["demo>=1"], "is no name with one version"),
        (["old"], "old 1.0 is not for every host"),
        (["strict", "--targets", "ubuntu-26.04,debian-13"], "strict 1.0 is not for every host"),
        (["demo", "--targets", "fedora"], "unknown target 'fedora'"),
        (["demo", "--serve", "--port {port}"], "--serve and --ready go together"),
        (["demo", "--serve", "x", "--ready", "/"], "--serve does not tell the program where to listen"),
        (["demo", "--name", "Demo"], "'Demo' cannot be a component's name"),
        (["demo", "--name", "trust"], "'trust' cannot be a component's name"),
        (["a b"], "is nothing that can be begun"),
        (["demo", "--repository", "x"], "a repository on GitHub is wanted"),
        (["demo", "--program", "a/b"], "program: "),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, list) else "",
)
def test_what_cannot_be_begun_is_told_and_leaves_nothing(words: list[str], told: str, empty: World) -> None:
    done = empty.run("init", *words)
    assert done.code == 2
    assert told in done.err
    assert written(empty) == {}


def test_nothing_is_overwritten(empty: World) -> None:
    empty.write("demo.yaml", "mine")
    done = empty.run("init", "demo")
    assert done.code == 2 and list(written(empty)) == ["manifests/demo.yaml"]
    (empty.root / "manifests" / "demo.yaml").unlink()
    assert empty.run("init", "demo").code == 0
    before = written(empty)
    done = empty.run("init", "demo")
    assert done.code == 2 and "demo.yaml is a component called demo already" in done.err
    assert written(empty) == before


def test_what_is_known_of_hosts_is_what_this_projects_manifests_say() -> None:
    known = {target.name: target for target in known_targets()}
    texts = {path.name: path.read_text() for path in (ROOT / "manifests").glob("*.yaml")}
    for target in Manifests.parse(texts).targets:
        one = known[target.name]
        assert (one.floor, one.openssl) == (target.floor, target.openssl)
        assert target.system_python in (None, one.system_python)
    editors, _, rest = texts["python.yaml"].partition("\n")
    assert editors.startswith("# yaml-language-server: ") and rest == portable_pins.text()
    assert set(USUAL) <= set(known)
    suites = [one.suite for releases in KNOWN.values() for one in releases.values()]
    assert len(set(suites)) == len(suites)
