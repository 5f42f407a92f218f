"""What an answer of GitHub's REST API means: granted, refused, forbidden, missing, or come back later."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import ClassVar

from pydantic import ConfigDict

from bundler.adapters.http import Answer, MissingError, TransientError, retry_after
from bundler.errors import BundleError, IntegrityError, UnreachableError, WorkError, printable
from bundler.model.release import read_json

REDIRECTS = (301, 302, 307, 308)
_TOKEN_HINT = "GH_TOKEN needs write access to the repository's contents (in a workflow: `contents: write`)"  # noqa: S105 - no token
_WORKFLOWS_HINT = (
    "a commit that changes workflows also takes the permission `workflows`, unless its git tag is there already"
)
_MOST_WORDS = 300


class RefusedError(WorkError):
    """GitHub understood and refused (422, 409): `codes` are the reasons that it names, such as `already_exists`."""

    def __init__(self, message: str, codes: tuple[str, ...]) -> None:
        super().__init__(message)
        self.codes = codes


class RateLimitError(BundleError):
    """GitHub asks to wait: `asked` seconds, or None if it does not say how long."""

    exit_code = 4

    def __init__(self, message: str, asked: float | None) -> None:
        super().__init__(message, "GitHub is busy; run again later, what is done is kept")
        self.asked = asked


class ForbiddenError(UnreachableError):
    """The token is missing, wrong, or may not do this: 401 or 403."""


@dataclass(frozen=True)
class _Reason:
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="ignore")
    code: str | None = None
    field: str | None = None
    message: str | None = None


@dataclass(frozen=True)
class _Reasons:
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="ignore")
    message: str | None = None
    errors: tuple[_Reason | str | None, ...] | str | None = None


def checked(answer: Answer, what: str) -> Answer:
    """Return an answer that grants what was asked for, or redirects.

    Raises RateLimitError, TransientError, ForbiddenError, MissingError, RefusedError, UnreachableError.
    """
    status = answer.status
    if 200 <= status < 300 or status in REDIRECTS:
        return answer
    words, codes = _reasons(answer.content)
    shown = f"GitHub answered {status} to {what}{f': {words}' if words else ''}"
    if _is_limit(answer, words):
        raise RateLimitError(shown, _asked_wait(answer))
    if status in (408, 425) or status >= 500:
        raise TransientError(shown, "GitHub is busy or broken; run again later, what is done is kept")
    if status == 401:
        raise ForbiddenError(shown, "is GH_TOKEN right, and not expired?")
    writing = what.startswith(("POST /releases", "PATCH /releases"))
    if status == 403 or (status == 404 and writing):
        kind = ForbiddenError if status == 403 else MissingError
        raise kind(shown, f"{_TOKEN_HINT}; {_WORKFLOWS_HINT}" if writing else _TOKEN_HINT)
    if status in (404, 410):
        raise MissingError(shown, "is the name right, and may the token see it?")
    if status in (400, 409, 422):
        raise RefusedError(shown, codes)
    raise UnreachableError(shown)


def _is_limit(answer: Answer, words: str) -> bool:
    """Say whether an answer is a rate limit (docs.github.com, "Rate limits for the REST API")."""
    if answer.status == 429 or "retry-after" in answer.headers:
        return True
    return answer.status == 403 and (
        answer.headers.get("x-ratelimit-remaining") == "0" or "rate limit" in words.lower()
    )


def _asked_wait(answer: Answer) -> float | None:
    """Seconds that a rate limit asks to wait, or None if it does not say."""
    if (asked := retry_after(answer.headers.get("retry-after", ""))) is not None:
        return asked
    reset = answer.headers.get("x-ratelimit-reset", "")
    if answer.headers.get("x-ratelimit-remaining") == "0" and re.fullmatch("[0-9]{1,12}", reset):
        return max(1.0, float(reset) - time.time())
    return None


def _reasons(content: bytes) -> tuple[str, tuple[str, ...]]:
    """The message of an error, fit for print, and the codes that it names."""
    try:
        found = read_json(_Reasons, content, "")
    except IntegrityError:
        return "", ()
    listed = found.errors if isinstance(found.errors, tuple) else (found.errors,)
    errors = [error for error in listed if isinstance(error, _Reason)]
    texts = [found.message, *(e.message or " ".join(filter(None, (e.field, e.code))) for e in errors)]
    texts += [error for error in listed if isinstance(error, str)]
    line = printable("; ".join(filter(None, texts)).replace("\n", " "))
    return line[:_MOST_WORDS], tuple(error.code for error in errors if error.code)
