"""Odd ZIPs by the thousand: every field of every record varied, and bytes changed at random."""

from __future__ import annotations

import struct
from random import Random

from tests.wheels import Member, handmade

_NAMES = [
    b"top/plain", b"top/a b", b"top/a;1", b"top/a;", b"top/a:b", b"top/-x", b"top/@x", b"top/*?[x]", b"top/'\"",
    b"top/a.",
    b"top/CON", b"top/.hidden", b"top/A", b"top/a", b"top/deep/er/x", b"top//x", b"./top/x", b"../x", b"/x", b"", b"/",
    b"top/", b"top/empty/", b"top\\x", b"C:x", b"top/\x00x", b"top/\x07", b"top/\x7f", "top/ü".encode(), b"top/\xfc",
    "top/u\u0308".encode(), "top/\u200e".encode(), "top/\uf0ff".encode(), b"top/\xed\xa0\x80", b"top/" + b"n" * 300,
    b"top/~", b"top/$HOME", b"top/%41", b"top/#U00e9", b"top/x\n", b" top/x", b"top/x ", b"top/...", b"top/x/..",
    b"top/+",
]  # fmt: skip
_EXTRAS = [
    b"", b"", b"", b"UT\x05\x00\x03\x00\x00\x00\x00", b"ux\x0b\x00\x01\x04\x00\x00\x00\x00\x04\x00\x00\x00\x00",
    b"up\x09\x00\x01\x00\x00\x00\x00evil", b"\x01\x00\x10\x00" + struct.pack("<QQ", 4, 4), b"\x0d\x00\x04\x00link",
    b"nu\x00\x00", b"xl\x02\x00\x00\x00", b"\x00", b"PK\x06\x07\x00", b"\x0a\x00\x04\x00\x00\x00\x00\x00",
]  # fmt: skip
_ATTRIBUTES = [0o100644 << 16, 0o100755 << 16, 0, 0x20, 0x08, 0x10, 0x40, 0o40755 << 16 | 0x10, 0o120777 << 16]
_ATTRIBUTES += [0o010644 << 16, 0o104755 << 16, 0o100000 << 16, 0o060644 << 16]
_DATA = [b"", b"text", b"x" * 3000, b"PK\x05\x06" + bytes(18), b"PK\x03\x04" + bytes(60), bytes(range(256))]


def _member(random: Random) -> Member:
    name = random.choice(_NAMES) if random.random() < 0.7 else b"top/m%d" % random.randrange(99)
    made = Member(name, random.choice(_DATA), random.choice([0, 8]))
    if made.name.endswith(b"/") and random.random() < 0.8:
        made.data, made.method, made.attributes = b"", 0, 0o40755 << 16 | 0x10
    made.flags |= 0x800 if not made.name.isascii() and random.random() < 0.8 else 0
    odd = random.random()
    if odd < 0.15:
        made.extra = made.listed_extra = random.choice(_EXTRAS)
    elif odd < 0.25:
        made.attributes = random.choice(_ATTRIBUTES)
    elif odd < 0.32:
        made.flags ^= random.choice([1, 2, 4, 8, 8, 8, 0x20, 0x40, 0x800, 0x2000])
    elif odd < 0.36:
        made.host = random.choice([0, 0, 1, 2, 7, 10, 19])
    elif odd < 0.40:
        made.extra, made.listed_extra = random.choice(_EXTRAS), random.choice(_EXTRAS)
    elif odd < 0.44:
        made.listed = {
            random.choice(["crc", "size", "packed", "needed", "flags", "method"]): random.choice([0, 4, 8, 20])
        }
    elif odd < 0.46:
        made.listed = {"name": random.choice(_NAMES)}
    elif odd < 0.48:
        made.before = random.choice(_DATA)
    elif odd < 0.50:
        made.after = random.choice(_DATA)
    elif odd < 0.52:
        made.comment = random.choice(_DATA)
    elif odd < 0.54:
        made.needed = random.choice([0, 10, 45, 63, 0x314])
    elif odd < 0.56 and made.method == 8:
        made.raw = random.choice(_DATA)
    return made


def odd_zip(random: Random) -> bytes:
    """One of them; about every seventh is a ZIP that everybody reads alike."""
    members = [Member(b"top/first", b"first", 8), *(_member(random) for _ in range(random.randint(1, 3)))]
    odd = random.random()
    words: dict[str, bytes] = {}
    if odd < 0.08:
        words[random.choice(["before", "gap", "behind", "comment", "after"])] = random.choice([*_DATA, b"a" * 40])
    content = handmade(members, reverse=odd > 0.98, **words)  # type: ignore[arg-type]
    if 0.1 < odd < 0.3:
        changed = bytearray(content)
        for _ in range(random.randint(1, 3)):
            changed[random.randrange(len(changed))] = random.choice([0, 1, 8, 0x50, random.randrange(256)])
        content = bytes(changed)
    elif 0.3 < odd < 0.33:
        content = content[: random.randrange(len(content))]
    elif 0.33 < odd < 0.35:
        content += handmade([Member(b"top/other", b"other")])
    return content
