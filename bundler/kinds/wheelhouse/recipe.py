"""A recipe: all that decides one archive's bytes, known before anything is fetched."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from packaging.version import InvalidVersion

from bundler.errors import LockError
from bundler.kinds.wheelhouse.lock import Lock, lacking
from bundler.kinds.wheelhouse.request import Request
from bundler.model.known_bad import Package, bad_among, package
from bundler.model.portable_python import PortablePython, PythonPin
from bundler.payloads.payload import PythonPart

# Raise it when the same inputs shall give other bytes.
_FORMAT = 2
_PACKAGE = re.compile(r'^name = "([^"\n]+)"\nversion = "([^"\n]+)"$', re.MULTILINE)


@dataclass(frozen=True)
class Recipe:
    """One archive to be made. `request` is as the manifests have it, `epoch` the time of every file (s since 1970).

    `installer` is the script that the archive carries for operators. `python` is None where no target carries one.
    """

    request: Request
    asset: str
    lock_name: str
    lock_text: str
    python: PortablePython | None
    installer: bytes
    epoch: int

    @property
    def lock_sha256(self) -> str:
        """SHA-256 (hex) of the lock's text."""
        return hashlib.sha256(self.lock_text.encode()).hexdigest()

    @property
    def python_pin(self) -> PythonPin | None:
        """The portable Python that the archive carries, or None."""
        return self.python.pins[self.request.target.arch] if self.python and self.request.portable else None

    @property
    def python_part(self) -> PythonPart:
        """The Python that the wheels are for."""
        python, pin = self.request.python, self.python_pin
        leave_out = self.python.leave_out if self.python and pin else ()
        return PythonPart(python.version, python.platform, self.request.portable, pin, leave_out)

    @property
    def lacking(self) -> tuple[tuple[str, str], ...]:
        """What the archive will be without, though the manifest asks for it: the name, and why."""
        return lacking(self.lock_text, self.request)

    def inputs(self) -> str:
        """SHA-256 (hex) of all that decides the archive's bytes; computed without parsing the lock."""
        facts: dict[str, object] = {
            "format": _FORMAT,
            "request": self.request.digest(),
            "environment": self.request.environment,
            "installer": hashlib.sha256(self.installer).hexdigest(),
            "lock": self.lock_sha256,
            "epoch": self.epoch,
        }
        if self.request.known_bad and (bad := bad_among(_packages(self.lock_text), dict(self.request.known_bad))):
            facts["bad"] = bad  # so that an archive of before is not taken for finished
        if self.python and (pin := self.python_pin):
            facts["python"] = [self.python.version, pin.sha256, *self.python.leave_out]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()

    def lock(self) -> Lock:
        """Parse the lock. Raises LockError if it is malformed or was made for other choices."""
        again = self.request.again(self.request.target.name)
        lock = Lock.parse(self.lock_text, self.lock_name, again)
        if reason := lock.staleness(self.request):
            raise LockError(f"{self.lock_name} is stale: {reason}", again)
        return lock


def _packages(lock_text: str) -> Iterator[Package]:
    """What a lock's text, unparsed, holds."""
    for project, version in _PACKAGE.findall(lock_text):
        with suppress(InvalidVersion):
            yield package(project, version)
