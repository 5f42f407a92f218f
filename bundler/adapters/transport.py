"""Connections for httpx: through the proxies that the environment names, on sockets that keep deadlines."""

from __future__ import annotations

import importlib.util
import ipaddress
import ssl
from collections.abc import Iterator
from functools import cache
from urllib.request import getproxies

import httpcore
import httpx

from bundler.adapters.deadline import Backend

FAULTS = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.UnsupportedProtocol,
)
_IDLE_SECONDS = 5.0


@cache
def trusted(file: str, folder: str) -> ssl.SSLContext:
    """The certificates that are trusted where SSL_CERT_FILE and SSL_CERT_DIR say `file` and `folder`.

    Kept, since reading them takes 20 ms. Raises OSError, ssl.SSLError.
    """
    return httpx.create_ssl_context()


class Transport(httpx.BaseTransport):
    """A pool of connections, all through `proxy` if one is given. HTTP/1.1; cookies are dropped. Raises FAULTS."""

    def __init__(self, context: ssl.SSLContext, connections: int, proxy: httpx.Proxy | None = None) -> None:
        """Open nothing yet. Raises ImportError for a SOCKS proxy if httpx cannot speak to one."""
        if proxy and proxy.url.scheme.startswith("socks") and importlib.util.find_spec("socksio") is None:
            raise ImportError("a SOCKS proxy takes the package httpx[socks]")
        self._backend = Backend()
        self._pool = httpcore.ConnectionPool(
            ssl_context=context,
            proxy=_for_httpcore(proxy, context) if proxy else None,
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=_IDLE_SECONDS,
            network_backend=self._backend,
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, as httpx asks of a transport."""
        if not isinstance(request.stream, httpx.SyncByteStream):
            raise TypeError("only what can be sent at once can be sent here")
        url = request.url
        answer = self._pool.handle_request(
            httpcore.Request(
                request.method,
                httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        headers = [(name, value) for name, value in answer.headers if name.lower() != b"set-cookie"]
        return httpx.Response(answer.status, headers=headers, stream=_Content(answer), extensions=answer.extensions)

    def close(self) -> None:
        """Close every connection, also of threads that are still at it; none is opened any more."""
        self._backend.close()
        self._pool.close()


class _Content(httpx.SyncByteStream):
    """The body of an answer, as it comes."""

    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        return self._answer.iter_stream()

    def close(self) -> None:
        """Let the connection go."""
        self._answer.close()


def environment_transports(context: ssl.SSLContext, connections: int) -> dict[str, httpx.BaseTransport | None]:
    """What goes through which proxy, by httpx's URL patterns: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, and NO_PROXY.

    Raises httpx.InvalidURL, ValueError, ImportError for a proxy that cannot be used.
    """
    named = getproxies()
    excepted = [host for word in named.get("no", "").split(",") if (host := word.strip())]
    if "*" in excepted:
        return {}
    found: dict[str, httpx.BaseTransport | None] = {}
    for scheme in ("http", "https", "all"):
        if address := named.get(scheme):
            proxy = httpx.Proxy(address if "://" in address else f"http://{address}")
            found[f"{scheme}://"] = Transport(context, connections, proxy)
    return found | dict.fromkeys(map(_pattern, excepted))


def _pattern(host: str) -> str:
    """The URL pattern for one word of NO_PROXY: an address of its own kind, or a domain with all below it."""
    if "://" in host:
        return host
    try:
        address = ipaddress.ip_address(host.partition("/")[0])
    except ValueError:
        return f"all://{host}" if host.lower() == "localhost" else f"all://*{host}"
    return f"all://{host}" if address.version == 4 else f"all://[{host}]"


def _for_httpcore(proxy: httpx.Proxy, context: ssl.SSLContext) -> httpcore.Proxy:
    url = proxy.url
    return httpcore.Proxy(
        httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
        auth=proxy.raw_auth,
        headers=proxy.headers.raw,
        ssl_context=context if url.scheme == "https" else None,
    )
