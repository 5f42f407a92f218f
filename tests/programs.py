"""Programs of a few hundred bytes: they write a text, and end."""

from __future__ import annotations

import struct

from bundler.words import Arch

_BASE, _HEADERS = 0x400000, 64 + 56
# write(1, text, length), exit(0): the text follows the code.
_CODE: dict[Arch, bytes] = {
    "amd64": bytes.fromhex("b801000000bf01000000488d3516000000ba00000000")
    + bytes.fromhex("0f05b83c00000031ff0f05")
    + b"\x90" * 6,
    "arm64": struct.pack(
        "<9I", 0xD2800808, 0xD2800020, 0x100000E1, 0xD2800002, 0xD4000001, 0xD2800BA8, 0xD2800000, 0xD4000001, 0
    ),
}


def elf(text: str, arch: Arch = "amd64") -> bytes:
    """A static ELF program for Linux that writes `text`, whatever it is asked."""
    code, said = bytearray(_CODE[arch]), text.encode()
    if arch == "amd64":
        struct.pack_into("<i", code, 13, len(code) - 17)  # lea rsi, [rip + …]
        struct.pack_into("<I", code, 18, len(said))
    else:
        struct.pack_into("<I", code, 8, 0x10000001 | (len(code) - 8) // 4 << 5)  # adr x1, …
        struct.pack_into("<I", code, 12, 0xD2800002 | len(said) << 5)
    content = bytes(code) + said
    size = _HEADERS + len(content)
    machine = {"amd64": 62, "arm64": 183}[arch]
    header = b"\x7fELF\x02\x01\x01" + bytes(9)
    header += struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, _BASE + _HEADERS, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, size, size, 0x1000)
    return header + segment + content
