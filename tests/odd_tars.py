"""Tars as nobody should make them, from a seed: every field in forms that programs may read differently."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

BLOCK = 512
POSIX, GNU = b"ustar\x0000", b"ustar  \0"


@dataclass
class Head:
    """A header, not yet checked by anybody."""

    name: bytes = b"top/file"
    kind: bytes = b"0"
    content: bytes = b""
    link: bytes = b""
    magic: bytes = POSIX
    prefix: bytes = b""
    mode: bytes = b"0000644\0"
    uid: bytes = b"0000000\0"
    gid: bytes = b"0000000\0"
    size: bytes | None = None
    mtime: bytes = b"00000000000\0"
    uname: bytes = b"root"
    gname: bytes = b"root"
    major: bytes = b"0000000\0"
    minor: bytes = b"0000000\0"
    rest: bytes = b""
    checksum: Callable[[bytes], bytes] = field(default=lambda block: b"%06o\0 " % sum(block))
    padding: bytes = b"\0"

    def packed(self) -> bytes:
        size = b"%011o\0" % len(self.content) if self.size is None else self.size
        fields = (
            (self.name, 100), (self.mode, 8), (self.uid, 8), (self.gid, 8), (size, 12), (self.mtime, 12),
            (b" " * 8, 8), (self.kind, 1), (self.link, 100), (self.magic, 8), (self.uname, 32), (self.gname, 32),
            (self.major, 8), (self.minor, 8), (self.prefix, 155), (self.rest, 12),
        )  # fmt: skip
        block = b"".join(value[:width].ljust(width, b"\0") for value, width in fields)
        block = block[:148] + self.checksum(block)[:8].ljust(8, b"\0") + block[156:]
        return block + self.content + self.padding * (-len(self.content) % BLOCK)


def pax(*records: tuple[bytes, bytes]) -> Head:
    return Head(name=b"PaxHeader/x", kind=b"x", content=b"".join(record(*one) for one in records))


def record(key: bytes, value: bytes) -> bytes:
    length = len(key) + len(value) + 3
    while (whole := len(str(length)) + len(key) + len(value) + 3) != length:
        length = whole
    return b"%d %b=%b\n" % (length, key, value)


def long(kind: bytes, name: bytes) -> Head:
    return Head(name=b"././@LongLink", kind=kind, content=name + b"\0", magic=GNU)


def tar(*heads: Head, end: bytes = bytes(1024)) -> bytes:
    return b"".join(head.packed() for head in heads) + end


NAMES = [
    b"a", b"b c", "ü".encode(), b"x" * 90, b"-n", b"@x", b"~", b"*", b"[a]", b"a:b", b"c:", b"dot.", b"space ", b"%s",
    b"CON", b".hidden", b"...", b"'q\"", b"$HOME", b"!x", b"=", b"a,b", "日本".encode(), b" lead", b"x|y", b"<>",
]  # fmt: skip
ODD_NAMES = [
    b"./a", b"a//b", b"../a", b"a/../b", b"/abs", b"", b".", b"a\\b", b"a\nb", b"a\x1bb", b"\xff\xfe", b"a/.", b"a/",
    b"a//", b"a\0b", b"y" * 256, b"\x7f", "\u202e".encode(), b"a/./b",
]  # fmt: skip
NUMBERS: list[Callable[[int, int], bytes]] = [
    lambda n, w: b"%0*o\0" % (w - 1, n),
    lambda n, w: b"%0*o " % (w - 1, n),
    lambda n, w: b"%*o \0" % (w - 2, n),
    lambda n, w: b"%0*o \0" % (w - 2, n),
    lambda n, w: b"%o\0" % n,
    lambda n, w: b"%o " % n,
]
ODD_NUMBERS: list[Callable[[int, int], bytes]] = [
    lambda n, w: b"%0*o" % (w, n),
    lambda n, w: b"",
    lambda n, w: b" " * w,
    lambda n, w: b"\0%o\0" % n,
    lambda n, w: b"0o%o\0" % n,
    lambda n, w: b"+%o\0" % n,
    lambda n, w: b"-%o\0" % n,
    lambda n, w: b"%o_0\0" % n,
    lambda n, w: b"%o x\0" % n,
    lambda n, w: b"%o8\0" % n,
    lambda n, w: b"\t%o\0" % n,
    lambda n, w: b"%o\0%o" % (n, n + 1),
    lambda n, w: b"\x80" + n.to_bytes(w - 1, "big"),
    lambda n, w: b"\xff" * w,
    lambda n, w: b"%o\n\0" % n,
]
MAGICS = [b"", b"ustar\0  ", b"ustar\0\0\0", b"ustar 00", b"ustar  0", b"USTAR\x0000", b"ustar\x0001", b"ustar00\0"]
KINDS = [
    b"0",
    b"\0",
    b"5",
    b"2",
    b"1",
    b"7",
    b"3",
    b"4",
    b"6",
    b"S",
    b"D",
    b"M",
    b"V",
    b"N",
    b"X",
    b"g",
    b"Z",
    b"8",
    b" ",
]


class Maker:
    """Cases from one seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def case(self) -> bytes:
        pick = self._random
        gnu = pick.random() < 0.4
        parts, files = [Head(name=b"top/", kind=b"5", mode=b"0000755\0", magic=GNU if gnu else POSIX)], [b"top/f0"]
        parts.append(Head(name=b"top/f0", content=b"zero", mode=b"0000755\0", magic=GNU if gnu else POSIX))
        odd = pick.random() < 0.55
        for number in range(pick.randint(1, 3)):
            parts += self._member(number, files, gnu=gnu, odd=odd and pick.random() < 0.6)
        if not gnu and pick.random() < 0.1:
            note = b"a" * pick.choice([40, 40, 64, 39])
            parts.insert(pick.choice([0, 0, 1]), Head(b"pax_global_header", b"g", record(b"comment", note)))
        return b"".join(part.packed() for part in parts) + self._end(odd=odd and pick.random() < 0.15)

    def _member(self, number: int, files: list[bytes], *, gnu: bool, odd: bool) -> list[Head]:
        pick = self._random
        kind = pick.choice([b"0", b"0", b"0", b"\0", b"5", b"2", b"1"])
        base = pick.choice(ODD_NAMES if odd and pick.random() < 0.2 else NAMES)
        name = pick.choice([b"top/", b"top/d/", b"top/" + b"deep/" * 6]) + b"%d" % number + base
        if pick.random() < 0.25:
            name += b"/" + b"n" * pick.choice([60, 95, 99, 100, 101, 120])
        head = Head(name, kind, magic=GNU if gnu else POSIX)
        head.mode = pick.choice([b"0000644\0", b"0000755\0", b"0100644\0", b"000755 \0", b"0000700\0"])
        if kind in b"0\0":
            head.content = pick.randbytes(pick.choice([0, 1, 511, 512, 513, 1500]))
            files.append(name)
        elif kind == b"5":
            head.name += pick.choice([b"", b"/"])
        elif kind == b"2":
            head.link = pick.choice([b"f0", b"./f0", b"no", b"../f0", b"x" * 99, b"x" * 150])
        else:
            head.link, head.mode = b"top/f0", b"0000755\0"
        for what, width in (("uid", 8), ("gid", 8), ("mtime", 12), ("major", 8), ("minor", 8)):
            setattr(head, what, pick.choice(NUMBERS)(pick.choice([0, 8, 1000]), width))
        if pick.random() < 0.2:
            head.uid = head.gid = head.major = head.minor = b""
        heads = self._named(head, gnu=gnu)
        for _ in range(pick.choice([1, 1, 1, 2]) if odd else 0):
            self._mutate(heads, name)
        return heads

    def _named(self, head: Head, *, gnu: bool) -> list[Head]:
        """The header with what its name and link need before it."""
        pick, name, link = self._random, head.name, head.link
        before: list[Head] = []
        forced = pick.random() < 0.15
        if gnu:
            both = [long(b"L", name)] if len(name) > 100 or forced else []
            if len(link) > 100 or (link and forced):
                both.insert(pick.choice([0, 1]), long(b"K", link))
            return [*both, head]
        records = []
        cut = name.rfind(b"/", 0, 156)
        if len(name) > 100 and cut > 0 and len(name) - cut - 1 in range(1, 101) and pick.random() < 0.5:
            head.prefix, head.name = name[:cut], name[cut + 1 :]
        elif len(name) > 100 or forced:
            records.append((b"path", name))
        if len(link) > 100 or (link and forced):
            records.append((b"linkpath", link))
        if pick.random() < 0.15:
            records += [(b"mtime", b"1234.5"), (b"uid", b"7")][: pick.randint(1, 2)]
        if head.kind in b"0\0" and pick.random() < 0.05:
            records.append((b"size", b"%d" % len(head.content)))
        pick.shuffle(records)
        return [*before, *([pax(*records)] if records else []), head]

    def _mutate(self, heads: list[Head], name: bytes) -> None:
        pick, head = self._random, self._random.choice(heads)
        other = pick.choice([b"top/other", b"top/other/", b"top/f0", b"other", b"top/" + b"o" * 120, b"../out", b""])
        before = heads.index(head)
        match pick.randint(0, 15):
            case 0:
                what, width = pick.choice([("mode", 8), ("uid", 8), ("size", 12), ("mtime", 12), ("major", 8)])
                value = len(head.content) if what == "size" else 0o644
                setattr(head, what, pick.choice(ODD_NUMBERS)(value, width))
            case 1:
                head.magic = pick.choice([*MAGICS, POSIX, GNU])
            case 2:
                head.prefix = pick.choice([b"top", b"top/", b"pre", b"\0x", b"p" * 155, b"top/" + b"q" * 126, b"a\0b"])
            case 3:
                head.kind = pick.choice(KINDS)
            case 4:
                head.checksum = pick.choice([
                    lambda block: b"%06o\0 " % (sum(block) + 1),
                    lambda block: b"%07o\0" % sum(block),
                    lambda block: b"%6o \0" % sum(block),
                    lambda block: b"%08o" % sum(block),
                    lambda block: b"%06o\0 " % sum(byte - 256 if byte > 127 else byte for byte in block),
                    lambda block: b"",
                ])  # fmt: skip
            case 5:
                heads.insert(before, long(pick.choice([b"L", b"K"]), other))
            case 6:
                key = pick.choice([b"path", b"linkpath", b"size", b"mtime", b"GNU.sparse.name", b"hdrcharset", b"x.y"])
                said = pick.choice([other, b"0", b"7", b"-1", b"BINARY", b"1e3", b"5", b"\xff", b"a\nb", b"a\0b"])
                heads.insert(before, pax((key, said)))
            case 7:
                records = [(b"path", name), (pick.choice([b"path", b"mtime", b"size", b"uname"]), other)]
                heads.insert(before, pax(*records))
            case 8:
                head.content = pick.choice([head.content + b"x" * 600, b"", head.content[:-1], head.content * 2])
            case 9:
                head.padding = b"x"
            case 10:
                head.link = pick.choice([b"top/f0", b"f0", b"/etc/passwd", b"../../x", b"a/../b", b"top/f0/", b""])
            case 11:
                head.content = pick.choice([
                    name, name + b"\0\0", name + b"\0x", b"\0" + name, b"9 path=x\n", b"012 path=abc\n", b"11 path=ab",
                    b"12 path=abc\n\0", b"12 path=abc\n12 path=abd\n", b"12 path=abc\n " * 2, b"8 path=\n",
                ])  # fmt: skip
            case 12:
                head.name = pick.choice([head.name + b"/", head.name + b"\0x", other, head.name.upper(), b"x" * 100])
            case 13:
                head.rest = pick.choice([b"\0" * 8 + b"tar\0", b"x", b" "])
            case 14:
                head.uname = pick.choice([b"\xff", b"u" * 32, b"", b"a\0b", b"root\n"])
            case _:
                heads.insert(
                    before, pick.choice([Head(b"", b"0"), Head(name), Head(name, b"5"), Head(other, b"2", link=b"f0")])
                )

    def _end(self, *, odd: bool) -> bytes:
        if not odd:
            return bytes(512 * self._random.choice([2, 2, 3, 20, 40]))
        late = Head(b"top/late", content=b"late").packed()
        return self._random.choice([
            b"", bytes(512), bytes(1024) + b"x", bytes(1024) + late, bytes(512) + late + bytes(1024), bytes(1000), late,
            bytes(1100), bytes(10240) + late + bytes(1024), late[:700],
        ])  # fmt: skip
