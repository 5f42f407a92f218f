"""A stand-in for a portable CPython of macOS: its layout, and files that begin as its programs do. None of it runs."""

from __future__ import annotations

import io
import struct
import tarfile
from pathlib import Path

_MAGIC, _ARM64 = 0xFEEDFACF, 0x0100000C
_EXECUTE, _DYLIB, _BUNDLE = 2, 6, 8


def macho(kind: int = _EXECUTE) -> bytes:
    """The head of a Mach-O file for arm64, <mach-o/loader.h>, and nothing that it would load."""
    return struct.pack("<8I", _MAGIC, _ARM64, 0, kind, 0, 0, 0, 0)


def mac_python(path: Path, minor: str = "3.13") -> Path:
    """Write an archive as python-build-standalone's for aarch64-apple-darwin are."""
    library = f"python/lib/python{minor}"
    files = {
        f"python/bin/python{minor}": (macho(), 0o755),
        f"python/lib/libpython{minor}.dylib": (macho(_DYLIB), 0o755),
        f"{library}/lib-dynload/_x.cpython-{minor.replace('.', '')}-darwin.so": (macho(_BUNDLE), 0o755),
        f"{library}/os.py": (b"", 0o644),
        f"{library}/site-packages/pip/__init__.py": (b"", 0o644),
        f"{library}/test/test_os.py": (b"", 0o644),
    }
    with tarfile.open(path, "w:gz") as archive:
        for name, (content, mode) in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), mode
            archive.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo("python/bin/python3")
        link.type, link.linkname = tarfile.SYMTYPE, f"python{minor}"
        archive.addfile(link)
    return path
