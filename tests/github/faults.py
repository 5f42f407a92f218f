"""What the server remembers of each request, and what it is told to get wrong."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Role = Literal["api", "uploads", "web", "objects"]


@dataclass
class Seen:
    """A request as it came; `path` is without the prefixes of GitHub Enterprise and without the query.

    Header names are in lower case. `size` counts the bytes of the body that came; `status` is 0 until it is answered,
    and stays 0 if it never is.
    """

    role: Role
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    size: int = 0
    status: int = 0


@dataclass
class Fault:
    """One thing to get wrong, for requests that match; without any action, they are answered as usual.

    `path` is searched in the request's path, with `?name=NAME` behind it where the query has a name. The first `after`
    requests that match are let through, the next `times` are hit (-1: all).

    `status`, `headers` and `body` (JSON) are answered, and nothing is carried out; an upload's body is read before.
    `drop_after` cuts the connection after so many bytes of a request's body, or of an object's; an upload leaves an
    asset in state `starter`; together with `status`, that is answered instead of being cut.
    `lose_answer` carries the request out and cuts the connection. `corrupt` flips a byte of what is stored, or sent.
    `rename` stores under another name. `forget_digest` makes the asset's digest null. `stall` waits, in seconds, before
    anything is done. `slow` is bytes per second.
    """

    role: Role | None = None
    method: str | None = None
    path: str = ""
    times: int = 1
    after: int = 0
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, object] | None = None
    drop_after: int | None = None
    lose_answer: bool = False
    corrupt: bool = False
    rename: str | None = None
    forget_digest: bool = False
    stall: float = 0.0
    slow: int | None = None
    matched: int = 0

    def hits(self, seen: Seen) -> bool:
        """Count a request; say whether this fault acts on it."""
        if self.role not in (None, seen.role) or self.method not in (None, seen.method):
            return False
        named = f"{seen.path}?name={seen.query['name']}" if "name" in seen.query else seen.path
        if not re.search(self.path, named):
            return False
        self.matched += 1
        return self.matched > self.after and (self.times < 0 or self.matched <= self.after + self.times)


NO_FAULT = Fault()


def secondary_limit(seconds: int | None = 1, *, status: int = 403, **where: object) -> Fault:
    """GitHub's secondary rate limit; None leaves out how long to wait."""
    message = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
    headers = {} if seconds is None else {"Retry-After": str(seconds)}
    return _limit(status, headers, message, where)


def primary_limit(seconds: int = 1, *, status: int = 403, **where: object) -> Fault:
    """GitHub's primary rate limit, which ends in `seconds`."""
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(time.time()) + seconds)}
    return _limit(status, headers, "API rate limit exceeded for installation ID 1234567.", where)


def _limit(status: int, headers: Mapping[str, str], message: str, where: Mapping[str, object]) -> Fault:
    documentation = "https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api"
    fault = Fault(status=status, headers=headers, body={"message": message, "documentation_url": documentation})
    for name, value in where.items():
        if not hasattr(fault, name):
            raise TypeError(f"a fault has no {name}")
        setattr(fault, name, value)
    return fault
