"""Uploads: bytes go straight to disk, hashed as they come, in constant memory."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator
from io import BufferedIOBase

from tests.github import shapes
from tests.github.faults import NO_FAULT, Fault
from tests.github.releases import refuse_immutable, sanitised
from tests.github.repository import ApiError, Asset, GitHub, Release, invalid, missing, now
from tests.github.request import Answer, Request

PIECE = 1 << 20


class Cut(Exception):
    """The connection ended, or shall end, before the request was whole."""


class Body:
    """A request's body; `length` is None if it was not announced. `accept` is called before the first byte is read."""

    def __init__(
        self,
        source: BufferedIOBase,
        length: int | None,
        fault: Fault,
        accept: Callable[[], None],
        count: Callable[[int], None],
    ) -> None:
        self.length = length
        self.left = length or 0
        self._source, self._fault, self._accept, self._count = source, fault, accept, count

    def pieces(self, fault: Fault | None = None) -> Iterator[memoryview]:
        """Yield what comes; each piece is good until the next. Raises Cut at an end that comes too soon."""
        fault = fault or self._fault
        last = self.left if fault.drop_after is None else min(self.left, fault.drop_after)
        buffer = memoryview(bytearray(min(PIECE, max(1, fault.slow // 20)) if fault.slow else min(PIECE, last or 1)))
        try:
            self._accept()
        except OSError as error:
            raise Cut from error
        while last:
            count = self._next(buffer[: min(len(buffer), last)])
            last, self.left = last - count, self.left - count
            self._count(count)
            yield buffer[:count]
            if fault.slow:
                time.sleep(count / fault.slow)
        if fault.drop_after is not None:
            raise Cut

    def _next(self, buffer: memoryview) -> int:
        try:
            count = self._source.readinto(buffer)
        except OSError as error:
            raise Cut from error
        if not count:
            raise Cut
        return count

    def read(self) -> bytes:
        """The whole body. Raises Cut."""
        return b"".join(bytes(piece) for piece in self.pieces())

    def discard(self) -> None:
        """Take the rest, so that the answer is not lost with the connection. Raises Cut."""
        for _ in self.pieces(NO_FAULT):
            pass


def receive(request: Request, body: Body) -> Answer:
    """Store an asset. What breaks leaves one in state `starter`. Raises ApiError, Cut."""
    hub = request.hub
    with hub.lock:
        release, asset = _reserve(request, body)
    sha256 = _store(request, body, asset)
    with hub.lock:
        if asset.id not in release.assets or release.id not in hub.kept:
            asset.path.unlink(missing_ok=True)
            raise missing()
        refuse_immutable(release, "Cannot upload assets to an immutable release")
        asset.sha256, asset.state, asset.updated_at = sha256, "uploaded", now()
        asset.tells_digest = not request.fault.forget_digest
        return Answer(201, shapes.asset(hub, release, asset))


def _reserve(request: Request, body: Body) -> tuple[Release, Asset]:
    hub, seen = request.hub, request.seen
    found = re.fullmatch(rf"/repos/{re.escape(hub.repo)}/releases/(\d+)/assets", seen.path)
    if seen.method != "POST" or not found:
        raise missing()
    request.demand_writer()
    release = hub.find_release(int(found[1]), request.who)
    if release.immutable and not release.draft:
        raise ApiError(422, "Cannot upload assets to an immutable release.")
    name = sanitised(request.fault.rename or seen.query.get("name", ""))
    if not seen.query.get("name"):
        raise invalid({"resource": "ReleaseAsset", "code": "missing_field", "field": "name"})
    size = _size(hub, body)
    if release.named(name):
        raise invalid({"resource": "ReleaseAsset", "code": "already_exists", "field": "name"})
    if len(release.assets) >= hub.most_assets:
        raise _refused("file_count", f"file_count limited to {hub.most_assets} assets per release")
    kind = seen.headers.get("content-type", "application/octet-stream")
    return release, hub.new_asset(release, name, seen.query.get("label", ""), kind, size)


def _size(hub: GitHub, body: Body) -> int:
    """The announced size, if GitHub takes so much. Exactly 2 GiB is refused without a reason."""
    if body.length is None:
        raise ApiError(400, "Bad Content-Length: ")
    if body.length < 1:
        raise _refused("size", "size must be greater than or equal to 1")
    if body.length == hub.largest_asset + 1:
        raise ApiError(500, "Error saving asset")
    if body.length > hub.largest_asset:
        raise _refused("size", f"size must be less than or equal to {hub.largest_asset + 1}")
    return body.length


def _refused(field: str, message: str) -> ApiError:
    return invalid({"resource": "ReleaseAsset", "code": "custom", "field": field, "message": message})


def _store(request: Request, body: Body, asset: Asset) -> str:
    digest, flip = hashlib.sha256(), request.fault.corrupt
    with asset.path.open("wb") as file:
        for piece in body.pieces():
            if flip:
                piece[0] ^= 1
                flip = False
            digest.update(piece)
            file.write(piece)
    return digest.hexdigest()
