"""The folder of manifests and locks: the only place that knows where they stand."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from bundler.adapters.regular import read_regular
from bundler.errors import UsageError
from bundler.model.target import Target

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
            if (folder / "targets.yaml").exists():
                return cls(folder)
        where = f"{chosen} holds" if chosen else f"neither {start} nor a folder above it has"
        raise UsageError(f"{where} no manifests", "run inside a checkout, or give --manifests DIR")

    def manifest_texts(self) -> Mapping[str, str]:
        """File name -> text of every manifest."""
        paths = sorted(self.folder.glob("*.yaml"))
        if len(paths) > _MOST_MANIFESTS:
            raise UsageError(f"{self.folder} holds {len(paths)} manifests, {_MOST_MANIFESTS} are the most")
        return {path.name: _read(path) for path in paths}

    def lock_path(self, target: Target) -> Path:
        """Where a target's lock stands, or would."""
        return self.folder / "locks" / f"pylock.{target.slug}.toml"

    def lock_text(self, target: Target) -> str | None:
        """A target's lock, or None if there is none."""
        path = self.lock_path(target)
        return _read(path) if path.exists() else None

    def asset_lock_path(self, name: str) -> Path:
        """Where the lock of a component that is released elsewhere stands, or would."""
        return self.folder / "locks" / f"assets.{name}.toml"

    def asset_lock_text(self, name: str) -> str | None:
        """A component's lock, or None if there is none."""
        path = self.asset_lock_path(name)
        return _read(path) if path.exists() else None

    def stray_asset_locks(self, names: Iterable[str]) -> list[Path]:
        """Locks of components that are none of `names`."""
        known = {self.asset_lock_path(name) for name in names}
        return [path for path in sorted((self.folder / "locks").glob("assets.*.toml")) if path not in known]

    def write_asset_lock(self, name: str, text: str) -> None:
        """Put a component's lock in place at once."""
        _write(self.asset_lock_path(name), text)

    def build_lock_path(self, component: str) -> Path:
        """Where the lock of what a component is built from and with stands, or would."""
        return self.folder / "locks" / f"pylock.build-{component}.toml"

    def build_lock_text(self, component: str) -> str | None:
        """A component's build lock, or None if there is none."""
        path = self.build_lock_path(component)
        return _read(path) if path.exists() else None

    def write_build_lock(self, component: str, text: str) -> None:
        """Put a build lock in place at once."""
        _write(self.build_lock_path(component), text)

    def stray_locks(self, targets: Sequence[Target], built: Sequence[str] = ()) -> list[Path]:
        """Locks that belong to none of `targets`, nor to the components `built` from source."""
        known = {self.lock_path(target) for target in targets} | {self.build_lock_path(name) for name in built}
        return [path for path in sorted((self.folder / "locks").glob("pylock.*.toml")) if path not in known]

    def write_lock(self, target: Target, text: str) -> None:
        """Put a lock in place at once."""
        _write(self.lock_path(target), text)


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
