"""Downloads: addresses on the web and in the API lead to where the bytes are kept, by a signed, expiring address."""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from urllib.parse import quote, unquote, urlencode

from tests.github import shapes
from tests.github.repository import Asset, GitHub, missing
from tests.github.request import Answer, Request, Stored


def asset(request: Request, number: str) -> Answer:
    """An asset as JSON, or the way to its bytes."""
    hub = request.hub
    release, one = hub.find_asset(int(number), request.who)
    if "application/octet-stream" not in request.seen.headers.get("accept", ""):
        return Answer(200, shapes.asset(hub, release, one))
    if one.state != "uploaded":
        raise missing()
    return _sent_to(hub, one)


def answer_web(request: Request) -> Answer:
    """The fixed addresses of published assets, and of the latest release's."""
    hub, path = request.hub, unquote(request.seen.path)
    found = re.fullmatch(rf"/{re.escape(hub.repo)}/releases/(?:download/(.+)|latest/download)/([^/]+)", path)
    if request.seen.method not in ("GET", "HEAD") or not found:
        return _page("Not Found", 404)
    tag, name = found.groups()
    if tag is None:
        latest = hub.latest()
        address = f"{hub.web}/{hub.repo}/releases/download/{quote(latest.tag)}/{quote(name)}" if latest else ""
        return Answer(302, None, {"Location": address}, b"") if latest else _page("Not Found", 404)
    release = hub.published(tag)
    one = release.named(name) if release else None
    return _page("Not Found", 404) if one is None or one.state != "uploaded" else _sent_to(hub, one)


def answer_objects(request: Request) -> Answer:
    """The bytes, or a part of them, for whoever has the address and sends no token."""
    hub, seen = request.hub, request.seen
    if "authorization" in seen.headers or seen.method not in ("GET", "HEAD"):
        return _refusal("AuthenticationFailed", "Only one way to authenticate is allowed.")
    expires, signature = seen.query.get("se", ""), seen.query.get("sig", "")
    if not hmac.compare_digest(signature, _signature(hub, seen.path, expires)):
        return _refusal("AuthenticationFailed", "Signature did not match.")
    if float(expires) < time.time():
        return _refusal("AuthenticationFailed", "Signed expiry time has passed.")
    key = seen.path.rpartition("/")[2]
    one = next((each for kept in hub.kept.values() for each in kept.assets.values() if each.key == key), None)
    if one is None or not one.path.exists():
        return Answer(404, None, {"Content-Type": "application/xml"}, b"<Error><Code>BlobNotFound</Code></Error>")
    return _ranged(one, seen.headers.get("range", ""))


def _ranged(one: Asset, asked: str) -> Answer:
    size = one.path.stat().st_size
    headers = {"Content-Type": "application/octet-stream", "Accept-Ranges": "bytes", "ETag": f'"{one.key}"'}
    headers["Content-Disposition"] = f"attachment; filename={one.name}"
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", asked)
    if not found or found[0] == "bytes=-":
        return Answer(200, None, headers, stored=Stored(one.path.open("rb"), 0, size))
    first, last = found.groups()
    start = int(first) if first else max(0, size - int(last))
    end = min(size, int(last) + 1) if first and last else size
    if start >= size or start >= end:
        return Answer(416, None, headers | {"Content-Range": f"bytes */{size}"}, b"")
    headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    return Answer(206, None, headers, stored=Stored(one.path.open("rb"), start, end))


def _sent_to(hub: GitHub, one: Asset) -> Answer:
    one.downloads += 1
    path = f"/github-production-release-asset/{hub.number}/{one.key}"
    expires = f"{time.time() + hub.address_seconds:.3f}"
    query = {"sp": "r", "sr": "b", "se": expires, "sig": _signature(hub, path, expires)}
    return Answer(302, None, {"Location": f"{hub.objects}{path}?{urlencode(query)}"}, b"")


def _signature(hub: GitHub, path: str, expires: str) -> str:
    return hmac.new(hub.secret, f"{path}\n{expires}".encode(), hashlib.sha256).hexdigest()


def _refusal(code: str, message: str) -> Answer:
    body = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'
    return Answer(403, None, {"Content-Type": "application/xml"}, body.encode())


def _page(text: str, status: int) -> Answer:
    return Answer(status, None, {"Content-Type": "text/plain; charset=utf-8"}, text.encode())
