"""The command line on what is made to keep it busy, within limits of time and memory."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bundler.model.bundle import Folder, text_file
from tests.archives import Entries, repack
from tests.limits import Limited, limited
from tests.world import World, make_wheel

# Whole commands, or waits: with all others in a minute there is no room for them.
pytestmark = pytest.mark.slow

LOCK = "manifests/locks/pylock.litellm-debian-12-amd64.toml"
Place = Callable[[Path], object]


def run(world: World, *words: str | Path, seconds: int = 10, **env: str) -> Limited:
    return limited(words, seconds, cwd=world.root, env=world.env(**env))


def put(text: str) -> Place:
    return lambda path: path.write_text(text, encoding="utf-8")


def zero(path: Path) -> None:
    path.symlink_to("/dev/zero")


def huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


ODD = [pytest.param(os.mkfifo, id="fifo"), pytest.param(zero, id="zero"), pytest.param(huge, id="huge")]


def replaced(world: World, name: str, place: Place) -> None:
    path = world.root / name
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    place(path)


@pytest.mark.slow
@pytest.mark.parametrize("place", ODD)
@pytest.mark.parametrize("name", [LOCK, "manifests/litellm.yaml", "manifests/targets.yaml"])
def test_what_is_no_file_is_no_lock_and_no_manifest(locked: World, place: Place, name: str) -> None:
    replaced(locked, name, place)
    for words in (["check"], ["lock", "--check"], ["targets"], ["build", "debian-12-amd64"]):
        assert run(locked, *words).code == 2


@pytest.mark.slow
@pytest.mark.parametrize("place", ODD)
@pytest.mark.parametrize("name", ["SHA256SUMS", "a.tar.gz", "b.txt"])
def test_what_is_no_file_is_told_in_a_folder(tmp_path: Path, place: Place, name: str) -> None:
    folder = tmp_path / "dist"
    folder.mkdir()
    (folder / "c.tar.gz").write_bytes(b"x")
    (folder / "SHA256SUMS").write_text(f"{'0' * 64}  a.tar.gz\n{'0' * 64}  b.txt\n{'0' * 64}  c.tar.gz\n")
    (folder / name).unlink(missing_ok=True)
    if place is huge and name != "SHA256SUMS":
        return  # takes as long as it is large
    place(folder / name)
    assert limited(["verify", folder]).code == 3
    assert limited(["--json", "verify", folder]).code == 3
    limited(["report", folder, "--tag", "runtime-0123456789ab"], cwd=tmp_path)


@pytest.mark.parametrize("place", ODD[:2])
def test_what_is_no_file_is_no_archive(tmp_path: Path, place: Place) -> None:
    place(tmp_path / "x.tar.gz")
    for words in (["verify"], ["inspect"]):
        assert limited([*words, tmp_path / "x.tar.gz"]).code in (2, 4)


@pytest.mark.slow
@pytest.mark.parametrize("place", ODD)
def test_what_is_remembered_of_a_folder_may_be_anything(locked: World, place: Place) -> None:
    assert locked.run("build", "debian-12-amd64").code == 0
    (memory,) = (locked.root / "cache" / "dist").glob("*.json")
    memory.unlink()
    place(memory)
    assert run(locked, "build", "debian-12-amd64", seconds=20).code == 0


# Made when they are tried: some are large.
TOML: dict[str, Callable[[], str]] = {
    "dots": lambda: ".".join("a" * 20_000) + " = 1\n",
    "dots in lines": lambda: "".join(f"a{n}{'.a' * 16} = 1\n" for n in range(20_000)),
    "headers": lambda: "".join(f"[a{n}{'.a' * 16}]\n" for n in range(20_000)),
    "tables": lambda: "".join(f"[[packages]]\nname = 'a{n}'\n" for n in range(30_000)),
    "environments": lambda: "environments = [" + "\"os_name == 'a'\",\n" * 49_000 + "]\n",
    "lines": lambda: "\n" * (15 << 20),
    "string": lambda: "a = '" + "x" * (15 << 20) + "'\n",
    "number": lambda: "a = " + "1" * (15 << 20) + "\n",
    "nested": lambda: "a = " + "[" * 500_000 + "\n",
    "quotes": lambda: 'a = "' + '\\"' * 5_000_000 + "\n",
}
YAML: dict[str, Callable[[], str]] = {
    "flow": lambda: "[" + "a," * (8 << 20) + "]",
    "block": lambda: "- a\n" * (4 << 20),
    "small": lambda: "- a\n" * (60 << 10),
    "nested": lambda: "[" * (200 << 10),
    "comments": lambda: "#\n" * (100 << 10),
    "number": lambda: "a: " + "1:" * (100 << 10) + "1",
    "anchors": lambda: "&a " * (80 << 10),
}


@pytest.mark.slow
@pytest.mark.parametrize("text", TOML.values(), ids=TOML.keys())
def test_a_lock_takes_little_time_and_memory(locked: World, text: Callable[[], str]) -> None:
    replaced(locked, LOCK, put(text()))
    assert run(locked, "check").code == 2


@pytest.mark.slow
def test_whoever_reads_a_lock_of_any_kind_has_bounds(locked: World) -> None:
    replaced(locked, LOCK, put(TOML["environments"]()))
    assert run(locked, "lock", "--check", "debian-12-amd64").code == 2
    replaced(locked, LOCK, put(""))
    replaced(locked, "manifests/locks/pylock.build-litellm.toml", put(TOML["environments"]()))
    assert "pylock.build-litellm.toml" in run(locked, "check").out


@pytest.mark.slow
@pytest.mark.parametrize("text", YAML.values(), ids=YAML.keys())
def test_a_manifest_takes_little_time_and_memory(locked: World, text: Callable[[], str]) -> None:
    replaced(locked, "manifests/console.yaml", put(text()))
    assert run(locked, "check").code == 2


@pytest.mark.slow
def test_wheels_that_ask_for_much_are_not_kept(locked: World) -> None:
    assert locked.run("build", "debian-12-amd64").code == 0
    archive = locked.dist / "litellm-runtime-debian-12-amd64.tar.gz"
    requires = [f"a{n}=={'1.' * 995}1" for n in range(1990)]

    def change(entries: Entries) -> None:
        for n in range(60):
            made = make_wheel(locked.root / "bombs", f"bomb{n}", "1", requires, deflated=True)
            entries[f"packages/pip/{made.name}"] = text_file(f"packages/pip/{made.name}", made.read_bytes())

    repack(archive, change)
    assert archive.stat().st_size < 2 << 20
    assert run(locked, "verify", archive).code == 3


@pytest.mark.slow
def test_long_paths_are_not_told_many_times_over(locked: World) -> None:
    assert locked.run("build", "debian-12-amd64").code == 0
    archive = locked.dist / "litellm-runtime-debian-12-amd64.tar.gz"

    def change(entries: Entries) -> None:
        folder = "packages/pip"
        for _ in range(3):
            folder += "/" + "d" * 240
            entries[folder] = Folder(folder)
        for n in range(30_000):
            path = f"{folder}/{n:05}{'x' * 200}"
            entries[path] = text_file(path, b"", executable=True)

    repack(archive, change)
    (locked.dist / "SHA256SUMS").unlink()
    assert run(locked, "--json", "verify", archive, seconds=40).code == 3


@pytest.mark.slow
def test_targets_and_overrides_do_not_multiply(locked: World) -> None:
    distros = "".join(f'    "{n}": {{glibc: "2.36", python: 3.11.2}}\n' for n in range(100))
    locked.write("targets.yaml", f"distros:\n  debian:\n{distros}arches: [amd64, arm64]\n")
    overrides = "overrides:\n" + "- {targets: [debian], python: system}\n" * 50
    text = (locked.root / "manifests/litellm.yaml").read_text() + overrides

    def named(n: int) -> str:
        return text.replace("component: litellm", f"component: c{n}").replace("asset: ", f"asset: c{n}-")

    for n in range(10):
        locked.write(f"c{n}.yaml", named(n))
    start = time.monotonic()
    run(locked, "check", seconds=20)
    assert time.monotonic() - start < 60
    for n in range(10, 40):
        locked.write(f"c{n}.yaml", named(n))
    assert "120000 are the most" in run(locked, "check", seconds=20).out
    locked.write("litellm.yaml", text + "- {targets: [debian], python: system}\n")
    assert "at most 50" in run(locked, "check").out
