"""A recipe: all that decides one package's bytes, known before anything is fetched."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property

from bundler.errors import LockError
from bundler.kinds.kind import Order
from bundler.kinds.offline.manifest import Offline, Part
from bundler.kinds.offline.package_lock import OfflineLock
from bundler.kinds.offline.required import Required
from bundler.model.advice import lock_again
from bundler.model.manifest_values import adapter_of
from bundler.model.target import Target

# Raise it when the same inputs shall give other bytes.
_FORMAT = 1


@dataclass(frozen=True)
class Recipe:
    """One package to be made: `component` is its manifest's file stem, `epoch` the time of every file (s since 1970).

    `parts` are the components that it carries, as the manifest says, and the one archive of each.
    """

    component: str
    manifest: Offline
    host: Target
    lock_name: str
    lock_text: str
    parts: tuple[tuple[Part, Order], ...]
    epoch: int

    @property
    def asset(self) -> str:
        """The archive's file name."""
        return self.manifest.asset_name(self.host)

    @cached_property
    def inputs(self) -> str:
        """SHA-256 (hex) of all that decides its bytes; no lock is parsed for it."""
        said = {
            name: adapter_of(type(one)).dump_python(one, mode="json") for name, one in self.manifest.sections.items()
        }
        manifest = self.manifest
        required = [adapter_of(Required).dump_python(one, mode="json") for one in manifest.required]
        facts = {
            "format": _FORMAT,
            "component": manifest.component,
            "repository": manifest.repository,
            "asset": manifest.asset,
            "exports": manifest.exports,
            "redirects": manifest.redirects,
            "versions": manifest.versions,
            "sections": said,
            "required": required,
            "target": self.host.name,
            "lock": hashlib.sha256(self.lock_text.encode()).hexdigest(),
            "epoch": self.epoch,
            "parts": [[adapter_of(Part).dump_python(part, mode="json"), one.inputs] for part, one in self.parts],
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()

    def lock(self) -> OfflineLock:
        """Parse the lock. Raises LockError if it is malformed or was made for other choices."""
        again = lock_again([self.host.name], [self.component])
        lock = OfflineLock.parse(self.lock_text, self.lock_name, again)
        if lock.facts.target != self.host.name:
            raise LockError(f"{self.lock_name} is stale: it was made for {lock.facts.target}", again)
        if stale := lock.stale(self.manifest, self.host):
            raise LockError(f"{self.lock_name} is stale: the manifest changed ({', '.join(stale)})", again)
        return lock
