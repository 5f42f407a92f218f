from __future__ import annotations

import csv
import hashlib
import io
import stat
import struct
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from bundler.adapters import wheel_file
from bundler.adapters.wheel_file import rewrite_wheel
from bundler.errors import IntegrityError, LockError

INFO = "tiny-1.0.dist-info"
FILES = {
    f"{INFO}/METADATA": b"Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n",
    f"{INFO}/WHEEL": b"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "tiny.py": b"VALUE = 1\n",
    "a,b.py": b"",
    "tiny-1.0.data/scripts/tiny": b"#!python\n",
    f"{INFO}/RECORD": b"wrong,sha256=,1\n",
}


def wheel(order: Sequence[str], second: int = 0, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for path in order:
            info = zipfile.ZipInfo(path, (2026, 1, 2, 3, 4, second))
            info.external_attr = (stat.S_IFREG | (0o775 if "scripts" in path else 0o664)) << 16
            info.compress_type = compression
            archive.writestr(info, FILES.get(path, b""))
    return out.getvalue()


def rewritten(content: bytes, folder: Path) -> bytes:
    made, out = folder / "made", io.BytesIO()
    made.write_bytes(content)
    rewrite_wheel(made, "tiny-1.0-py3-none-any.whl", out)
    return out.getvalue()


def test_order_times_and_compression_leave_no_trace(tmp_path: Path) -> None:
    one = rewritten(wheel(list(FILES)), tmp_path)
    other = rewritten(wheel(list(FILES)[::-1], 58, zipfile.ZIP_STORED), tmp_path)
    assert one == other == rewritten(one, tmp_path)
    # What another version of the deflate library would change.
    assert hashlib.sha256(one).hexdigest() == "34e30ca352867f98705a0cf5b80cd38cb8125cb3ee4663e4a0301634d319d390"


def test_it_holds_the_same_files_and_a_record_that_is_true(tmp_path: Path) -> None:
    content = rewritten(wheel(list(FILES)), tmp_path)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert names[-1] == f"{INFO}/RECORD"
        assert set(names) == set(FILES)
        for name in names[:-1]:
            assert archive.read(name) == FILES[name]
        rows = list(csv.reader(io.StringIO(archive.read(f"{INFO}/RECORD").decode())))
        modes = {info.filename: stat.S_IMODE(info.external_attr >> 16) for info in archive.infolist()}
    assert [row[0] for row in rows] == names
    assert modes.pop("tiny-1.0.data/scripts/tiny") == 0o755
    assert set(modes.values()) == {0o644}


@pytest.mark.slow
def test_pip_installs_it_and_finds_its_record_true(tmp_path: Path) -> None:
    named = tmp_path / "tiny-1.0-py3-none-any.whl"
    named.write_bytes(rewritten(wheel(list(FILES)), tmp_path))
    argv = [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--target", str(tmp_path / "site"), str(named)]
    subprocess.run(argv, check=True)
    assert (tmp_path / "site" / "tiny.py").read_bytes() == FILES["tiny.py"]


@pytest.mark.parametrize("path", ["../escaped", "/escaped", "a//b", "a\\b"])
def test_an_unsafe_path_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(IntegrityError, match="refused member"):
        rewritten(wheel([*FILES, path]), tmp_path)


def test_what_is_no_wheel_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match="not a readable ZIP"):
        rewritten(b"PK", tmp_path)
    with pytest.raises(IntegrityError, match="0 RECORD files"):
        rewritten(wheel(["tiny.py"]), tmp_path)
    with pytest.warns(UserWarning, match="Duplicate name"):
        twice = wheel([*FILES, "tiny.py"])
    with pytest.raises(IntegrityError, match="there twice"):
        rewritten(twice, tmp_path)


@pytest.mark.parametrize(
    ("head", "platforms"),
    [
        (b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HH", 3, 62), "linux-amd64"),
        (struct.pack("<IIII", 0xFEEDFACF, 0x0100000C, 0, 8), "darwin-arm64"),
        (
            struct.pack(">II", 0xCAFEBABE, 2)
            + b"".join(struct.pack(">IIIII", cpu, 0, 0, 0, 0) for cpu in (0x01000007, 0x0100000C)),
            "darwin-amd64 and darwin-arm64",
        ),
    ],
)
def test_a_wheel_for_all_that_holds_a_program_for_one_is_refused(tmp_path: Path, head: bytes, platforms: str) -> None:
    made = tmp_path / "made.whl"
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("native.so", head)
        archive.writestr("tiny-1.0.dist-info/RECORD", "")
    with pytest.raises(LockError, match=rf"native\.so, a program for {platforms};"):
        rewrite_wheel(made, "tiny-1.0-py3-none-any.whl", io.BytesIO())


def test_a_bomb_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheel_file, "_LARGEST", 20)
    with pytest.raises(IntegrityError, match="unpacks to more than"):
        rewritten(wheel(list(FILES)), tmp_path)
