"""The folder of manifests and locks: the only place that knows where they stand."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from bundler.adapters.regular import read_regular
from bundler.errors import UsageError

_TARGETS = "targets.yaml"
# What parses the texts is stricter: see model/document and model/toml.
_LARGEST_TEXT = 16 << 20
_MOST_MANIFESTS = 50


class Workspace:
    """Reads manifests and locks as text, and writes locks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def find(cls, chosen: Path | None, start: Path) -> Workspace:
        """Return the chosen folder, or the nearest `manifests/` at or above `start`. Raises UsageError."""
        candidates = [chosen] if chosen else [folder / "manifests" for folder in (start, *start.parents)]
        for folder in candidates:
            if (folder / _TARGETS).exists():
                return cls(folder)
        if chosen is None:
            message = f"neither {start} nor a folder above it has manifests/{_TARGETS}"
        else:
            message = f"{chosen} holds no {_TARGETS}" if chosen.is_dir() else f"{chosen} is not there"
        hint = "give the folder that holds it with --manifests"
        if below := _nearest_below(chosen or start):
            hint += f", for example --manifests {below}"
        raise UsageError(message, hint)

    def manifest_texts(self) -> Mapping[str, str]:
        """File name -> text of every manifest."""
        paths = sorted(self.folder.glob("*.yaml"))
        if len(paths) > _MOST_MANIFESTS:
            raise UsageError(f"{self.folder} holds {len(paths)} manifests, {_MOST_MANIFESTS} are the most")
        return {path.name: _read(path) for path in paths}

    def lock_path(self, name: str) -> Path:
        """Where a lock stands, or would."""
        return self.folder / "locks" / name

    def lock_text(self, name: str) -> str | None:
        """A lock's text, or None if there is no such lock."""
        path = self.lock_path(name)
        return _read(path) if path.exists() else None

    def locks(self) -> list[str]:
        """The names of all locks."""
        return sorted(path.name for path in (self.folder / "locks").glob("[!.]*.toml"))

    def write_lock(self, name: str, text: str) -> None:
        """Put a lock in place at once."""
        _write(self.lock_path(name), text)

    def remove_lock(self, name: str) -> None:
        """Remove a lock, if it is there."""
        self.lock_path(name).unlink(missing_ok=True)


def _nearest_below(folder: Path) -> Path | None:
    """A folder of manifests that is `folder` itself or a little below it."""
    found = (path for above in ("", "*/", "*/*/") for path in sorted(folder.glob(above + _TARGETS)))
    return next((path.parent for path in found), None)


def _write(path: Path, text: str) -> None:
    """Put a file in place at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".", delete=False, encoding="utf-8") as file:
        try:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).chmod(0o644)
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def _read(path: Path) -> str:
    try:
        return read_regular(path, _LARGEST_TEXT).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text: {error.reason} at byte {error.start}") from error
