"""PAR2: how much is repaired, that it is, and that recovery files name nothing but the files that they are for."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from bundler.adapters.par2 import Par2, checked, layout, recovery_files
from bundler.adapters.process import run
from bundler.errors import IntegrityError, UsageError

SIZES = {f"v.{number:03}": 100_000 for number in range(1, 6)}


def _par2() -> Par2:
    try:
        return Par2(os.environ, run)
    except UsageError:
        pytest.skip("no par2 is here: install aiws-bundle[parity], or the package par2")


def _volumes(folder: Path) -> dict[str, bytes]:
    folder.mkdir()
    contents = {name: random.Random(name).randbytes(size) for name, size in SIZES.items()}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return contents


def test_a_share_as_large_as_a_volume_repairs_it() -> None:
    for number in (1, 2, 3, 7, 12):
        for size in (1, 999, 1_000_003, 4_700_000_000):
            found = layout(dict.fromkeys(map(str, range(number)), size), 100 / number)
            assert found.block % 4 == 0
            assert sum(found.each.values()) <= 2000 + number
            assert found.recovery >= found.for_largest
    found = layout({"a": 1_000_000, "b": 1_000_000, "c": 1000}, 5)
    assert found.recovery < found.for_largest
    enough = layout({"a": 1_000_000, "b": 1_000_000, "c": 1000}, found.percent_for_largest)
    assert enough.recovery >= enough.for_largest
    less = layout({"a": 1_000_000, "b": 1_000_000, "c": 1000}, found.percent_for_largest - 1)
    assert less.recovery < less.for_largest


@pytest.mark.slow
def test_a_lost_volume_is_repaired_and_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    par2, plan = _par2(), layout(SIZES, 20)
    contents = _volumes(tmp_path / "a")
    _volumes(tmp_path / "b")
    for name in ("a", "b"):
        par2.create(tmp_path / name, "v", plan, 2)
    names = recovery_files(tmp_path / "a", "v")
    assert len(names) == 3 and names[0] == "v.par2"
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
        assert b"".join(checked(tmp_path / "a" / name, SIZES)) == (tmp_path / "a" / name).read_bytes()
    (tmp_path / "a" / "v.003").unlink()
    assert par2.repair(tmp_path / "a", names[0])
    assert {name: (tmp_path / "a" / name).read_bytes() for name in SIZES} == contents
    (tmp_path / "b" / "v.003").unlink()
    (tmp_path / "b" / "v.004").unlink()
    assert not par2.repair(tmp_path / "b", names[0])
    with pytest.raises(IntegrityError, match=r"would repair 'v\.001'"):
        list(checked(tmp_path / "a" / "v.par2", [name for name in SIZES if name != "v.001"]))


def _packet(name: bytes, *, kind: bytes = b"PAR 2.0\0FileDesc", length: int | None = None) -> bytes:
    body = bytes(16 * 3 + 8) + name + bytes(-len(name) % 4)
    size = 64 + len(body) if length is None else length
    return b"PAR2\0PKT" + size.to_bytes(8, "little") + bytes(32) + kind + body


@pytest.mark.parametrize("where", [0, (1 << 20) - 200, (1 << 20) - 100, (1 << 20) - 60, (1 << 20) - 20, 1 << 20])
@pytest.mark.parametrize("name", [b"../../etc/passwd", b"/etc/passwd", b"v.0011", b"", b"v.001\0x"])
def test_a_recovery_file_that_names_another_file_is_refused(tmp_path: Path, where: int, name: bytes) -> None:
    path = tmp_path / "v.par2"
    path.write_bytes(bytes(where) + _packet(b"v.001") + bytes(5000))
    assert sum(map(len, checked(path, SIZES))) == path.stat().st_size
    for after in (b"", bytes(9000)):
        path.write_bytes(_packet(b"v.001") + bytes(where) + _packet(name) + after)
        with pytest.raises(IntegrityError, match="none of the files"):
            list(checked(path, SIZES))


@pytest.mark.parametrize(
    "packet",
    [_packet(b"v.001", kind=b"PAR 2.0\0UniFileN"), _packet(b"v.001", length=1 << 40), _packet(b"v.001", length=3)],
)
def test_a_name_that_cannot_be_read_is_refused(tmp_path: Path, packet: bytes) -> None:
    path = tmp_path / "v.par2"
    path.write_bytes(packet)
    with pytest.raises(IntegrityError):
        list(checked(path, SIZES))
