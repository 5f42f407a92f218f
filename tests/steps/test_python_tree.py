from __future__ import annotations

import hashlib
import io
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest
import zstandard

from bundler.adapters.archive import write_archive
from bundler.errors import IntegrityError
from bundler.model.bundle import Bundle, Entry, File, Link
from bundler.model.manifest import Manifests, PortablePython, PythonPin
from bundler.steps.python_tree import take_runtime

ROOT = Path(__file__).parent.parent.parent
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
    return Manifests.parse(texts).python.leave_out


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


def take(folder: Path, specs: Sequence[Spec], name: str = "python.tar.zst") -> dict[str, Entry]:
    path = folder / name
    path.write_bytes(zstandard.compress(tar_of(specs)))
    with (folder / "spool").open("wb") as spool:
        return {entry.path.removeprefix(f"{FOLDER}/"): entry for entry in take_runtime(path, pinned(), "amd64", spool)}


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


def test_gzip_and_zstandard_are_read_alike(tmp_path: Path) -> None:
    import gzip

    (tmp_path / "x.tar.gz").write_bytes(gzip.compress(tar_of(GOOD)))
    with (tmp_path / "other").open("wb") as spool:
        gzipped = take_runtime(tmp_path / "x.tar.gz", pinned(), "amd64", spool)
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
        ([*GOOD, ("hard", "python/lib/evil", "/etc/passwd", 0o644)], "no file kept before it"),
        ([*GOOD, ("file", "python/../evil", b"", 0o644)], "climbs"),
        ([*GOOD, ("file", "/evil", b"", 0o644)], "absolute"),
        ([*GOOD, ("file", "other/evil", b"", 0o644)], "more than one top folder"),
        ([*GOOD, ("file", "python/lib/python3.13/OS.py", b"", 0o644)], "differ only in case"),
        (without("bin/python3.13"), "not an executable file"),
        ([("file", GOOD[0][1], PROGRAM, 0o644), *without("bin/python3.13")], "not an executable file"),
        ([("file", GOOD[0][1], ARM_PROGRAM, 0o755), *without("bin/python3.13")], "not a 64-bit Linux program"),
        ([("file", GOOD[0][1], b"#!/bin/sh", 0o755), *without("bin/python3.13")], "not a 64-bit Linux program"),
        (without("site-packages/pip"), "neither pip nor ensurepip"),
    ],
)
def test_an_archive_that_is_unsafe_or_no_python_is_refused(tmp_path: Path, specs: list[Spec], reason: str) -> None:
    with pytest.raises(IntegrityError, match=reason):
        take(tmp_path, specs)


def test_ensurepip_is_as_good_as_pip(tmp_path: Path) -> None:
    wheel: Spec = ("file", "python/lib/python3.13/ensurepip/_bundled/pip-25.1-py3-none-any.whl", b"PK", 0o644)
    assert take(tmp_path, [*without("site-packages/pip"), wheel])


@pytest.mark.parametrize(("arch", "machine"), [("amd64", "x86_64"), ("arm64", "aarch64")])
def test_the_stand_in_is_trimmed_and_still_a_python(arch: str, machine: str, tmp_path: Path) -> None:
    archive = next(iter(STANDINS.glob(f"*{machine}*.tar.gz")), None) if STANDINS.is_dir() else None
    if archive is None:
        pytest.skip("no stand-in for the portable CPython beside the project")
    with (tmp_path / "spool").open("wb") as spool:
        entries = take_runtime(archive, pinned(), arch, spool)  # type: ignore[arg-type]
    paths = [entry.path for entry in entries]
    assert not [path for path in paths if path.endswith((".a", ".pyc", "EXTERNALLY-MANAGED")) or "/idlelib/" in path]
    with (tmp_path / "x.tar.gz").open("wb") as file:
        write_archive(Bundle.of("x", entries), file, 0, lambda: False)
    if machine == "x86_64":
        subprocess.run(["tar", "-xzf", "x.tar.gz"], cwd=tmp_path, check=True)
        python = tmp_path / "x" / FOLDER / "bin" / "python3.13"
        subprocess.run([python, "-m", "venv", tmp_path / "venv"], check=True)
        subprocess.run([tmp_path / "venv" / "bin" / "pip", "--version"], check=True)
