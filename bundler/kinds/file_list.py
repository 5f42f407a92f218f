"""metadata/files.sha256: the archive's files as `sha256sum -c` reads them, for hosts that have nothing else.

It lists every file but itself, and a manifest.json that lists it; paths are relative to the archive's top folder.
"""

from __future__ import annotations

from collections.abc import Mapping


def render(digests: Mapping[str, str]) -> bytes:
    """Return the file's bytes for path -> SHA-256 (hex)."""
    return "".join(f"{digest}  {path}\n" for path, digest in sorted(digests.items())).encode()


def differs(content: bytes, digests: Mapping[str, str]) -> bool:
    """Say whether the file is anything but what `render` would write."""
    return content != render(digests)


def parse(content: bytes) -> dict[str, str]:
    """Return path -> SHA-256 of such a file; of a line that is none, whatever its two halves are."""
    lines = (line.partition("  ") for line in content.decode("utf-8", "replace").splitlines())
    return {path: sha256 for sha256, _, path in lines}
