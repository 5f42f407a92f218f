"""A recipe: all that decides one archive's bytes, known before anything is fetched."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from packaging.version import InvalidVersion

from bundler.errors import LockError
from bundler.kinds.wheelhouse.lock import Lock, lacking
from bundler.kinds.wheelhouse.request import Request
from bundler.model.known_bad import Held, bad_among, package
from bundler.model.portable_python import PortablePython, PythonPin
from bundler.payloads.payload import PythonPart
from bundler.platforms import short

# Raise it when the same inputs shall give other bytes.
_FORMAT = 4
# The same of those only that carry a Python.
_PYTHON_FORMAT = 2
_PACKAGE = re.compile(r'^name = "([^"\n]+)"\nversion = "([^"\n]+)"$', re.MULTILINE)
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Recipe:
    """One archive to be made. `request` is as the manifests have it, `epoch` the time of every file (s since 1970).

    `installer` writes the script that the archive carries for operators: of a thousand recipes, when it is wanted.
    `python` is None where no target carries one.
    """

    request: Request
    asset: str
    lock_name: str
    lock_text: str
    python: PortablePython | None
    installer: Callable[[], bytes]
    epoch: int

    @property
    def lock_sha256(self) -> str:
        """SHA-256 (hex) of the lock's text."""
        return hashlib.sha256(self.lock_text.encode()).hexdigest()

    @property
    def python_pin(self) -> PythonPin | None:
        """The portable Python that the archive carries, or None."""
        return self.python_part.pin

    @property
    def python_part(self) -> PythonPart:
        """The Python that the wheels are for."""
        return python_part(self.request, self.python)

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
            "installer": hashlib.sha256(self.installer()).hexdigest(),
            "lock": self.lock_sha256,
            "epoch": self.epoch,
        }
        if self.request.service:
            facts["service"] = self.request.service.words()
        if self.request.known_bad and (bad := bad_among(_held(self.lock_text), dict(self.request.known_bad))):
            facts["bad"] = bad  # so that an archive of before is not taken for finished
        if self.python and (pin := self.python_pin):
            facts["python"] = [_PYTHON_FORMAT, self.python.version, pin.sha256, *self.python.leave_out]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()

    def lock(self) -> Lock:
        """Parse the lock. Raises LockError if it is malformed or was made for other choices."""
        again = self.request.again(self.request.target.name)
        lock = Lock.parse(self.lock_text, self.lock_name, again)
        if reason := lock.staleness(self.request):
            raise LockError(f"{self.lock_name} is stale: {reason}", again)
        return lock


def python_part(request: Request, python: PortablePython | None) -> PythonPart:
    """The Python that the wheels of `request` are for, of which `python` tells if it is portable."""
    own = request.python
    if python is None or not request.portable:
        return PythonPart(own.version, own.platform, request.portable)
    pin = python.pins[short(request.target.platform)]
    return PythonPart(own.version, own.platform, True, pin, python.leave_out, pin.sha256)


def _held(lock_text: str) -> Iterator[Held]:
    """What a lock's text, unparsed, holds."""
    yield from _DIGEST.findall(lock_text)
    for project, version in _PACKAGE.findall(lock_text):
        with suppress(InvalidVersion):
            yield package(project, version)
