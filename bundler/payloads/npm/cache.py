"""The format of npm's cache: files by their SHA-512, and an index from addresses to them.

npm keeps both in `_cacache` below its `cache` folder. Sources: https://github.com/npm/cacache, lib/content/path.js,
lib/entry-index.js (content version 2, index version 5); https://github.com/npm/make-fetch-happen, lib/cache/key.js,
lib/cache/entry.js (what an entry holds), lib/cache/policy.js (when it serves a request).
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping

_ROOT = "_cacache"
# npm writes there before it moves files to their places, and asks the registry if it may not. The consumers' installer
# gives every folder of the cache to a group; one that root's npm had to make would be root's alone.
TEMPORARY = "/".join((_ROOT, "tmp", "README"))
KEPT = b"This folder is here so that everybody who may write to the cache may write to it.\n"
# When the entries claim to have been made (ms since 1970): 1980-01-01, as an archive's files do. npm takes entries of
# any age with --offline and --prefer-offline, and else asks the registry whether there is something newer.
_MOMENT = 315_532_800_000


def content_path(integrity: str) -> str:
    """Where the cache has the file with this integrity (SHA-512)."""
    sha512 = base64.b64decode(integrity.removeprefix("sha512-")).hex()
    return f"{_ROOT}/content-v2/sha512/{_segments(sha512)}"


def integrity(sha512: bytes) -> str:
    """What npm knows a file by: its SHA-512 as Subresource Integrity (https://www.w3.org/TR/SRI/) spells it."""
    return f"sha512-{base64.b64encode(sha512).decode()}"


def index_file(
    address: str, integrity: str, size: int, media_type: str, accepted: Iterable[str] = ("",)
) -> tuple[str, bytes]:
    """The index's file for an address: its path and its bytes.

    It has an entry for each of `accepted`, what the request's `Accept` is ("": none), since npm compares it. `size` is
    the file's, in bytes.
    """
    key = f"make-fetch-happen:request-cache:{address}"
    lines = []
    for accept in accepted:
        metadata = {
            "time": _MOMENT,
            "url": address,
            "reqHeaders": {"accept": accept} if accept else {},
            "resHeaders": {"content-type": media_type},
            "options": {"compress": True},
        }
        entry = as_json({"key": key, "integrity": integrity, "time": _MOMENT, "size": size, "metadata": metadata})
        lines.append(f"\n{hashlib.sha1(entry.encode(), usedforsecurity=False).hexdigest()}\t{entry}")
    path = f"{_ROOT}/index-v5/{_segments(hashlib.sha256(key.encode()).hexdigest())}"
    return path, "".join(lines).encode()


def as_json(value: Mapping[str, object]) -> str:
    """JSON, the same for the same value."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def _segments(digest: str) -> str:
    return f"{digest[:2]}/{digest[2:4]}/{digest[4:]}"
