"""A stand-in for a portable CPython of macOS: its layout, and Mach-O files that are judged good. None of it runs."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from tests.mach_o import LIBRARY, PROGRAM, thin


def mac_python(path: Path, minor: str = "3.13") -> Path:
    """Write an archive as python-build-standalone's for aarch64-apple-darwin are."""
    library = f"python/lib/python{minor}"
    files = {
        f"python/bin/python{minor}": (thin(kind=PROGRAM), 0o755),
        f"python/lib/libpython{minor}.dylib": (thin(kind=LIBRARY), 0o755),
        f"{library}/lib-dynload/_x.cpython-{minor.replace('.', '')}-darwin.so": (thin(), 0o755),
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
