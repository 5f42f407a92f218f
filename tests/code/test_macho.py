"""Mach-O files read: what they say of themselves, and whatever they may say wrongly."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bundler.code.macho import is_macho, read_macho
from bundler.code.values import Code, Library, Slice
from tests import mach_o
from tests.mach_o import SYSTEM, Directory, command, fat, library, old_version, place, signed, thin, version
from tests.model.samples import PROPERTY, examples


def read(content: bytes) -> Code | None:
    assert is_macho(content[:64])
    return read_macho(lambda offset, size: content[offset : offset + size], len(content))


def only(content: bytes) -> Slice:
    code = read(content)
    assert code is not None
    assert code.fault == ""
    (one,) = code.slices
    return one


def test_what_a_file_says_of_itself() -> None:
    commands = (
        version((11, 3)),
        library(SYSTEM),
        library("@rpath/a.dylib", 0x80000018),
        library("@rpath/b.dylib", 0x8000001F),
        library("c.dylib", 0x20),
        library("/d.dylib", 0x80000023),
        library("@rpath/itself.dylib", 0x0D),
        place("@loader_path/.dylibs"),
    )
    assert only(thin(*commands, kind=mach_o.LIBRARY)) == Slice(
        "arm64",
        program=False,
        system=1,
        minimum=(11, 3, 0),
        libraries=(
            Library(SYSTEM),
            Library("@rpath/a.dylib", weak=True),
            Library("@rpath/b.dylib"),
            Library("c.dylib"),
            Library("/d.dylib"),
        ),
        places=("@loader_path/.dylibs",),
        signed=True,
    )
    assert only(thin(kind=mach_o.PROGRAM)).program


def test_a_library_of_the_newer_command_may_be_missing_by_its_flag() -> None:
    body = struct.pack("<IIIII", 28, 0x1A741800, 0, 0x10000, 1) + b"/x.dylib\0\0\0\0"
    assert only(thin(command(0x0C, body))).libraries == (Library("/x.dylib", weak=True),)


@pytest.mark.parametrize(
    ("commands", "system", "minimum"),
    [
        ([old_version((10, 13))], 1, (10, 13, 0)),
        ([old_version((14, 0), 0x25)], 2, (14, 0, 0)),
        ([version((14, 0), 6)], 6, (14, 0, 0)),
        ([version((14, 0), 6), version((11, 0))], 1, (11, 0, 0)),
        ([old_version((10, 9)), version((12, 0))], 1, (10, 9, 0)),
        ([library(SYSTEM)], None, None),
    ],
)
def test_the_oldest_system(commands: Sequence[bytes], system: int | None, minimum: tuple[int, int, int] | None) -> None:
    one = only(thin(*commands))
    assert (one.system, one.minimum) == (system, minimum)


@pytest.mark.parametrize("wide", [False, True])
def test_a_universal_file_has_a_slice_for_each_processor(wide: bool) -> None:
    content = fat(thin(cpu="amd64", sign=None), thin(version((12, 0))), thin(cpu="arm64e"), wide=wide)
    code = read(content)
    assert code is not None
    assert [(one.arch, one.signed, one.signature) for one in code.slices] == [("amd64", False, ""), ("arm64", True, "")]


@pytest.mark.parametrize(
    "content",
    [thin(cpu="ppc"), thin(cpu="arm64e"), thin(magic=0xFEEDFACE), fat(thin(cpu="ppc"))],
    ids=["other processor", "arm64e", "32 bits", "universal"],
)
def test_code_for_others_alone_has_no_slice(content: bytes) -> None:
    assert read(content) == Code()


@pytest.mark.parametrize(
    "content",
    [
        thin(kind=mach_o.OBJECT),
        thin(kind=mach_o.DEBUGGING),
        thin(kind=mach_o.OBJECT, magic=0xFEEDFACE),
        fat(b"!<arch>\n" + bytes(100), cpus=["arm64"]),
        fat(thin(kind=mach_o.OBJECT)),
    ],
    ids=["object", "dSYM", "object of 32 bits", "static library", "universal object"],
)
def test_what_is_not_loaded_is_no_code(content: bytes) -> None:
    assert read(content) is None


def test_heads() -> None:
    assert not is_macho(struct.pack(">II", 0xCAFEBABE, 61) + bytes(56))  # a class of Java 17
    assert not is_macho(b"\x7fELF" + bytes(60))
    assert not is_macho(b"")


def _with(content: bytes, at: int, value: int, form: str = "<I") -> bytes:
    packed = struct.pack(form, value)
    return content[:at] + packed + content[at + len(packed) :]


BLOB = b"\xfa\xde\x0c\x01\0\0\0\x0c...."
_FAT = fat(thin(cpu="amd64"), thin())
MALFORMED = {
    "nothing but its magic": (thin()[:4], "it is cut short"),
    "a header cut short": (thin()[:31], "it is cut short"),
    "commands cut short": (thin()[:60], "load commands take"),
    "commands beyond the file": (_with(thin(), 20, 0xFFFFFFFF), "load commands take"),
    "more commands than room": (thin(number=1 << 31), "load commands are cut short"),
    "a command of no size": (_with(thin(), 36, 0), "no size that could be"),
    "a command beyond all": (_with(thin(), 36, 0xFFFFFFFC), "no size that could be"),
    "a command of odd size": (_with(thin(), 36, 9), "no size that could be"),
    "a version cut short": (thin(command(0x32, bytes(8))), "is cut short"),
    "a library cut short": (thin(command(0x0C, bytes(8))), "is cut short"),
    "a name within its command's head": (thin(command(0x0C, struct.pack("<IIII", 8, 0, 0, 0))), "names nothing"),
    "a name beyond its command": (thin(command(0x0C, struct.pack("<IIII", 1 << 31, 0, 0, 0))), "names nothing"),
    "a name that is no text": (thin(library("\udc80".encode("utf-8", "surrogatepass").decode("latin-1"))), "nothing"),
    "a name without end": (thin(command(0x8000001C, struct.pack("<I", 12) + b"/usr")), "names nothing"),
    "a name of a mile": (thin(library("x" * 2000)), "names nothing"),
    "very many libraries": (thin(*[library("/x")] * 1001, size=60_000), "more than 1000 libraries"),
    "two signatures": (thin(command(0x1D, bytes(8))), "two signatures"),
    "no slices": (fat(), "it has 0 slices"),
    "slices beyond the file": (_FAT[:0x5000], "do not stand in it"),
    "slices over each other": (_with(_FAT, 8 + 20 + 8, 0x4010, ">I"), "overlap"),
    "a slice over the header": (_with(_FAT, 8 + 8, 8, ">I"), "overlap"),
    "a slice of no size": (_with(_FAT, 8 + 12, 0, ">I"), "do not stand in it"),
    "an absurd slice": (
        _with(fat(thin(), wide=True), 8 + 8, (1 << 64) - 1, ">Q"),
        "do not stand in it",
    ),
    "fewer slices than said": (fat(thin(), number=16), "overlap"),
    "two slices of one processor": (fat(thin(), thin()), "two slices"),
    "a slice of another processor": (fat(thin(cpu="amd64"), cpus=["arm64"]), "different processors"),
    "a slice of something else": (fat(b"x" * 100, cpus=["arm64"]), "no Mach-O"),
}


@pytest.mark.parametrize("what", MALFORMED)
def test_malformed(what: str) -> None:
    content, fault = MALFORMED[what]
    code = read(content)
    assert code is not None
    assert fault in code.fault
    assert code.slices == ()


@pytest.mark.parametrize("page", [12, 14])
@pytest.mark.parametrize("kinds", [(1,), (2,), (3,), (4,), (1, 2)])
def test_good_signatures(kinds: Sequence[int], page: int) -> None:
    def sign(code: bytes) -> bytes:
        return signed(
            code, *(Directory(kind, page) for kind in kinds), special=[b"", b"\xfa\xde\x0c\x01\0\0\0\x0c...."]
        )

    one = only(thin(sign=sign, size=40_000))
    assert (one.signed, one.signature) == (True, "")


def test_a_directory_may_stand_alone_and_its_limit_have_64_bits() -> None:
    assert only(thin(sign=Directory().blob)).signature == ""
    assert only(thin(sign=lambda code: Directory(limit=0, long_limit=len(code)).blob(code))).signature == ""


def test_code_without_a_signature() -> None:
    one = only(thin(sign=None))
    assert (one.signed, one.signature) == (False, "")


@pytest.mark.parametrize("at", [40, 4095, 4096, 8999])
def test_a_byte_that_was_changed_is_found(at: int) -> None:
    content = bytearray(thin())
    content[-1000 if at < 0 else at] ^= 1
    code = read(bytes(content))
    assert code is not None
    assert code.fault or f"page {at // 4096}, at byte {at // 4096 * 4096} of the code" in code.slices[0].signature


def test_a_byte_of_a_slice_that_was_changed_is_found_in_that_slice() -> None:
    content = bytearray(_FAT)
    content[0x8000 + 5000] ^= 1
    code = read(bytes(content))
    assert code is not None
    assert [bool(one.signature) for one in code.slices] == [False, True]


def _requirements(code: bytes, *, other: bool) -> bytes:
    content = signed(code, special=[b"", BLOB])
    return content.replace(b"....", b"!!!!") if other else content


SIGNATURES = {
    "nothing": (lambda code: b"\0" * 20, "none that macOS knows"),
    "cut short": (lambda code: signed(code)[:8], "cut short"),
    "longer than it is": (lambda code: signed(code)[:-10], "none that macOS knows"),
    "no directory": (lambda code: mach_o.super_blob([(2, BLOB)]), "no CodeDirectory"),
    "two of a kind": (lambda code: signed(code, Directory(), Directory()), "two CodeDirectories"),
    "very many blobs": (lambda code: struct.pack(">III", 0xFADE0CC0, 12, 1 << 31), "none that macOS knows"),
    "a blob beyond": (
        lambda code: struct.pack(">IIIII", 0xFADE0CC0, 20, 1, 0, 1 << 31),
        "cut short",
    ),
    "a blob of no size": (lambda code: mach_o.super_blob([(0, bytes(8))]), "list of blobs"),
    "a blob twice": (lambda code: mach_o.super_blob([(0, Directory().blob(code))] * 2), "list of blobs"),
    "another form": (lambda code: mach_o.super_blob([(0, Directory().blob(code))], 0xFADE0CC1), "none that macOS"),
    "hashes of another size": (lambda code: signed(code, Directory(size=20)), "does not know"),
    "a page of a byte": (lambda code: signed(code, Directory(page=16)), "2**16 bytes"),
    "scattered": (lambda code: signed(code, Directory(scatter=88)), "scattered"),
    "more hashes than there are": (lambda code: signed(code, Directory(slots=1 << 31)), "do not stand in it"),
    "fewer pages": (
        lambda code: signed(code, Directory(slots=2)),
        "9008 bytes in 2 pages, the code before it",
    ),
    "a part of the code": (lambda code: signed(code, Directory(limit=4096)), "4096 bytes in 3 pages"),
    "an absurd limit": (lambda code: signed(code, Directory(long_limit=1 << 63)), "9223372036854775808 bytes"),
    "another blob than it hashes": (lambda code: _requirements(code, other=True), "its own blob 2"),
}


@pytest.mark.parametrize("what", SIGNATURES)
def test_bad_signatures(what: str) -> None:
    sign, fault = SIGNATURES[what]
    one = only(thin(sign=sign))
    assert one.signed
    assert fault in one.signature


@pytest.mark.parametrize(("at", "length"), [(0xFFFFFFF0, 100), (9008, 0), (9008, 0xFFFFFFFF), (0, 64 << 20)])
def test_a_signature_that_stands_nowhere(at: int, length: int) -> None:
    one = only(thin(command(0x1D, struct.pack("<II", at, length)), sign=None))
    assert "and the code ends at" in one.signature


SEEDS = (thin(), _FAT, fat(thin(), wide=True), thin(sign=Directory(1).blob))


@given(st.sampled_from(SEEDS), st.lists(st.tuples(st.integers(0, 400), st.binary(min_size=1, max_size=9)), max_size=6))
@settings(PROPERTY, max_examples=examples(300))
def test_whatever_it_holds_there_is_an_answer_and_little_is_read(
    seed: bytes, changes: Sequence[tuple[int, bytes]]
) -> None:
    content = bytearray(seed)
    for at, new in changes:
        # Headers, commands and the signature: at the beginning of the file, of a slice, and at the end.
        for start in (0, 0x4000, len(seed) - 500):
            content[start + at : start + at + len(new)] = new
    taken = 0

    def reading(offset: int, size: int) -> bytes:
        nonlocal taken
        assert offset >= 0
        assert size <= len(content) + (1 << 20)
        found = bytes(content[offset : offset + size])
        taken += len(found)
        return found

    if is_macho(bytes(content[:64])):
        code = read_macho(reading, len(content))
        assert code is None or code.memory() < 200_000
    assert taken <= 4 * len(content)


@given(st.sampled_from(SEEDS), st.integers(0, 40_000))
def test_cut_anywhere_it_is_never_good(seed: bytes, size: int) -> None:
    content = seed[: size % len(seed)]
    if not is_macho(content[:64]):
        return
    code = read_macho(lambda offset, wanted: content[offset : offset + wanted], len(content))
    last_is_padding = seed.startswith(b"\xca\xfe")
    assert code is None or code.fault or any(one.signature for one in code.slices) or last_is_padding
