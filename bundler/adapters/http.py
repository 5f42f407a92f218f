"""HTTP, and the `file://` mirrors that stand in for it: the only place that opens a connection."""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from netrc import NetrcParseError
from pathlib import Path
from typing import BinaryIO, TypeVar
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from bundler import __version__
from bundler.errors import IntegrityError, UnreachableError, UsageError, printable

_CHUNK = 1 << 18
_ATTEMPTS = 5
_LONGEST_PATIENCE = 60.0
_TIMEOUT = httpx.Timeout(30.0, connect=15.0, pool=None)
# A server may work for a while on what it was sent before it answers.
_EXCHANGE_TIMEOUT = httpx.Timeout(60.0, connect=15.0, read=180.0, pool=None)
# A page that is not there by then is given up for this try: some servers trickle for ever.
_PAGE_SECONDS = 120.0
_SLOWEST_BYTES_PER_SECOND = 10_000
_SETTINGS_HINT = "check HTTPS_PROXY, ALL_PROXY, NO_PROXY, SSL_CERT_FILE, SSL_CERT_DIR and ~/.netrc"
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18}|\*)", re.IGNORECASE)
T = TypeVar("T")


class TransientError(UnreachableError):
    """Worth another try: a dropped connection, a time-out, 429 or 5xx. `wait` is what the server asked for, in s."""

    def __init__(self, message: str, hint: str = "", wait: float | None = None) -> None:
        super().__init__(message, hint)
        self.wait = wait


class MissingError(UnreachableError):
    """The server answers, and has nothing there: 404 or 410, or no such file behind a `file://` mirror."""


class RangeRefusedError(TransientError):
    """The server cannot go on at the offset that was asked for: what is there already is of no use with it."""


@dataclass(frozen=True)
class Mirror:
    """Addresses that start with `source` are asked for at `target` instead. Safe where a digest pins the bytes."""

    source: str
    target: str

    @classmethod
    def parse(cls, text: str) -> Mirror:
        """Parse `FROM=TO`. Raises UsageError if either is not an address."""
        for scheme in ("https://", "http://", "file://"):
            source, separator, target = text.partition(f"={scheme}")
            if separator and source.startswith(("https://", "http://")):
                return cls(source, scheme + target)
        raise UsageError(f"mirror {text!r} is not FROM=TO", "both are addresses, TO may be file:///folder/")


@dataclass(frozen=True)
class Body:
    """An answer under way: `start` is the offset of the first byte, `total` the size of the whole, if known."""

    start: int
    total: int | None
    chunks: Iterator[bytes]


@dataclass(frozen=True)
class Page:
    """A whole answer: its bytes, its media type, and the address it came from in the end."""

    content: bytes
    media_type: str
    address: str


@dataclass(frozen=True)
class Answer:
    """A whole answer of any status, its header names in lower case. Redirects are not followed."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class Http:
    """A pool of connections with mirrors, credentials by origin and bounded retries. Threads may share it."""

    def __init__(self, mirrors: Sequence[Mirror] = (), connections: int = 16) -> None:
        """Open nothing yet. Raises UsageError if the environment's proxies, certificates or .netrc are of no use."""
        self._credentials: dict[tuple[str, str, int], tuple[str, str]] = {}
        self._mirrors = tuple(Mirror(mirror.source, self.sign_in(mirror.target)) for mirror in mirrors)
        netrc = Path.home() / ".netrc"
        try:
            self._client = httpx.Client(
                timeout=_TIMEOUT,
                follow_redirects=True,
                auth=httpx.NetRCAuth(str(netrc)) if netrc.is_file() else None,
                limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
                headers={"User-Agent": f"aiws-bundle/{__version__}", "Accept-Encoding": "identity"},
            )
        except httpx.InvalidURL as error:
            raise UsageError("the network settings cannot be used: a proxy is no address", _SETTINGS_HINT) from error
        except (OSError, ValueError, ImportError, NetrcParseError) as error:
            raise UsageError(f"the network settings cannot be used: {error}", _SETTINGS_HINT) from error

    def close(self) -> None:
        """Close every connection."""
        self._client.close()

    def sign_in(self, address: str) -> str:
        """Remember the user and password inside `address` for its origin; return the address without them.

        Raises UsageError if it is none.
        """
        try:
            parts = _split(address)
        except ValueError as error:
            raise UsageError(f"{redact(address)} is not an address", "see README, indexes and mirrors") from error
        if parts.username is None:
            return address
        clean = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, parts.query, ""))
        self._credentials[_origin(clean)] = (unquote(parts.username), unquote(parts.password or ""))
        return clean

    def get(self, address: str, accept: str, limit: int) -> Page:
        """Fetch a page of at most `limit` bytes, with retries. Raises UnreachableError, IntegrityError."""
        return retrying(lambda: self._get(address, accept, limit))

    def _get(self, address: str, accept: str, limit: int) -> Page:
        content, deadline = bytearray(), time.monotonic() + _PAGE_SECONDS
        # Pages compress well, unlike archives: let the server do so.
        with self._answer(address, {"Accept": accept, "Accept-Encoding": "gzip"}) as response:
            for chunk in _translated(response.iter_bytes(), address):
                content += chunk
                if len(content) > limit:
                    raise IntegrityError(f"{redact(address)}: the answer is larger than {limit} bytes")
                if time.monotonic() > deadline:
                    raise TransientError(f"{redact(address)}: not there after {_PAGE_SECONDS:.0f} s")
            media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
            return Page(bytes(content), media_type, str(response.url))

    def read(self, address: str, limit: int, attempts: int = _ATTEMPTS) -> bytes:
        """Fetch a file of at most `limit` bytes that a digest will check, through mirrors and with retries.

        Raises UnreachableError, IntegrityError.
        """
        return collect(lambda: self.stream(address), address, limit, attempts)

    def exchange(
        self,
        method: str,
        address: str,
        headers: Mapping[str, str],
        content: bytes | Iterator[bytes],
        limit: int,
    ) -> Answer:
        """Send one request, whose credentials are its headers, and return what came back, whatever its status.

        There are no mirrors, redirects or retries. An iterator is sent as it yields; its size is in `headers`.
        Raises TransientError, UnreachableError, IntegrityError if the answer is larger than `limit` bytes.
        """
        try:
            with self._client.stream(
                method,
                address,
                headers=dict(headers),
                content=content,
                auth=None,
                follow_redirects=False,
                timeout=_EXCHANGE_TIMEOUT,
            ) as response:
                received, deadline = bytearray(), time.monotonic() + _PAGE_SECONDS
                for chunk in response.iter_bytes():
                    received += chunk
                    if time.monotonic() > deadline:
                        raise TransientError(f"{redact(address)}: not there after {_PAGE_SECONDS:.0f} s")
                    if len(received) > limit:
                        raise IntegrityError(f"{redact(address)}: the answer is larger than {limit} bytes")
                named = {name.lower(): value for name, value in response.headers.items()}
                return Answer(response.status_code, named, bytes(received))
        except httpx.HTTPError as error:
            raise _translate(error, address) from error
        except (httpx.InvalidURL, UnicodeError) as error:
            raise UnreachableError(f"{redact(address)} is not an address") from error

    @contextmanager
    def stream(self, address: str, start: int = 0, headers: Mapping[str, str] | None = None) -> Iterator[Body]:
        """Open one try at `address` from byte `start`; a server may begin at 0 all the same (see `Body.start`).

        `headers` may hold credentials: they go to the address itself, never to a mirror or a redirect to elsewhere.
        Raises TransientError, UnreachableError; so may the chunks.
        """
        actual = self.mirrored(address) if headers is None else address
        if actual.startswith("file://"):
            with _open_file(actual) as file:
                size = file.seek(0, 2)
                begin = file.seek(start if start <= size else 0)
                yield Body(begin, size, iter(lambda: file.read(_CHUNK), b""))
            return
        ranged = {"Range": f"bytes={start}-"} if start else {}
        with self._answer(actual, {**(headers or {}), **ranged}) as response:
            begin, total = _extent(response)
            # As it comes: pieces of a fixed size would be lost when the connection drops before they are full.
            yield Body(begin, total, _translated(response.iter_raw(), actual))

    def mirrored(self, address: str) -> str:
        """Return where `address` is really asked for; the longest matching mirror wins."""
        fitting = [mirror for mirror in self._mirrors if address.startswith(mirror.source)]
        best = max(fitting, key=lambda mirror: len(mirror.source), default=None)
        return best.target + address.removeprefix(best.source) if best else address

    @contextmanager
    def _answer(self, address: str, headers: Mapping[str, str]) -> Iterator[httpx.Response]:
        auth = None if "Authorization" in headers else self._credentials.get(_origin(address), httpx.USE_CLIENT_DEFAULT)
        try:
            # On a redirect to another origin httpx drops the Authorization header.
            with self._client.stream("GET", address, headers=dict(headers), auth=auth) as response:
                _raise_for_status(response, address)
                yield response
        except httpx.HTTPError as error:
            raise _translate(error, address) from error
        except (httpx.InvalidURL, UnicodeError) as error:  # of a host, perhaps one that was redirected to
            raise UnreachableError(f"{redact(address)} is not an address") from error


def retrying(work: Callable[[], T], attempts: int = _ATTEMPTS) -> T:
    """Call `work` until it does not raise TransientError, at most `attempts` times, waiting longer each time."""
    tries = Retrying(
        stop=stop_after_attempt(attempts),
        wait=_wait,
        retry=retry_if_exception_type(TransientError),
        reraise=True,
    )
    return tries(work)


def collect(
    opened: Callable[[], AbstractContextManager[Body]], address: str, limit: int, attempts: int = _ATTEMPTS
) -> bytes:
    """Read whole what `opened` streams, at most `limit` bytes, with retries.

    Raises UnreachableError, IntegrityError.
    """

    def once() -> bytes:
        content, began = bytearray(), time.monotonic()
        with opened() as body:
            for chunk in body.chunks:
                content += chunk
                if time.monotonic() - began > _PAGE_SECONDS + len(content) / _SLOWEST_BYTES_PER_SECOND:
                    raise TransientError(f"{redact(address)}: slower than {_SLOWEST_BYTES_PER_SECOND} bytes/s")
                if len(content) > limit:
                    raise IntegrityError(f"{redact(address)}: larger than {limit} bytes")
            if body.total is not None and len(content) < body.total:
                raise TransientError(f"{redact(address)}: ended after {len(content)} of {body.total} bytes")
        return bytes(content)

    return retrying(once, attempts)


_backoff = wait_random_exponential(multiplier=0.25, max=8)


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.wait if isinstance(error, TransientError) else None
    return asked if asked is not None else _backoff(state)


def redact(address: str) -> str:
    """Return an address fit for print: without user, password, query and fragment."""
    try:
        parts = _split(address)
    except ValueError:  # a slash in a password, for one, ends the host: show what follows the last @ only
        return address.rpartition("@")[2].partition("?")[0]
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _split(address: str) -> SplitResult:
    """Take an address apart. Raises ValueError if its host or port makes no sense."""
    parts = urlsplit(address)
    _ = parts.port  # read when it is asked for
    return parts


def _origin(address: str) -> tuple[str, str, int]:
    """Scheme, host and port: whom credentials are for. Raises UnreachableError if `address` is none."""
    try:
        parts = _split(address)
    except ValueError as error:
        raise UnreachableError(f"{redact(address)} is not an address") from error
    return parts.scheme, parts.hostname or "", parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)


def _open_file(address: str) -> BinaryIO:
    path = Path(unquote(urlsplit(address).path))
    try:
        return path.open("rb")
    except OSError as error:
        kind = MissingError if isinstance(error, FileNotFoundError) else UnreachableError
        raise kind(f"{path}: {error.strerror}", "check the --mirror or AIWS_MIRRORS that led there") from error


def _extent(response: httpx.Response) -> tuple[int, int | None]:
    """Read where a body starts and how large the whole is (RFC 9110, sections 8.6 and 14.4)."""
    length = response.headers.get("Content-Length", "")
    if response.status_code != httpx.codes.PARTIAL_CONTENT:
        return 0, int(length) if length.isdigit() else None
    match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if match is None:
        raise RangeRefusedError(f"{redact(str(response.url))}: 206 without a usable Content-Range")
    first, total = match.groups()
    return int(first), None if total == "*" else int(total)


def _raise_for_status(response: httpx.Response, address: str) -> None:
    code = response.status_code
    if response.is_success:
        return
    shown = printable(f"{redact(address)} answered {code} {response.reason_phrase}".rstrip())
    if code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
        raise RangeRefusedError(shown)
    if code in (408, 425, 429) or code >= 500 or (code == httpx.codes.FORBIDDEN and "Retry-After" in response.headers):
        wait = retry_after(response.headers.get("Retry-After", ""))
        if wait is not None and wait > _LONGEST_PATIENCE:
            raise UnreachableError(shown, f"the server asks to come back in {wait:.0f} s")
        raise TransientError(shown, "the server is overloaded or broken; try again later", wait)
    if code in (401, 403, 407):
        raise UnreachableError(shown, "credentials are missing or refused; see README, indexes and mirrors")
    kind = MissingError if code in (404, 410) else UnreachableError
    raise kind(shown, "it is not there; is a mirror or index configured that lacks it?")


def retry_after(value: str) -> float | None:
    """Seconds that a Retry-After header asks to wait (RFC 9110, section 10.2.3), or None."""
    value = value.strip()
    try:
        if value.isdecimal():
            return float(value)
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError, OverflowError):
        return None


def _translated(chunks: Iterator[bytes], address: str) -> Iterator[bytes]:
    try:
        yield from chunks
    except httpx.HTTPError as error:
        raise _translate(error, address) from error


def _translate(error: httpx.HTTPError, address: str) -> UnreachableError:
    """Turn httpx's exceptions into ours."""
    shown, reason = redact(address), str(error) or type(error).__name__
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            hint = "behind a company proxy, point SSL_CERT_FILE at its certificate"
            return UnreachableError(f"{shown}: the server's certificate is not trusted ({cause.verify_message})", hint)
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpx.TimeoutException):
        return TransientError(f"{shown}: no answer in time", "is the network up? a mirror may be nearer")
    if isinstance(error, httpx.UnsupportedProtocol | httpx.TooManyRedirects | httpx.DecodingError):
        return UnreachableError(f"{shown}: {reason}")
    return TransientError(f"{shown}: {reason}", "is the network up, and the proxy set?")
