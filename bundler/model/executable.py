"""Which platform a program is for, as its first bytes say: ELF, Mach-O, or a script that runs anywhere."""

from __future__ import annotations

import struct

# How many bytes of a file are looked at.
HEAD = 64

# ELF, e_machine: the System V ABI, https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html
_ELF_MACHINES = {62: "amd64", 183: "arm64"}
# e_type: executables, and shared objects, which position-independent executables are too.
_ELF_RUNS = (2, 3)
# Mach-O, cputype: <mach/machine.h>
_MACHO_CPUS = {0x01000007: "amd64", 0x0100000C: "arm64"}


def platform_of(head: bytes) -> str:
    """Return the platform of a program (`linux-amd64`), `script` for one that names its interpreter, or `unknown`."""
    if head.startswith(b"#!"):
        return "script"
    if head.startswith(b"\x7fELF\x02\x01") and len(head) >= 20:  # 64 bits, little-endian
        kind, machine = struct.unpack_from("<HH", head, 16)
        runs = kind in _ELF_RUNS and machine in _ELF_MACHINES
        return f"linux-{_ELF_MACHINES[machine]}" if runs else "unknown"
    if head.startswith(b"\xcf\xfa\xed\xfe") and len(head) >= 8:
        (cpu,) = struct.unpack_from("<I", head, 4)
        return f"darwin-{_MACHO_CPUS[cpu]}" if cpu in _MACHO_CPUS else "unknown"
    return "unknown"
