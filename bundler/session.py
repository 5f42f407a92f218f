"""What every command is told, and the adapters made from it."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Hashable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

from bundler.adapters.apart import Bring, Downloads, downloads_apart
from bundler.errors import UnreachableError, UsageError
from bundler.progress import Progress, Silent, Task

if TYPE_CHECKING:
    from bundler.adapters.github import GitHub
    from bundler.adapters.http import Body, Http
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
    # A process beside this one that fetches.
    downloads: Downloads | None = field(default=None, repr=False)

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
        """Open connections to the index and everything else; closed after the context.

        With a process beside this one that fetches, nothing is opened here before somebody asks for it.
        """
        with ThreadPoolExecutor(1, "find-index") as pool, ExitStack() as opened:
            apart = self.downloads is not None and self.downloads.ready()
            # Asks pip, perhaps in another process: begin at once.
            find_index = cache(self._find_index) if apart else pool.submit(self._find_index).result
            network = Network(
                lambda: opened.enter_context(closing(self._http())),
                find_index,
                self._find_registry,
                self._find_archives,
            )
            if not apart:
                network.http  # noqa: B018 - settings that are of no use are told before anything is done
            try:
                yield network
            finally:
                network.close()

    @contextmanager
    def downloading(self) -> Iterator[Session]:
        """The same session, with a process beside it that fetches if there can be one; it ends with the context.

        To be begun before much is imported: the other process imports what it takes meanwhile.
        """
        import bundler.adapters.store  # what both need is loaded once
        import bundler.fetch  # noqa: F401 - the same

        with downloads_apart(_load_fetching, self._bringing, self.jobs) as downloads:
            yield replace(self, downloads=downloads)

    @contextmanager
    def _bringing(self) -> Iterator[Bring]:
        """What fetches, in the other process."""
        own = replace(self, progress=Silent())
        with own.network() as network:
            store = own.store()
            yield lambda pin, task: bring(pin, store, network, task)

    def _http(self) -> Http:
        from bundler.adapters.http import Http, Mirror  # large: loaded when asked for

        return Http([Mirror.parse(text) for text in self.all_mirrors()], self.jobs)

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


def _load_fetching() -> None:
    import bundler.adapters.http  # large
    import bundler.adapters.index
    import bundler.adapters.locked_reading  # noqa: F401 - what is made of files as they come


class Network:
    """HTTP, and the indexes once somebody needs them."""

    def __init__(
        self,
        open_http: Callable[[], Http],
        find_index: Callable[[], str],
        find_registry: Callable[[], str],
        find_archives: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        self._open_http, self._find_index = open_http, find_index
        self._find_registry, self._find_archives = find_registry, find_archives
        self._http: Http | None = None
        self._opening, self._closed = threading.Lock(), False
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
    def http(self) -> Http:
        """The connections. Raises UsageError if the settings of the network cannot be used."""
        with self._opening:
            if self._closed:
                raise UnreachableError("the network is not asked any more")
            if self._http is None:
                self._http = self._open_http()
            return self._http

    def stream(self, address: str, start: int = 0) -> AbstractContextManager[Body]:
        """As `Http.stream`: no connection is opened before somebody asks for something."""
        return self.http.stream(address, start)

    def close(self) -> None:
        """Open no connections any more, for whichever thread."""
        with self._opening:
            self._closed = True

    @property
    def index_address(self) -> str:
        """The index's address, with its credentials if it has any."""
        return self._find_index()

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


def bring(pin: Pin, store: Store, network: Network, task: Task) -> Path:
    """Bring one file into the store over the network. Raises UnreachableError, IntegrityError."""
    from bundler.fetch import addresses_of, blob_of

    addresses = addresses_of(pin, lambda: network.index, lambda: network.registry, network.archive)
    return store.fetch(blob_of(pin), addresses, network, task)


def fetch_one(pin: Pin, store: Store, network: Network | None) -> Path:
    """Bring one file into the store; without a network it has to be there. Raises UnreachableError, IntegrityError."""
    from bundler.fetch import from_store, hinted

    if network is None:
        return from_store(store)(pin)
    try:
        with Silent().task("", 0) as task:
            return bring(pin, store, network, task)
    except UnreachableError as error:
        raise hinted(error, pin) from error
