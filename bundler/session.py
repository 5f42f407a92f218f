"""What every command is told, and the adapters made from it."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Hashable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

from bundler.errors import UnreachableError, UsageError
from bundler.progress import Progress, Silent

if TYPE_CHECKING:
    from bundler.adapters.github import GitHub
    from bundler.adapters.http import Http
    from bundler.adapters.index import Index
    from bundler.adapters.signing_key import KeyOptions
    from bundler.adapters.store import Store
    from bundler.adapters.workspace import Workspace
    from bundler.model.pin import Pin
    from bundler.model.signing import Signer

T = TypeVar("T")


@dataclass(frozen=True)
class Session:
    """The options and environment that all commands share."""

    manifests: Path | None
    cache_dir: Path
    env: Mapping[str, str] = field(repr=False)  # tokens, keys, passwords
    progress: Progress
    mirrors: tuple[str, ...] = ()
    jobs: int = 16
    cancelled: threading.Event = field(default_factory=threading.Event)

    def workspace(self) -> Workspace:
        """The manifests' folder. Raises UsageError if there is none."""
        from bundler.adapters.workspace import Workspace

        return Workspace.find(self.manifests, Path.cwd())

    def store(self) -> Store:
        """The store in the cache folder. Raises WorkError if others may write there."""
        from bundler.adapters.own_folder import check_private
        from bundler.adapters.store import Store

        check_private(self.cache_dir, link=True)
        return Store(self.cache_dir, self.cancelled.is_set)

    def epoch(self) -> int:
        """The time of every file in an archive: SOURCE_DATE_EPOCH (reproducible-builds.org), else 1980-01-01."""
        value = self.env.get("SOURCE_DATE_EPOCH", "").strip() or "315532800"
        if not re.fullmatch("[0-9]{1,10}", value) or int(value) > 0xFFFFFFFF:
            raise UsageError(f"SOURCE_DATE_EPOCH {value[:100]!r} is not a number of seconds since 1970")
        return int(value)

    def signer(self, options: KeyOptions | None = None) -> Signer | None:
        """Whose key signs: the one that the options name, or else the environment (AIWS_SIGNING_KEY…); None if neither.

        Raises what `find_signer` raises. A descriptor is read once: ask once.
        """
        from bundler.adapters.signing_key import NOTHING_SAID, find_signer

        return find_signer(self.env, options or NOTHING_SAID)

    def all_mirrors(self) -> tuple[str, ...]:
        """Mirrors from the command line, which win, and from AIWS_MIRRORS."""
        return (*self.mirrors, *self.env.get("AIWS_MIRRORS", "").split())

    @contextmanager
    def network(self) -> Iterator[Network]:
        """Open connections to the index and everything else; closed after the context."""
        with ThreadPoolExecutor(1, "find-index") as pool:
            where = pool.submit(self._find_index)  # asks pip, in another process: begin at once
            from bundler.adapters.http import Http, Mirror  # large: loaded meanwhile

            http = Http([Mirror.parse(text) for text in self.all_mirrors()], self.jobs)
            try:
                yield Network(http, where, self._find_registry, self._find_archives)
            finally:
                http.close()

    @contextmanager
    def github(self, repository: str) -> Iterator[GitHub]:
        """A repository on GitHub, or on the Enterprise server that GITHUB_API_URL names; closed after the context.

        The token is GH_TOKEN or GITHUB_TOKEN. Raises UsageError if the settings cannot be used.
        """
        from bundler.adapters.github import PUBLIC_API, GitHub
        from bundler.adapters.http import Http, Mirror

        http = Http([Mirror.parse(text) for text in self.all_mirrors()], self.jobs + 2)
        try:
            token = self.env.get("GH_TOKEN", "").strip() or self.env.get("GITHUB_TOKEN", "").strip()
            api = self.env.get("GITHUB_API_URL", "").strip() or PUBLIC_API
            yield GitHub(http, api, repository, token, self.progress.say)
        finally:
            http.close()

    def _find_index(self) -> str:
        from bundler.adapters.index_address import find_index
        from bundler.adapters.process import run

        return find_index(self.env, run)

    def _find_registry(self) -> str:
        from bundler.adapters.npm import find_registry
        from bundler.adapters.process import run

        return find_registry(self.env, run)

    def _find_archives(self) -> Mapping[str, str]:
        from bundler.adapters.apt_archives import find_archives
        from bundler.adapters.process import run

        return find_archives(self.env, run)


class Network:
    """HTTP, and the indexes once somebody needs them."""

    def __init__(
        self,
        http: Http,
        where: Future[str],
        find_registry: Callable[[], str],
        find_archives: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        self.http = http
        self._where, self._find_registry, self._find_archives = where, find_registry, find_archives
        self._index: Index | None = None
        self._registry: str | None = None
        self._archives: Mapping[str, str] | None = None
        self._lock = threading.Lock()
        self._found: dict[Hashable, Future[object]] = {}

    def once(self, key: Hashable, find: Callable[[], T]) -> T:
        """What `find` returns: it is called by the first that asks with this key; the others wait for it."""
        with self._lock:
            first = key not in self._found
            found = self._found.setdefault(key, Future())
        if first:
            try:
                found.set_result(find())
            except BaseException as error:
                found.set_exception(error)
                raise
        return cast("T", found.result())

    @property
    def index_address(self) -> str:
        """The index's address, with its credentials if it has any."""
        return self._where.result()

    @property
    def index(self) -> Index:
        """The package index that the clients are configured for. Raises UnreachableError if none is known."""
        from bundler.adapters.index import Index

        with self._lock:
            if self._index is None:
                self._index = Index(self.http, self.index_address)
            return self._index

    @property
    def registry_address(self) -> str:
        """The npm registry's address, with its credentials if it has any. Raises UnreachableError if none is known."""
        with self._lock:
            if self._registry is None:
                self._registry = self._find_registry()
            return self._registry

    @property
    def registry(self) -> str:
        """The npm registry's address, fit to fetch from. Raises UnreachableError if none is known."""
        return self.http.sign_in(self.registry_address)

    def archive_address(self, name: str) -> str:
        """Where a distribution's archive is, with its credentials if it has any. Raises UnreachableError if unknown."""
        with self._lock:
            if self._archives is None:
                self._archives = self._find_archives()
        if name not in self._archives:
            hint = f"set AIWS_APT_MIRRORS={name}=ADDRESS: where packages of {name} are to be had"
            raise UnreachableError(f"apt on this host knows no archive of {name}", hint)
        return self._archives[name]

    def archive(self, name: str) -> str:
        """The same, fit to fetch from. Raises UnreachableError if none is known."""
        return self.http.sign_in(self.archive_address(name))


def fetch_one(pin: Pin, store: Store, network: Network | None) -> Path:
    """Bring one file into the store; without a network it has to be there. Raises UnreachableError, IntegrityError."""
    from bundler.fetch import addresses_of, blob_of, from_store, hinted

    if network is None:
        return from_store(store)(pin)
    addresses = addresses_of(pin, lambda: network.index, lambda: network.registry, network.archive)
    try:
        with Silent().task("", 0) as task:
            return store.fetch(blob_of(pin), addresses, network.http, task)
    except UnreachableError as error:
        raise hinted(error, pin) from error
