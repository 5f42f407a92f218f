"""What strangers may put into recovery files is refused, or passed over: no program ever sees it."""

from __future__ import annotations

import random
import re
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bundler.adapters.par2_packets import recovery_sets
from bundler.errors import IntegrityError
from tests.adapters.par2_sets import description, main, md5, packet, recovery_file
from tests.model.samples import PROPERTY, examples

NAMES = re.compile(r"v(\.[0-9]{3})?")
CONTENTS = {b"v.001": b"one" * 10, b"v.002": b"two" * 9}
GOOD = recovery_file(CONTENTS, data=3)


def _written(tmp_path: Path, *contents: bytes) -> bytes:
    """What of recovery files a program would see."""
    paths = [tmp_path / f"v.vol{number}+1.par2" for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    return b"".join(recovery_sets(paths, NAMES)[0].written())


def test_each_packet_is_taken_once_from_all_files(tmp_path: Path) -> None:
    whole = _written(tmp_path, GOOD)
    assert GOOD.startswith(whole) and len(GOOD) > len(whole)  # but for who made it
    assert _written(tmp_path, bytes(300_000) + GOOD[:400], b"PAR2\0PKT" + GOOD[:-200] + b"x", GOOD) != b""
    assert sorted(_packets(_written(tmp_path, GOOD, b"-" * 77 + GOOD, GOOD[100:]))) == sorted(_packets(whole))
    (tmp_path / "v.par2").write_bytes(GOOD)
    found = recovery_sets([tmp_path / "v.par2"], NAMES)[0]
    assert (found.block, found.blocks, found.files["v.001"].size, found.size) == (4, 3, 30, len(whole))


def _packets(content: bytes) -> list[bytes]:
    return content.split(b"PAR2\0PKT")[1:]


@pytest.mark.parametrize("before", [0, (1 << 18) - 64, (1 << 18) - 5, (1 << 18) - 1, 1 << 18, (1 << 20) + 3])
def test_packets_are_found_wherever_they_are(tmp_path: Path, before: int) -> None:
    assert _written(tmp_path, bytes(before) + GOOD) == _written(tmp_path, GOOD)


@pytest.mark.parametrize(
    "name",
    [
        b"../../etc/passwd",
        b"/etc/passwd",
        b"v.0011",
        b"w.001",
        b"v.001\0x",
        b"-v.001",
        b"a b\n",
        b"\xff",
        b"v.002/",
        b"V",
    ],
)
def test_a_name_that_is_no_volume_s_is_refused(tmp_path: Path, name: bytes) -> None:
    for content in (recovery_file({name: b"x" * 9}), recovery_file({**CONTENTS, name: b"x" * 9}) + GOOD):
        with pytest.raises(IntegrityError, match="which is none of the files"):
            _written(tmp_path, content)


_ONE = description(b"v.001", b"one")
_ABSURD = {
    "no block's size": recovery_file(CONTENTS, block=0),
    "an odd block": recovery_file(CONTENTS, block=6),
    "too many blocks": recovery_file(CONTENTS, sizes={b"v.001": 4 << 12}),
    "a block larger than all": recovery_file(CONTENTS, block=1 << 21, data=0),
    "far too many blocks": recovery_file(CONTENTS, sizes={b"v.001": (1 << 64) - 1}),
    "no files": packet(md5(main(4, [])), "Main", main(4, [])),
    "nothing in files": recovery_file({b"v.001": b""}),
    "not cut": GOOD[:150],
    "no main packet": packet(bytes(16), "FileDesc", _ONE),
    "one main packet of another set": packet(bytes(16), "Main", main(4, [_ONE[:16]])),
    "a main packet cut short": packet(md5(main(4, [])[:8]), "Main", main(4, [])[:8]),
    "a description that is not padded": packet(md5(main(4, [_ONE[:16]])), "Main", main(4, [_ONE[:16]]))
    + packet(md5(main(4, [_ONE[:16]])), "FileDesc", _ONE[:-3]),
    "no name": recovery_file({b"": b"xyz"}),
    "nothing": b"",
    "zeros": bytes(1 << 20),
    "lengths": b"".join(b"PAR2\0PKT" + size.to_bytes(8, "little") + bytes(48) for size in (0, 3, 64, 1 << 63)),
}


@pytest.mark.parametrize("what", _ABSURD)
def test_absurd_sets_are_refused(tmp_path: Path, what: str) -> None:
    with pytest.raises(IntegrityError, match="is of no use"):
        _written(tmp_path, _ABSURD[what])
    assert _written(tmp_path, _ABSURD[what], GOOD) == _written(tmp_path, GOOD)


def test_descriptions_of_one_file_twice_are_refused(tmp_path: Path) -> None:
    other = description(b"v.001", b"other")
    body = main(4, [_ONE[:16], other[:16]])
    packets = [packet(md5(body), "Main", body), *(packet(md5(body), "FileDesc", one) for one in (_ONE, other))]
    with pytest.raises(IntegrityError, match="is of no use"):
        _written(tmp_path, b"".join(packets))
    body = main(4, [_ONE[:16], _ONE[:16]])
    with pytest.raises(IntegrityError, match="is malformed"):
        _written(tmp_path, packet(md5(body), "Main", body) + packet(md5(body), "FileDesc", _ONE))


def test_packets_that_no_program_needs_are_passed_over(tmp_path: Path) -> None:
    identity = GOOD[32:48]
    unused = (
        packet(identity, "UniFileN", bytes(16) + b"../x"),
        packet(identity, "FileDesc", description(b"../x", b"y")),
        packet(identity, "FileDesc", description(b"v" * 600, b"y")),
        packet(identity, "IFSC", _ONE[:16] + bytes(2000)),
        packet(identity, "IFSC", bytes(16) + bytes(20)),
        packet(identity, "RecvSlic", (9).to_bytes(4, "little") + bytes(400)),
        packet(identity, "Main", main(1 << 60, [bytes(16)])),
        packet(identity, "FileDesc", _ONE, length=1 << 62),
    )
    for one in unused:
        assert _written(tmp_path, one + GOOD) == _written(tmp_path, GOOD)


def test_no_more_blocks_are_taken_than_can_be_lost(tmp_path: Path) -> None:
    assert len(_packets(_written(tmp_path, recovery_file({b"v": b"1234" * 3}, data=9)))) == 5


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "v.par2"
    path.write_bytes(GOOD)
    found = recovery_sets([path], NAMES)[0]
    path.write_bytes(GOOD.replace(b"v.001", b"v/../"))
    with pytest.raises(IntegrityError, match="changed while it was read"):
        list(found.written())


@pytest.mark.slow
def test_lengths_and_numbers_do_not_cost_time_or_memory(tmp_path: Path) -> None:
    size = 1 << 20
    # Each claims the rest of the file.
    heads = b"".join(b"PAR2\0PKT" + (size - at).to_bytes(8, "little") + bytes(48) for at in range(0, size, 64))
    many = b"".join(
        packet(GOOD[32:48], "FileDesc", description(b"v.%d" % number, b"%d" % number)) for number in range(70_000)
    )
    sets = b"".join(packet(md5(b"%d" % number), "FileDesc", _ONE) for number in range(70_000))
    began = time.process_time()
    tracemalloc.start()
    with pytest.raises(IntegrityError):
        _written(tmp_path, heads)
    for content in (many, sets):
        with pytest.raises(IntegrityError):
            _written(tmp_path, content)
    assert tracemalloc.get_traced_memory()[1] < 120_000_000
    tracemalloc.stop()
    assert time.process_time() - began < 30


@settings(PROPERTY, max_examples=examples(200))
@given(data=st.data())
def test_any_damage_leaves_whole_packets_or_nothing(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    content, known = bytearray(GOOD), set(_packets(GOOD))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    at = data.draw(st.integers(0, len(content)))
    more = random.Random(at).randbytes(data.draw(st.integers(0, 90)))
    try:
        seen = _written(tmp_path_factory.getbasetemp(), bytes(content[:at]) + more + bytes(content[at:]))
    except IntegrityError:
        return
    assert set(_packets(seen)) <= known
