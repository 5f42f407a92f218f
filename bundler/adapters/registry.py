"""Registries of the OCI distribution specification (https://github.com/opencontainers/distribution-spec), read only.

Who asks for nothing but public things is given a token for it all the same, by a server that the registry names
(https://distribution.github.io/distribution/spec/auth/token/). That answer is believed as far as it leads to the
registry itself, or to the one place that a person named; the token goes to the registry alone, and to nobody that it
redirects to.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import parse_qsl, urlencode, urlsplit

from bundler.adapters.credentials import origin_of, redact
from bundler.adapters.http import Body, Http, collect
from bundler.adapters.retry import TransientError, retrying
from bundler.errors import IntegrityError, UnreachableError
from bundler.model.json_text import parse_json

_LARGEST_TOKEN = 64 << 10
_LARGEST_PAGE = 1 << 20
_UNAUTHORIZED = 401
# What a token serves for if nobody says, and how long before its end it is of no use for a request, in s.
_SHORTEST, _MARGIN = 60, 10
_LONGEST = 3600
# RFC 9110, 11.6.1: a scheme, and parameters; RFC 6750, 3 and 2.1: Bearer and its tokens.
_BEARER = re.compile(r"(?:^|,)\s*bearer\s+(.*)", re.IGNORECASE | re.DOTALL)
_PARAMETER = re.compile(r'([a-z_]+)\s*=\s*"([^"]*)"', re.IGNORECASE)
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")


class Registry:
    """One repository of a registry. Threads may share it.

    `address` is the registry's, without a path; `tokens` is the address that may give tokens beside it, or "".
    """

    def __init__(self, http: Http, address: str, repository: str, tokens: str = "") -> None:
        self._http, self._repository = http, repository
        self._root, self._tokens = f"{address}/v2/", tokens
        self._lock = threading.Lock()
        self._challenge: Mapping[str, str] | None = None
        self._token, self._until = "", 0.0

    def manifest_address(self, reference: str) -> str:
        """Where a manifest or an index is, by its tag or digest."""
        return f"{self._root}{self._repository}/manifests/{reference}"

    def blob_address(self, digest: str) -> str:
        """Where a blob is."""
        return f"{self._root}{self._repository}/blobs/{digest}"

    def manifest(self, reference: str, accept: str, limit: int) -> bytes:
        """A manifest or an index of at most `limit` bytes, by its tag or digest.

        Raises UnreachableError, IntegrityError if it is larger.
        """
        address = self.manifest_address(reference)
        return collect(lambda: self._opened(address, 0, accept), address, limit)

    @contextmanager
    def stream(self, address: str, start: int = 0) -> Iterator[Body]:
        """Open one try at an address of the repository from byte `start`, as `Http.stream` does."""
        with self._opened(address, start, "*/*") as body:
            yield body

    @contextmanager
    def _opened(self, address: str, start: int, accept: str) -> Iterator[Body]:
        # A mirror is nobody whom a token is for.
        mirrored = self._http.is_mirrored(address)
        headers = None if mirrored else {"Accept": accept, **self._authorization()}
        with self._http.stream(address, start, headers) as body:
            yield body

    def _authorization(self) -> Mapping[str, str]:
        """The header that the registry wants, if it wants any."""
        with self._lock:
            if self._challenge is None:
                self._challenge = self._challenged()
            if not self._challenge:
                return {}
            if time.monotonic() > self._until - _MARGIN:
                self._token, lifetime = self._new_token(self._challenge)
                self._until = time.monotonic() + lifetime
            return {"Authorization": f"Bearer {self._token}"}

    def _challenged(self) -> Mapping[str, str]:
        """Where to get a token, and with which words; empty if none is wanted.

        What is asked is the registry's root, which answers for all that is below it.
        """
        root = self._root

        def ask() -> tuple[int, str]:
            answer = self._http.exchange("GET", root, {"Accept": "*/*"}, b"", _LARGEST_PAGE)
            if answer.status == 429 or answer.status >= 500:
                raise TransientError(f"{redact(root)} answered {answer.status}", "the registry is overloaded or broken")
            return answer.status, answer.headers.get("www-authenticate", "")

        status, told = retrying(ask)
        if status != _UNAUTHORIZED:
            return {}
        found = _BEARER.search(told)
        parameters = _PARAMETER.findall(found[1]) if found else []
        challenge = {name.lower(): value for name, value in parameters}
        if "realm" not in challenge or len(challenge) != len(parameters):
            raise UnreachableError(
                f"{redact(root)} wants a login that is none by tokens", "only registries that tokens open can be read"
            )
        self._check_realm(challenge["realm"], root)
        return challenge

    def _check_realm(self, realm: str, root: str) -> None:
        """Raise UnreachableError unless tokens may be asked for there."""
        allowed = [origin_of(address) for address in (root, self._tokens) if address]
        if not realm.startswith("https://") or origin_of(realm) not in allowed or "@" in urlsplit(realm).netloc:
            raise UnreachableError(
                f"{redact(root)} sends for a token to {redact(realm)[:200]}, which is another place",
                "if that is the registry's own, name it in the manifest: tokens",
            )

    def _new_token(self, challenge: Mapping[str, str]) -> tuple[str, float]:
        """A token that lets nothing be done but read the repository, and how many seconds it serves."""
        realm, _, query = challenge["realm"].partition("?")
        scope = {"scope": f"repository:{self._repository}:pull"}
        service = {"service": challenge["service"]} if "service" in challenge else {}
        words = {**dict(parse_qsl(query)), **service, **scope}
        page = self._http.get(f"{realm}?{urlencode(words)}", "application/json", _LARGEST_TOKEN)
        shown = redact(realm)
        try:
            data = parse_json(page.content, _LARGEST_TOKEN)
        except ValueError as error:
            raise IntegrityError(f"{shown} gives no token: no JSON") from error
        if not isinstance(data, dict):
            raise IntegrityError(f"{shown} gives no token: no JSON object")
        token = data.get("token") or data.get("access_token")
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise UnreachableError(f"{shown} gives no token", "is the image public?")
        lifetime = data.get("expires_in")
        return token, float(min(lifetime, _LONGEST)) if isinstance(lifetime, int) and lifetime > 0 else _SHORTEST
