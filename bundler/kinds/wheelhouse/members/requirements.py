"""metadata/requirements.txt: every wheel pinned by version and hash, for `pip install --require-hashes`."""

from __future__ import annotations

from bundler.kinds.wheelhouse.lock import Lock


def render(lock: Lock) -> bytes:
    """Return the file's bytes (pip's requirements file format)."""
    lines = [f"{wheel.project}=={wheel.version} --hash=sha256:{wheel.sha256}\n" for wheel in lock.wheels]
    return "".join(lines).encode()


def differs(content: bytes, lock: Lock) -> bool:
    """Say whether the file is anything but what `render` would write."""
    return content != render(lock)
