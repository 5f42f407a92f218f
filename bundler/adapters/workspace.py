"""The folder of manifests and locks: the only place that knows where they stand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bundler.adapters.durable import write_whole
from bundler.adapters.regular import read_regular
from bundler.errors import UsageError, WorkError

# The manifests that are no component's own.
TARGETS, PYTHON, TRUST = "targets.yaml", "python.yaml", "trust.yaml"
# What parses the texts is stricter: see model/document and model/toml.
_LARGEST_TEXT = 16 << 20
_MOST_MANIFESTS = 200


class Workspace:
    """Reads manifests and locks as text, and writes locks and what else follows from manifests."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def find(cls, chosen: Path | None, start: Path) -> Workspace:
        """Return the chosen folder, or the nearest `manifests/` at or above `start`. Raises UsageError."""
        if found := cls.at_hand(chosen, start):
            return found
        if chosen is None:
            message = f"neither {start} nor a folder above it has manifests/{TARGETS}"
        else:
            message = f"{chosen} holds no {TARGETS}" if chosen.is_dir() else f"{chosen} is not there"
        hint = "give the folder that holds it with --manifests"
        if below := _nearest_below(chosen or start):
            hint += f", for example --manifests {below}"
        raise UsageError(message, hint)

    @classmethod
    def at_hand(cls, chosen: Path | None, start: Path) -> Workspace | None:
        """The same, or None where there is none."""
        candidates = [chosen] if chosen else [folder / "manifests" for folder in (start, *start.parents)]
        return next((cls(folder) for folder in candidates if (folder / TARGETS).exists()), None)

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

    def own_text(self, name: str) -> str | None:
        """The text of a file beside the manifests; None if there is no such file."""
        path = self.folder / name
        return _read(path) if path.exists() else None

    def write_own(self, name: str, text: str) -> None:
        """Put a file beside the manifests in place at once."""
        _write(self.folder / name, text)


class Recorded(Workspace):
    """Manifests and locks as they were: texts by their paths below `folder`. Nothing is written."""

    def __init__(self, folder: Path, texts: Mapping[str, str]) -> None:
        super().__init__(folder)
        self._texts = texts

    def manifest_texts(self) -> Mapping[str, str]:
        """File name -> text of every manifest."""
        return {name: text for name, text in self._texts.items() if is_manifest(name)}

    def lock_text(self, name: str) -> str | None:
        """A lock's text, or None if there was no such lock."""
        return self._texts.get(f"locks/{name}")

    def locks(self) -> list[str]:
        """The names of all locks."""
        return sorted(name.removeprefix("locks/") for name in self._texts if is_lock(name))

    def write_lock(self, name: str, text: str) -> None:
        """Raise WorkError: what was cannot be changed."""
        raise WorkError(f"{self.folder} is a record: {name} cannot be written")

    def remove_lock(self, name: str) -> None:
        """Raise WorkError: what was cannot be changed."""
        raise WorkError(f"{self.folder} is a record: {name} cannot be removed")

    def own_text(self, name: str) -> str | None:
        """The text of a file beside the manifests; None if it was not there, or is not of the record."""
        return self._texts.get(name)

    def write_own(self, name: str, text: str) -> None:
        """Raise WorkError: what was cannot be changed."""
        raise WorkError(f"{self.folder} is a record: {name} cannot be written")


def is_manifest(path: str) -> bool:
    """Say whether a path below a folder of manifests is one of them."""
    return "/" not in path and path.endswith(".yaml")


def is_lock(path: str) -> bool:
    """Say whether a path below a folder of manifests is a lock."""
    folder, _, name = path.rpartition("/")
    return folder == "locks" and name.endswith(".toml") and not name.startswith(".")


def _nearest_below(folder: Path) -> Path | None:
    """A folder of manifests that is `folder` itself or a little below it."""
    found = (path for above in ("", "*/", "*/*/") for path in sorted(folder.glob(above + TARGETS)))
    return next((path.parent for path in found), None)


def _write(path: Path, text: str) -> None:
    """Put a file in place at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text.encode())


def _read(path: Path) -> str:
    try:
        return read_regular(path, _LARGEST_TEXT).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text: {error.reason} at byte {error.start}") from error
