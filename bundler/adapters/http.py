"""HTTP, and the `file://` mirrors that stand in for it: the only place that opens a connection."""

from __future__ import annotations

import os
import re
import ssl
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from netrc import NetrcParseError
from pathlib import Path
from urllib.parse import urljoin

import httpcore
import httpx

from bundler import __version__
from bundler.adapters.credentials import Credentials, Login, origin_of, split, without_user
from bundler.adapters.credentials import redact as redact
from bundler.adapters.deadline import Exchange, Wait
from bundler.adapters.gunzip import inflated
from bundler.adapters.mirror import Mirror as Mirror
from bundler.adapters.mirror import best_mirror, open_mirrored
from bundler.adapters.retry import ATTEMPTS
from bundler.adapters.retry import MissingError as MissingError
from bundler.adapters.retry import RangeRefusedError as RangeRefusedError
from bundler.adapters.retry import TransientError as TransientError
from bundler.adapters.retry import retry_after as retry_after
from bundler.adapters.retry import retrying as retrying
from bundler.adapters.transport import FAULTS, Transport, environment_transports, trusted
from bundler.errors import IntegrityError, TooMuchError, UnreachableError, UsageError, printable

REDIRECTS = (301, 302, 303, 307, 308)
_CHUNK = 1 << 18
_LONGEST_PATIENCE = 60.0
_MOST_REDIRECTS = 10
# What comes with a redirect is read that far, so that the connection can be used again.
_MOST_BESIDE_REDIRECT = 1 << 14
_MOST_WORDS = 300
_SETTINGS_HINT = "check HTTPS_PROXY, ALL_PROXY, NO_PROXY, SSL_CERT_FILE, SSL_CERT_DIR and ~/.netrc"
_SCHEME_HINT = "files are read below the folder of a --mirror FROM=file:///FOLDER/ only"
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18}|\*)", re.IGNORECASE)


@dataclass(frozen=True)
class Patience:
    """How long to wait, in s: for a connection, for the next bytes, and for each kind of exchange as a whole.

    A `page` has that long. A `download` has it for the start, and more for what came, at `slowest` bytes/s; so has an
    upload for what went. Some servers trickle for ever: none of this grows with how they cut up what they send.
    """

    connect: float = 15.0
    silence: float = 30.0
    page: float = 120.0
    download: float = 60.0
    # A server may work for a while on what it was sent before it answers.
    answer: float = 180.0
    slowest: float = 10_000


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

    def __init__(self, mirrors: Sequence[Mirror] = (), connections: int = 16, patience: Patience | None = None) -> None:
        """Open nothing yet. Raises UsageError if the environment's proxies, certificates or .netrc are of no use."""
        self._patience = patience or Patience()
        try:
            self._credentials = Credentials(Path.home() / ".netrc")
            context = trusted(os.environ.get("SSL_CERT_FILE", ""), os.environ.get("SSL_CERT_DIR", ""))
            self._client = httpx.Client(
                transport=Transport(context, connections),
                mounts=environment_transports(context, connections),
                trust_env=False,
                headers={"User-Agent": f"aiws-bundle/{__version__}", "Accept-Encoding": "identity"},
            )
        except httpx.InvalidURL as error:
            raise UsageError("the network settings cannot be used: a proxy is no address", _SETTINGS_HINT) from error
        except (OSError, ValueError, ImportError, NetrcParseError) as error:
            raise UsageError(f"the network settings cannot be used: {error}", _SETTINGS_HINT) from error
        self._mirrors = tuple(Mirror(mirror.source, self.sign_in(mirror.target)) for mirror in mirrors)

    def close(self) -> None:
        """Close every connection."""
        self._client.close()

    def sign_in(self, address: str) -> str:
        """Remember the user and password inside `address`, or .netrc's, for its origin; return it without them.

        Raises UsageError if it is none.
        """
        return self._credentials.sign_in(address)

    def is_mirrored(self, address: str) -> bool:
        """Say whether a mirror stands in for an address."""
        return best_mirror(self._mirrors, address) is not None

    def get(self, address: str, accept: str, limit: int) -> Page:
        """Fetch a page of at most `limit` bytes, with retries. Raises UnreachableError, IntegrityError."""
        return retrying(lambda: self._get(address, accept, limit))

    def _get(self, address: str, accept: str, limit: int) -> Page:
        exchange = Exchange(self._patience.page)
        # Pages compress well, unlike archives: let the server do so.
        with self._answer(address, {"Accept": accept, "Accept-Encoding": "gzip"}, exchange) as (response, found):
            content = _whole(response, address, limit, exchange)
            media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
            return Page(content, media_type, found)

    def read(self, address: str, limit: int, attempts: int = ATTEMPTS) -> bytes:
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
        Raises TransientError, UnreachableError, TooMuchError if the answer is larger than `limit` bytes.
        """
        exchange = Exchange(self._patience.answer + self._patience.page, sending=self._patience.slowest)
        with self._sent(method, address, headers, None, exchange, content) as response:
            received = _whole(response, address, limit, exchange)
            named = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status_code, named, received)

    @contextmanager
    def stream(self, address: str, start: int = 0, headers: Mapping[str, str] | None = None) -> Iterator[Body]:
        """Open one try at `address` from byte `start`; a server may begin at 0 all the same (see `Body.start`).

        `headers` may hold credentials: they go to the address itself, never to a mirror or a redirect to elsewhere.
        Raises TransientError, UnreachableError; so may the chunks.
        """
        mirror = best_mirror(self._mirrors, address) if headers is None else None
        if mirror and mirror.target.startswith("file://"):
            with open_mirrored(mirror, address) as file:
                size = file.seek(0, 2)
                begin = file.seek(start if start <= size else 0)
                yield Body(begin, size, iter(lambda: file.read(_CHUNK), b""))
            return
        actual = mirror.applied(address) if mirror else address
        ranged = {"Range": f"bytes={start}-"} if start else {}
        exchange = Exchange(self._patience.download, receiving=self._patience.slowest)
        with self._answer(actual, {**(headers or {}), **ranged}, exchange) as (response, _):
            begin, total = _extent(response)
            # Some servers call an archive's own gzip a coding: its digest is that of the bytes as they are stored.
            _coding(response, actual)
            # As it comes: pieces of a fixed size would be lost when the connection drops before they are full.
            yield Body(begin, total, _raw(response, actual, exchange))

    @contextmanager
    def _answer(
        self, address: str, headers: Mapping[str, str], exchange: Exchange
    ) -> Iterator[tuple[httpx.Response, str]]:
        """Follow redirects to a good answer, and tell where it came from. Credentials go to `address`' origin only."""
        origin, found, told = origin_of(address), address, dict(headers)
        login = None if "Authorization" in headers else self._credentials.of(origin)
        for _ in range(_MOST_REDIRECTS + 1):
            with self._sent("GET", found, told, login, exchange) as response:
                if response.status_code not in REDIRECTS or "Location" not in response.headers:
                    _raise_for_status(response, address)
                    yield response, found
                    return
                found = _redirected(found, response.headers["Location"])
                _drain(response, address, exchange)
            if origin_of(found) != origin:
                login = None
                told.pop("Authorization", None)
        raise UnreachableError(f"{redact(address)}: more than {_MOST_REDIRECTS} redirects")

    @contextmanager
    def _sent(
        self,
        method: str,
        address: str,
        headers: Mapping[str, str],
        login: Login | None,
        exchange: Exchange,
        content: bytes | Iterator[bytes] | None = None,
    ) -> Iterator[httpx.Response]:
        """Send one request, as exactly that user, to a web address. Raises UnreachableError for any other."""
        try:
            parts = split(address)
        except ValueError as error:
            raise UnreachableError(f"{redact(address)} is not an address") from error
        if parts.scheme not in ("https", "http"):
            raise UnreachableError(f"{redact(address)} is not a web address", _SCHEME_HINT)
        silence = self._patience.silence if content is None else self._patience.answer
        with _translating(address):
            request = self._client.build_request(
                method,
                without_user(parts),
                headers=dict(headers),
                content=_told(content, exchange) if isinstance(content, Iterator) else content,
                timeout=httpx.Timeout(
                    connect=Wait(self._patience.connect, exchange),
                    read=Wait(silence, exchange),
                    write=Wait(silence, exchange),
                    pool=None,
                ),
            )
            response = self._client.send(request, stream=True, auth=login, follow_redirects=False)
        try:
            yield response
        finally:
            response.close()


def collect(
    opened: Callable[[], AbstractContextManager[Body]], address: str, limit: int, attempts: int = ATTEMPTS
) -> bytes:
    """Read whole what `opened` streams, at most `limit` bytes, with retries.

    Raises UnreachableError, IntegrityError.
    """

    def once() -> bytes:
        content = bytearray()
        with opened() as body:
            for chunk in body.chunks:
                content += chunk
                if len(content) > limit:
                    raise IntegrityError(f"{redact(address)}: larger than {limit} bytes")
            if body.total is not None and len(content) < body.total:
                raise TransientError(f"{redact(address)}: ended after {len(content)} of {body.total} bytes")
        return bytes(content)

    return retrying(once, attempts)


def _redirected(address: str, location: str) -> str:
    """Where a redirect leads, without the user that it may name. Raises UnreachableError if nobody should go there."""
    shown = redact(address)
    try:
        parts = split(urljoin(address, location))
    except ValueError as error:
        raise UnreachableError(f"{shown} redirects to what is no address") from error
    if parts.scheme not in ("https", "http"):
        raise UnreachableError(f"{shown} redirects to what is no web address")
    if parts.scheme == "http" and address.startswith("https:"):
        raise UnreachableError(f"{shown} redirects from https to http", "everybody on the way could change the answer")
    return without_user(parts)


def _drain(response: httpx.Response, address: str, exchange: Exchange) -> None:
    """Read what little comes with a redirect."""
    size = 0
    for chunk in _raw(response, address, exchange):
        size += len(chunk)
        if size > _MOST_BESIDE_REDIRECT:
            return


def _coding(response: httpx.Response, address: str) -> str:
    """The content coding of an answer, `gzip` or none (RFC 9110, section 8.4). Raises UnreachableError for others."""
    named = response.headers.get("Content-Encoding", "").strip().lower()
    if named in ("", "identity"):
        return ""
    if named in ("gzip", "x-gzip"):
        return "gzip"
    raise UnreachableError(printable(f"{redact(address)}: compressed as nobody asked for: {named[:_MOST_WORDS]}"))


def _whole(response: httpx.Response, address: str, limit: int, exchange: Exchange) -> bytes:
    """Read a body of at most `limit` bytes. Raises TooMuchError, UnreachableError."""
    content, shown = bytearray(), redact(address)
    too_large = TooMuchError(f"{shown}: the answer is larger than {limit} bytes")
    chunks = _raw(response, address, exchange)
    if _coding(response, address):
        chunks = inflated(chunks, limit, too_large)
    try:
        for chunk in chunks:
            content += chunk
            if len(content) > limit:
                raise too_large
    except (EOFError, zlib.error) as error:
        raise UnreachableError(f"{shown}: compressed badly: {error}") from error
    return bytes(content)


def _raw(response: httpx.Response, address: str, exchange: Exchange) -> Iterator[bytes]:
    """The body as it was sent, earning its exchange time."""
    with _translating(address):
        for chunk in response.iter_raw():
            exchange.came(len(chunk))
            yield chunk


def _told(content: Iterator[bytes], exchange: Exchange) -> Iterator[bytes]:
    """What is sent, earning its exchange time."""
    for chunk in content:
        yield chunk
        exchange.went(len(chunk))


def _extent(response: httpx.Response) -> tuple[int, int | None]:
    """Read where a body starts and how large the whole is (RFC 9110, sections 8.6 and 14.4)."""
    length = response.headers.get("Content-Length", "")
    if response.status_code != httpx.codes.PARTIAL_CONTENT:
        return 0, int(length) if length.isascii() and length.isdigit() else None
    match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if match is None:
        raise RangeRefusedError(f"{redact(str(response.url))}: 206 without a usable Content-Range")
    first, total = match.groups()
    return int(first), None if total == "*" else int(total)


def _raise_for_status(response: httpx.Response, address: str) -> None:
    code = response.status_code
    partial = code == httpx.codes.PARTIAL_CONTENT and "Range" in response.request.headers
    if code == httpx.codes.OK or partial:  # what else is a success is not the whole of what was asked for
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
        raise UnreachableError(shown, "credentials are missing or refused; see docs/store.md")
    kind = MissingError if code in (404, 410) else UnreachableError
    raise kind(shown, "it is not there; is a mirror or index configured that lacks it?")


@contextmanager
def _translating(address: str) -> Iterator[None]:
    """Turn what httpx and httpcore raise into errors of ours."""
    try:
        yield
    except (httpx.HTTPError, *FAULTS) as error:
        raise _translate(error, redact(address)) from error
    except (httpx.InvalidURL, UnicodeError) as error:  # of a host, perhaps one that was redirected to
        raise UnreachableError(f"{redact(address)} is not an address") from error


def _translate(error: Exception, shown: str) -> UnreachableError:
    reason = printable(str(error)[:_MOST_WORDS]) or type(error).__name__
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            hint = "behind a company proxy, point SSL_CERT_FILE at its certificate"
            return UnreachableError(f"{shown}: the server's certificate is not trusted ({cause.verify_message})", hint)
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpcore.TimeoutException):
        why = str(error) or "no answer in time"
        return TransientError(f"{shown}: {why}", "is the network up? a mirror may be nearer")
    return TransientError(f"{shown}: {reason}", "is the network up, and the proxy set?")
