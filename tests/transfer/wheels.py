"""Archives, wheels and noise for deltas."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

from bundler.adapters.archive import write_archive
from bundler.model.bundle import Bundle, File, Slice


def noise(seed: str, size: int) -> bytes:
    """Bytes that nothing makes smaller, always the same for a seed."""
    return hashlib.shake_128(seed.encode()).digest(size)


def wheel(project: str, files: Mapping[str, bytes], version: str = "1") -> bytes:
    """A ZIP with the files and some METADATA, deflated by zlib."""
    out = io.BytesIO()
    everything = {**files, f"{project}-{version}.dist-info/METADATA": f"Name: {project}\nVersion: {version}\n".encode()}
    with zipfile.ZipFile(out, "w") as file:
        for name, content in everything.items():
            file.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED, 6)
    return out.getvalue()


def archive(path: Path, files: Mapping[str, bytes]) -> Path:
    """Write an archive of ours that holds these files, as `build` does: what it packs lies in files."""
    store = path.parent / "store"
    store.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as out:
        bundle = Bundle.of("top", [_file(store, name, content) for name, content in files.items()])
        write_archive(bundle, out, 0, lambda: False)
    return path


def _file(store: Path, name: str, content: bytes) -> File:
    sha256 = hashlib.sha256(content).hexdigest()
    (store / sha256).write_bytes(content)
    return File(f"wheels/{name}", len(content), sha256, Slice(str(store / sha256), 0, len(content)))
