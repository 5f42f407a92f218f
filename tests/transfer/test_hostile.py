"""Deltas that are damaged, or made to do harm: an error that says so, within little time and memory, and no other."""

from __future__ import annotations

import bz2
import hashlib
import io
import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bundler.errors import IntegrityError
from bundler.transfer.applied import header_of, write_applied
from bundler.transfer.delta import write_delta
from bundler.transfer.program import Program
from tests.model.samples import PROPERTY, examples
from tests.transfer.wheels import archive, noise, wheel

OLD = noise("old", 3000) + b"line\n" * 2000


def delta(
    code: bytes,
    new: bytes = b"",
    *,
    old: bytes = OLD,
    size: int | None = None,
    stored: bytes = b"",
    text: bytes = b"",
    differences: bytes = b"",
    text_size: int | None = None,
) -> bytes:
    """A delta of any program and streams."""
    packed = [bz2.compress(code), stored, bz2.compress(text), bz2.compress(differences)]
    sizes = [len(code), len(stored), len(text) if text_size is None else text_size, len(differences)]
    names = ("program", "stored", "text", "differences")
    lines = [
        "aiws-delta 1",
        f"old {hashlib.sha256(old).hexdigest()} {len(old)}",
        f"new {hashlib.sha256(new).hexdigest()} {len(new) if size is None else size} new.bin",
        *(f"{name} {len(one)} {whole}" for name, one, whole in zip(names, packed, sizes, strict=True)),
    ]
    return "".join(f"{line}\n" for line in (*lines, "")).encode() + b"".join(packed)


def applied(tmp_path: Path, content: bytes, old: bytes = OLD) -> bytes:
    """What a delta makes. Raises IntegrityError, and nothing else that is expected."""
    (tmp_path / "old").write_bytes(old)
    (tmp_path / "delta").write_bytes(content)
    out = io.BytesIO()
    write_applied(tmp_path / "old", tmp_path / "delta", "delta", out.write)
    return out.getvalue()


def refused(tmp_path: Path, program: Program | bytes, fault: str, size: int = 1000, **streams: bytes) -> float:
    """It is refused with these words; how many processor seconds that took."""
    code = program if isinstance(program, bytes) else program.end()
    began = time.process_time()
    with pytest.raises(IntegrityError, match=fault):
        applied(tmp_path, delta(code, size=size, **streams))  # type: ignore[arg-type]
    return time.process_time() - began


def program(*steps: tuple[object, ...]) -> Program:
    """A program of instructions by name."""
    made = Program()
    for name, *numbers in steps:
        getattr(made, str(name))(*numbers)
    return made


@pytest.mark.parametrize(
    ("steps", "fault"),
    [
        ([("copy", len(OLD), 1)], "copies from where nothing is"),
        ([("copy", 1 << 40, 1)], "copies from where nothing is"),
        ([("copy", -5, 5)], "copies from where nothing is"),
        ([("copy", 0, 1001)], "makes more than the file has"),
        ([("copy", 0, 0)], "or nothing"),
        ([("copy", 0, 999)], "cut short|does not exist"),
        ([("copy", 0, 1000), ("copy", 0, 1)], "does not end where the file does"),
        ([("stored", 1)], "asks for more stored bytes"),
        ([("text", 1)], "asks for more text"),
        ([("differ", 0, 1)], "asks for more differences"),
        ([("again", 1, 1)], "repeats stored bytes"),
        ([("frame", 0)], "or nothing"),
        ([("frame", 996)], "makes more than the file has"),
        ([("frame", 1)] * 5, "."),
        ([("deflate", 0, 8, 10, 10)], "deflates something too large, or as nothing does"),
        ([("deflate", 6, 10, 10, 10)], "deflates something too large, or as nothing does"),
        ([("deflate", 6, 8, (1 << 24) + 1, 10)], "deflates something too large"),
        ([("deflate", 6, 8, 10, 1), ("copy", 0, 10)], "zlib deflates otherwise"),
        ([("deflate", 6, 8, 10, 500), ("copy", 0, 10)], "zlib deflates otherwise"),
        ([("deflate", 6, 8, 10, 500), ("deflate", 6, 8, 10, 500)], "does not exist, or not here"),
        ([("inflate", 0, 100, 100), ("copy", len(OLD), 100)], "not deflated"),
        ([("inflate", 0, 1 << 25, 1)], "something too large"),
        ([("inflate", 0, 1, 1 << 25)], "something too large"),
        ([("inflate", len(OLD), 1, 1)], "source of what is not there"),
        ([("unframe", 0, len(OLD))], "source of what is not there"),
        ([("unframe", 0, 0)], "too many sources"),
        ([("unframe", 0, 9000 - 5 * number) for number in range(1)] + [("unframe", len(OLD), 9000)], "not there"),
    ],
)
def test_absurd_instructions_are_refused(tmp_path: Path, steps: list[tuple[object, ...]], fault: str) -> None:
    refused(tmp_path, program(*steps), fault)


def test_sources_of_sources_end(tmp_path: Path) -> None:
    steps: list[tuple[object, ...]] = []
    at, size = 0, 9000
    for _ in range(6):
        steps.append(("unframe", at, size))
        at, size = len(OLD) if at == 0 else at + size, size - 5
        at, size = (at, size)
    assert refused(tmp_path, program(*steps), "too many sources|not there") < 1


@pytest.mark.parametrize("code", [b"", b"\x63", b"\xff" * 9, b"\x01\x80", b"\x01" + b"\xff" * 8 + b"\x01"])
def test_programs_that_are_none_are_refused(tmp_path: Path, code: bytes) -> None:
    refused(tmp_path, code, "cut short|does not exist|too large")


def test_bombs_are_refused_before_they_go_off(tmp_path: Path) -> None:
    assert refused(tmp_path, program(("copy", 0, 1000)), "far more than the old file and it have", 10**14) < 1
    # A few bytes of bzip2 for gigabytes: only what is asked for is unpacked.
    bomb = delta(program(("text", 1000)).end(), size=1000, text=bytes(1 << 26), text_size=1000)
    began = time.process_time()
    with pytest.raises(IntegrityError, match="longer than it says"):
        applied(tmp_path, bomb)
    with pytest.raises(IntegrityError, match="longer than it says"):
        applied(tmp_path, delta(bytes(1 << 23) + b"\1", size=1000).replace(b" 8388609\n", b" 8388608\n"))
    assert time.process_time() - began < 5


def test_much_work_for_little_is_refused(tmp_path: Path) -> None:
    # Two large members that push each other out, inflated anew for every byte that is copied.
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = deflate.compress(bytes(1 << 24)) + deflate.flush()
    steps: list[tuple[object, ...]] = [("inflate", 0, len(packed), 1 << 24)] * 3
    for number in range(3000):
        steps.append(("copy", len(packed) + (number % 3 << 24), 1))
    began = time.process_time()
    with pytest.raises(IntegrityError, match="far more than the file needs"):
        applied(tmp_path, delta(program(*steps).end(), size=3000, old=packed), packed)
    assert time.process_time() - began < 20
    tiny = zlib.compressobj(9, zlib.DEFLATED, -15)
    one = tiny.compress(b"x") + tiny.flush()
    many = [("inflate", 0, len(one), 1)] * 65_535
    assert refused_for(tmp_path, [*many, *(("copy", len(one) + number, 1) for number in range(65_535))], one) < 20


def refused_for(tmp_path: Path, steps: list[tuple[object, ...]], old: bytes) -> float:
    """As `refused`, of another old file."""
    began = time.process_time()
    with pytest.raises(IntegrityError):
        applied(tmp_path, delta(program(*steps).end(), size=65_535, old=old), old)
    return time.process_time() - began


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes, bytes, bytes]:
    """An old archive, a new one, and both deltas between."""
    folder = tmp_path_factory.mktemp("real")
    words = b"".join(b"def f%d(): return %d\n" % (number * 7919 % 1000, number) for number in range(900))
    kept = {"k-1-py3-none-any.whl": wheel("k", {"k": noise("k", 90_000)})}
    old = archive(folder / "old/x.tar.gz", {**kept, "a-1-py3-none-any.whl": wheel("a", {"m.py": words})})
    new = archive(
        folder / "new/x.tar.gz",
        {**kept, "a-2-py3-none-any.whl": wheel("a", {"m.py": words[:9000] + b"#\n" + words[9000:]})},
    )
    made, plain = write_delta(old, new, folder), write_delta(old, new, folder, plain=True)
    assert made
    assert plain
    return old.read_bytes(), new.read_bytes(), made.path.read_bytes(), plain.path.read_bytes()


@settings(PROPERTY, max_examples=examples(200))
@given(data=st.data())
def test_damage_is_refused_or_does_no_harm(
    real: tuple[bytes, bytes, bytes, bytes], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    old, new, *deltas = real
    content = bytearray(data.draw(st.sampled_from(deltas)))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.one_of(st.none(), st.integers(0, len(content))))
    made = _made_or_refused(tmp_path_factory.getbasetemp(), bytes(content[:cut]), old)
    assert made in (None, new)


_NUMBERS = st.one_of(st.integers(0, 300), st.integers(0, len(OLD) + 70_000), st.integers(0, 1 << 57))


@settings(PROPERTY, max_examples=examples(200))
@given(
    steps=st.lists(st.tuples(st.integers(0, 10), st.lists(_NUMBERS, max_size=4)), max_size=30),
    size=st.integers(0, 70_000),
)
def test_any_program_ends(
    steps: list[tuple[int, list[int]]], size: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    made = Program()
    for code, numbers in steps:
        made._put(code, *numbers)
    content = delta(made.end(), size=size, stored=b"s" * 100, text=b"t" * 100, differences=b"\1" * 100)
    assert _made_or_refused(tmp_path_factory.getbasetemp(), content, OLD) in (None, b"")


def _made_or_refused(folder: Path, content: bytes, old: bytes) -> bytes | None:
    try:
        return applied(folder, content, old)
    except IntegrityError:
        return None


def test_headers_are_of_one_form_only(tmp_path: Path) -> None:
    whole = delta(program(("copy", 0, 1000)).end(), OLD[:1000])
    assert applied(tmp_path, whole) == OLD[:1000]
    for old, new in (
        (b"aiws-delta 1\n", b"aiws-delta 2\n"),
        (b" 1000 new.bin", b" 01000 new.bin"),
        (b" 1000 new.bin", b" 1000 ../new.bin"),
        (b" 1000 new.bin", b" 1000 .new"),
        (b"\nstored 0 0\n", b"\nstored 0 1\n"),
        (b"\nstored 0 0\n", b"\n"),
        (b"\n\n", b"\nmore 1\n\n"),
    ):
        (tmp_path / "d").write_bytes(whole.replace(old, new, 1))
        with pytest.raises(IntegrityError):
            header_of(tmp_path / "d", "d")


_WORST = """
import sys; sys.path.insert(0, "."); from pathlib import Path
from bundler.transfer.apply_delta import main
sys.argv = ["apply", "old", "delta"]; code = main()
# Of this program alone: ru_maxrss tells what whoever started it had, too.
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
print(code, peak.split()[1])
"""


@pytest.mark.slow
def test_the_worst_keeps_to_its_memory(tmp_path: Path) -> None:
    # Members of the largest size, as they are and packed: inflated anew each time, each byte of them changed, deflated.
    size = (1 << 24) - (1 << 13)
    member = noise("member", size)
    changed = member.translate(bytes((byte + 1) % 256 for byte in range(256)))
    packed, again = _deflated(member, 9, 8), _deflated(changed, 1, 9)
    assert max(len(packed), len(again)) <= 1 << 24
    # Many sources besides.
    steps: list[tuple[object, ...]] = [("unframe", 0, 9000)] * 30_000
    base = len(packed) + 30_000 * 9000
    steps += [("inflate", 0, len(packed), size)] * 4
    for number in range(4):
        steps += [("deflate", 1, 9, size, len(again)), ("differ", base + number * size, size)]
    (tmp_path / "old").write_bytes(packed)
    content = delta(program(*steps).end(), again * 4, old=packed, differences=b"\1" * 4 * size)
    (tmp_path / "delta").write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-c", _WORST.replace('"."', repr(str(Path.cwd())))],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    code, memory = done.stdout.split()[-2:]
    assert code == "0", done
    assert (tmp_path / "new.bin").read_bytes() == again * 4
    assert 80 << 10 < int(memory) < 150_000_000 >> 10


def _deflated(content: bytes, level: int, memory: int) -> bytes:
    deflate = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS, memory)
    return deflate.compress(content) + deflate.flush()
