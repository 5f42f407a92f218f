"""The package index: where it keeps a file (PEP 503, 691, 700)."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from bundler.adapters.http import Http, TransientError, redact
from bundler.adapters.simple_page import ACCEPT, LARGEST_PAGE, IndexFile, read_page
from bundler.adapters.turns import held
from bundler.errors import UnreachableError, printable
from bundler.model.locked_wheel import LockedWheel

# Pages of several megabytes become many times that while they are parsed.
_PAGES_AT_ONCE = 2
# After so many pages in a row that no retry could get, an index counts as down: hundreds more would each take minutes.
_DOWN_AFTER = 2


class Index:
    """One index. Each project's page is asked for at most once; threads may share it."""

    def __init__(self, http: Http, address: str) -> None:
        self._http = http
        self.address = http.sign_in(address).rstrip("/")
        self._pages: dict[str, tuple[IndexFile, ...]] = {}
        self._busy: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()
        self._at_once = threading.Semaphore(_PAGES_AT_ONCE)
        self._base: str | None = None
        self._base_known = threading.Lock()
        self._learned = False
        self._failures: tuple[UnreachableError, ...] = ()

    def addresses(self, wheel: LockedWheel) -> Iterator[str]:
        """Yield where `wheel` may be: first the lock's hint below this index's file store, then what its page says.

        Raises UnreachableError if the page does not list it.
        """
        hinted = None
        if wheel.hint and (base := self._file_store(wheel)):
            hinted = f"{base}{wheel.hint}/{wheel.filename}"
            yield hinted
        if (listed := self.look_up(wheel)) != hinted:
            yield listed

    def look_up(self, wheel: LockedWheel) -> str:
        """Return the address of the file with the wheel's name and digest. Raises UnreachableError."""
        named = [file for file in self.files(wheel.project) if file.filename == wheel.filename]
        for file in named:
            if file.sha256 in (wheel.sha256, None):
                return file.address
        where = redact(self.address)
        if named:
            raise UnreachableError(
                f"{where} has {wheel.filename} with SHA-256 {named[0].sha256}, the lock wants {wheel.sha256}",
                "the index serves another build; use the index that the lock was made with, or lock again",
            )
        raise UnreachableError(
            f"{where} does not list {wheel.filename}", "was it removed? `aiws-bundle lock --upgrade` picks another"
        )

    def files(self, project: str) -> tuple[IndexFile, ...]:
        """Return every file that the index lists for a project. Raises UnreachableError."""
        with self._guard:
            busy = self._busy.setdefault(project, threading.Lock())
        with held(busy):
            if project not in self._pages:
                with held(self._at_once):
                    self._pages[project] = self._read(project)
            return self._pages[project]

    def _read(self, project: str) -> tuple[IndexFile, ...]:
        address = f"{self.address}/{project}/"
        if len(failures := self._failures) >= _DOWN_AFTER:
            raise UnreachableError(failures[0].message, failures[0].hint)
        try:
            page = self._http.get(address, ACCEPT, LARGEST_PAGE)
        except TransientError as error:
            self._failures += (error,)
            raise
        self._failures = ()
        try:
            return read_page(page.content, page.media_type, page.address)
        except ValueError as error:
            raise UnreachableError(
                f"{redact(address)}: the answer is no index page: {printable(str(error)[:200])}",
                "is the index address a 'simple' index?",
            ) from error

    def _file_store(self, wheel: LockedWheel) -> str | None:
        """Learn from one looked-up wheel where this index keeps files, if it files them as the hints say."""
        with held(self._base_known):
            if not self._learned:
                self._learned = True
                tail = f"{wheel.hint}/{wheel.filename}"
                address = self.look_up(wheel)
                self._base = address.removesuffix(tail) if address.endswith(f"/{tail}") else None
            return self._base
