"""The portable CPython's tree: what a runtime needs, nothing else, and nothing that leads outside."""

from __future__ import annotations

import gzip
import hashlib
import io
import subprocess
import tarfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import pytest
import zstandard

from bundler.adapters.archive import write_archive
from bundler.errors import IntegrityError
from bundler.kinds.manifests import Manifests
from bundler.model.bundle import Bundle, Entry, File, Link, Slice
from bundler.model.portable_python import PortablePython, PythonPin
from bundler.payloads.python.tree import take_runtime
from bundler.words import Arch
from tests.mach_o import fat, thin

ROOT = Path(__file__).parents[3]
STANDINS = ROOT.parent / "shared" / "fixtures" / "portable-python"
ELF = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00"
PROGRAM = ELF + (62).to_bytes(2, "little") + b"the interpreter"
ARM_PROGRAM = ELF + (183).to_bytes(2, "little") + b"the interpreter"
FOLDER = "packages/python/cpython-3.13.5"

Spec = tuple[str, str, bytes | str, int]
GOOD: tuple[Spec, ...] = (
    ("file", "python/bin/python3.13", PROGRAM, 0o755),
    ("link", "python/bin/python3", "python3.13", 0o777),
    ("file", "python/bin/idle3.13", b"#!", 0o755),
    ("link", "python/bin/idle3", "idle3.13", 0o777),
    ("link", "python/bin/idle", "idle3", 0o777),
    ("file", "python/lib/python3.13/os.py", b"import sys", 0o664),
    ("file", "python/lib/python3.13/site-packages/pip/__init__.py", b"", 0o644),
    ("file", "python/lib/python3.13/__pycache__/os.cpython-313.pyc", b"code", 0o644),
    ("file", "python/lib/python3.13/EXTERNALLY-MANAGED", b"no", 0o644),
    ("file", "python/lib/python3.13/test/test_os.py", b"", 0o644),
    ("file", "python/lib/libpython3.13.a", b"static", 0o644),
)


def leave_out() -> tuple[str, ...]:
    """What the project's own manifest leaves out."""
    texts = {path.name: path.read_text() for path in (ROOT / "manifests").glob("*.yaml")}
    return Manifests.parse(texts).hosts.portable_python().leave_out


def taken(archive: Path, python: PortablePython, platform: str, spool: BinaryIO) -> tuple[Entry, ...]:
    return take_runtime(archive, python.version, python.leave_out, platform, spool)


def pinned() -> PortablePython:
    pin = PythonPin("https://example.org/x.tar.gz", "0" * 64)
    return PortablePython("3.13.5", "1", {"amd64": pin, "arm64": pin}, leave_out())


def tar_of(specs: Sequence[Spec]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for kind, path, content, mode in specs:
            info = tarfile.TarInfo(path)
            info.mode = mode
            if isinstance(content, str):
                info.type = tarfile.SYMTYPE if kind == "link" else tarfile.LNKTYPE
                info.linkname = content
                tar.addfile(info)
            else:
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def take(folder: Path, specs: Sequence[Spec], python: PortablePython | None = None) -> dict[str, Entry]:
    path = folder / "python.tar.zst"
    path.write_bytes(zstandard.compress(tar_of(specs)))
    with (folder / "spool").open("wb") as spool:
        entries = taken(path, python or pinned(), "linux-amd64", spool)
    return {entry.path.removeprefix(f"{FOLDER}/"): entry for entry in entries}


def without(part: str) -> list[Spec]:
    return [spec for spec in GOOD if part not in spec[1]]


def test_a_runtime_is_what_it_needs_and_nothing_else(tmp_path: Path) -> None:
    assert set(take(tmp_path, GOOD)) == {
        "bin/python3.13",
        "bin/python3",
        "lib/python3.13/os.py",
        "lib/python3.13/site-packages/pip/__init__.py",
    }


def test_modes_are_made_plain_and_bytes_are_kept(tmp_path: Path) -> None:
    entries = take(tmp_path, GOOD)
    program, library = entries["bin/python3.13"], entries["lib/python3.13/os.py"]
    assert isinstance(program, File)
    assert isinstance(library, File)
    assert (program.executable, library.executable) == (True, False)
    assert program.sha256 == hashlib.sha256(PROGRAM).hexdigest()
    assert entries["bin/python3"] == Link(f"{FOLDER}/bin/python3", "python3.13")


def test_whole_files_are_left_out_and_those_that_stay_are_not_touched(tmp_path: Path) -> None:
    """To strip a Mach-O file would break its signature."""
    mac = thin(kind=2), fat(thin(cpu="amd64"), thin(kind=6))
    specs = [
        ("file", "python/bin/python3.13", mac[0], 0o755),
        ("file", "python/lib/libpython3.13.dylib", mac[1], 0o644),
        *without("bin/python3.13"),
    ]
    path = tmp_path / "python.tar.zst"
    path.write_bytes(zstandard.compress(tar_of(specs)))
    with (tmp_path / "spool").open("wb") as spool:
        entries = taken(path, pinned(), "darwin-arm64", spool)
    there = {f"{FOLDER}/{name.removeprefix('python/')}": content for _, name, content, _ in specs}
    files = [entry for entry in entries if isinstance(entry, File)]
    assert len(files) == 4
    for file in files:
        assert isinstance(file.content, Slice)
        with Path(file.content.file).open("rb") as stream:
            stream.seek(file.content.offset)
            assert stream.read(file.content.length) == there[file.path]


def test_gzip_and_zstandard_are_read_alike(tmp_path: Path) -> None:
    (tmp_path / "x.tar.gz").write_bytes(gzip.compress(tar_of(GOOD)))
    with (tmp_path / "other").open("wb") as spool:
        gzipped = taken(tmp_path / "x.tar.gz", pinned(), "linux-amd64", spool)
    assert {entry.path for entry in gzipped} == {entry.path for entry in take(tmp_path, GOOD).values()}


def test_a_hard_link_becomes_a_file_of_the_same_bytes(tmp_path: Path) -> None:
    entries = take(tmp_path, [*GOOD, ("hard", "python/bin/python3-copy", "python/bin/python3.13", 0o755)])
    copy, original = entries["bin/python3-copy"], entries["bin/python3.13"]
    assert isinstance(copy, File)
    assert isinstance(original, File)
    assert (copy.content, copy.sha256) == (original.content, original.sha256)


@pytest.mark.parametrize(
    ("specs", "reason"),
    [
        ([*GOOD, ("link", "python/lib/evil", "../../../etc/passwd", 0o777)], "points out of"),
        ([*GOOD, ("link", "python/lib/evil", "/etc/passwd", 0o777)], "points to '/etc/passwd'"),
        ([*GOOD, ("hard", "python/lib/evil", "/etc/passwd", 0o644)], "file (kept )?before it"),
        ([*GOOD, ("file", "python/../evil", b"", 0o644)], "climbs"),
        ([*GOOD, ("file", "/evil", b"", 0o644)], "absolute"),
        ([*GOOD, ("file", "other/evil", b"", 0o644)], "more than one top folder"),
        ([*GOOD, ("file", "python/lib/python3.13/OS.py", b"", 0o644)], "differ only in case"),
        (without("bin/python3.13"), "not an executable file"),
        ([("file", GOOD[0][1], PROGRAM, 0o644), *without("bin/python3.13")], "not an executable file"),
        ([("file", GOOD[0][1], ARM_PROGRAM, 0o755), *without("bin/python3.13")], "not a program for linux-amd64"),
        ([("file", GOOD[0][1], b"#!/bin/sh", 0o755), *without("bin/python3.13")], "not a program for linux-amd64"),
        (without("site-packages/pip"), "neither pip nor ensurepip"),
    ],
)
def test_an_archive_that_is_unsafe_or_no_python_is_refused(tmp_path: Path, specs: list[Spec], reason: str) -> None:
    with pytest.raises(IntegrityError, match=reason):
        take(tmp_path, specs)


def test_ensurepip_is_as_good_as_pip(tmp_path: Path) -> None:
    wheel: Spec = ("file", "python/lib/python3.13/ensurepip/_bundled/pip-25.1-py3-none-any.whl", b"PK", 0o644)
    assert take(tmp_path, [*without("site-packages/pip"), wheel])


def test_every_entry_is_where_the_spool_has_it(tmp_path: Path) -> None:
    contents = {path: content for kind, path, content, _ in GOOD if kind == "file"}
    for path, entry in take(tmp_path, GOOD).items():
        if isinstance(entry, File):
            assert isinstance(entry.content, Slice)
            with Path(entry.content.file).open("rb") as spool:
                spool.seek(entry.content.offset)
                content = spool.read(entry.content.length)
            assert content == contents[f"python/{path}"]
            assert (entry.size, entry.sha256) == (len(content), hashlib.sha256(content).hexdigest())


def test_the_mark_that_forbids_pip_is_left_out_whatever_the_manifest_says(tmp_path: Path) -> None:
    mark: Spec = ("link", "python/lib/EXTERNALLY-MANAGED", "python3.13/os.py", 0o777)
    entries = take(tmp_path, [*GOOD, mark], replace(pinned(), leave_out=()))
    assert set(entries) == {path.removeprefix("python/") for _, path, _, _ in GOOD if "EXTERNALLY" not in path}


def test_links_inside_are_kept_and_those_to_what_was_left_out_are_not(tmp_path: Path) -> None:
    links: dict[str, str] = {
        "bin/python": "python3",
        "lib/up": "../bin/python3.13",
        "lib/here": ".",
        "lib/all": "..",
        "lib/folder": "python3.13/site-packages",
        "lib/python3.13/pip": "./site-packages//pip/",
        "lib/archive.a": "libpython3.13.a",
        "lib/dangling": "libpython3.13.a",
        "lib/to-dangling": "dangling",
        "lib/to-to-dangling": "../lib/to-dangling",
        "lib/emptied": "python3.13/test",
        "lib/nowhere": "nothing",
        "lib/itself": "itself",
        "lib/round": "and-round",
        "lib/and-round": "round",
        "only-links/a": "../bin/python3",
        "only-links/b": "a",
        "lib/to-only-links": "../only-links",
    }
    kept = {"bin/python", "lib/up", "lib/here", "lib/all", "lib/folder", "lib/python3.13/pip"}
    kept |= {"only-links/a", "only-links/b", "lib/to-only-links"}
    specs: list[Spec] = [("link", f"python/{path}", target, 0o777) for path, target in links.items()]
    entries = take(tmp_path, [*GOOD, *specs])
    assert {path for path in links if path in entries} == kept
    assert all(entries[path] == Link(f"{FOLDER}/{path}", links[path]) for path in kept)


def test_the_interpreter_may_be_a_hard_link_and_not_a_symbolic_one(tmp_path: Path) -> None:
    others = without("bin/python3.13")
    program: Spec = ("file", "python/bin/python", PROGRAM, 0o755)
    entries = take(tmp_path, [program, ("hard", "python/bin/python3.13", "python/bin/python", 0o755), *others])
    assert isinstance(entries["bin/python3.13"], File)
    with pytest.raises(IntegrityError, match="not an executable file"):
        take(tmp_path, [program, ("link", "python/bin/python3.13", "python", 0o777), *others])


@pytest.mark.parametrize(
    ("extra", "reason"),
    [
        (("hard", "python/lib/copy", "python/lib/libpython3.13.a", 0o644), "file (kept )?before it"),
        (("hard", "python/lib/copy", "python/lib/later", 0o644), "file (kept )?before it"),
        (("hard", "python/lib/copy", "python/bin/python3", 0o644), "file (kept )?before it"),
        (("link", "python/lib/evil", "../../cpython-3.13.5-other/x", 0o777), "points out of"),
        (("link", "python/lib/evil", "python3.13/../../../x", 0o777), "climbs"),
        (("link", "python/lib/evil", "", 0o777), "points to"),
        (("link", "python/BIN/python3", "x", 0o777), "differ only in case"),
        (("file", "python/bin/python3/x", b"", 0o644), "no folder"),
        (("file", "python/bin", b"", 0o644), "twice"),
        (("file", "python/bin/python3.13", b"", 0o644), "twice"),
        (("file", "README", b"", 0o644), "more than one top folder"),
    ],
)
def test_one_odd_member_is_enough_to_refuse_an_archive(tmp_path: Path, extra: Spec, reason: str) -> None:
    with pytest.raises(IntegrityError, match=reason):
        take(tmp_path, [*GOOD, extra])


def test_a_file_in_place_of_the_top_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match="stands outside the top folder"):
        take(tmp_path, [("file", "python", b"", 0o644)])


@pytest.mark.parametrize(
    "program",
    [b"", PROGRAM[:19], b"\x7fELF\x01" + PROGRAM[5:], PROGRAM[:18] + b"\x03\x00", b"MZ" + PROGRAM[2:]],
    ids=["empty", "cut", "32-bit", "x86", "Windows"],
)
def test_a_program_for_another_machine_is_refused(tmp_path: Path, program: bytes) -> None:
    with pytest.raises(IntegrityError, match="not a program for linux-amd64"):
        take(tmp_path, [("file", GOOD[0][1], program, 0o755), *without("bin/python3.13")])


def test_what_stands_behind_a_program_in_the_spool_is_not_its_own(tmp_path: Path) -> None:
    rest: Spec = ("file", "python/lib/rest", PROGRAM[18:], 0o644)
    with pytest.raises(IntegrityError, match="not a program for linux-amd64"):
        take(tmp_path, [("file", GOOD[0][1], PROGRAM[:18], 0o755), rest, *without("bin/python3.13")])


def test_each_machine_has_its_own_program(tmp_path: Path) -> None:
    specs: list[Spec] = [("file", GOOD[0][1], ARM_PROGRAM, 0o755), *without("bin/python3.13")]
    (tmp_path / "x.tar.gz").write_bytes(gzip.compress(tar_of(specs)))
    with (tmp_path / "spool").open("wb") as spool:
        assert taken(tmp_path / "x.tar.gz", pinned(), "linux-arm64", spool)
        with pytest.raises(IntegrityError, match=r"portable CPython 3\.13\.5 for linux-amd64: .* for linux-amd64"):
            taken(tmp_path / "x.tar.gz", pinned(), "linux-amd64", spool)


@pytest.mark.parametrize(
    "content", [b"", b"rubbish", zstandard.compress(tar_of(GOOD))[:-9], gzip.compress(tar_of(GOOD))[:-9]]
)
def test_what_is_no_whole_archive_is_refused_by_its_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    with (tmp_path / "spool").open("wb") as spool, pytest.raises(IntegrityError, match="portable CPython"):
        taken(tmp_path / "x", pinned(), "linux-amd64", spool)


def test_an_archive_of_nothing_is_no_python(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match="not an executable file"):
        take(tmp_path, [])


@pytest.mark.parametrize(
    ("arch", "machine"), [pytest.param("amd64", "x86_64", marks=pytest.mark.slow), ("arm64", "aarch64")]
)
@pytest.mark.slow
def test_the_stand_in_is_trimmed_and_still_a_python(arch: Arch, machine: str, tmp_path: Path) -> None:
    archive = next(iter(STANDINS.glob(f"*{machine}*.tar.gz")), None) if STANDINS.is_dir() else None
    if archive is None:
        pytest.skip("no stand-in for the portable CPython beside the project")
    with (tmp_path / "spool").open("wb") as spool:
        entries = taken(archive, pinned(), f"linux-{arch}", spool)
    paths = [entry.path for entry in entries]
    assert not [path for path in paths if path.endswith((".a", ".pyc", "EXTERNALLY-MANAGED")) or "/idlelib/" in path]
    with (tmp_path / "x.tar.gz").open("wb") as file:
        write_archive(Bundle.of("x", entries), file, 0, lambda: False)
    if machine == "x86_64":
        subprocess.run(["tar", "-xzf", "x.tar.gz"], cwd=tmp_path, check=True)
        python = tmp_path / "x" / FOLDER / "bin" / "python3.13"
        subprocess.run([python, "-m", "venv", tmp_path / "venv"], check=True)
        subprocess.run([tmp_path / "venv" / "bin" / "pip", "--version"], check=True)
