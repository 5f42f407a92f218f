"""What is worth another try, and when to make it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from bundler.adapters.turns import waiting
from bundler.errors import UnreachableError

if TYPE_CHECKING:
    from tenacity import RetryCallState

ATTEMPTS = 5
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


def retrying(work: Callable[[], T], attempts: int = ATTEMPTS) -> T:
    """Call `work` until it does not raise TransientError, at most `attempts` times, waiting longer each time."""
    from tenacity import Retrying, retry_if_exception_type, stop_after_attempt  # large: loaded when something is tried

    tries = Retrying(
        stop=stop_after_attempt(attempts),
        wait=_wait,
        retry=retry_if_exception_type(TransientError),
        reraise=True,
        sleep=_sleep,
    )
    return tries(work)


def _sleep(seconds: float) -> None:
    import tenacity.nap

    with waiting():
        tenacity.nap.sleep(seconds)


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.wait if isinstance(error, TransientError) else None
    return asked if asked is not None else _backoff(state)


def _backoff(state: RetryCallState) -> float:
    from tenacity import wait_random_exponential

    return wait_random_exponential(multiplier=0.25, max=8)(state)


def retry_after(value: str) -> float | None:
    """Seconds that a Retry-After header asks to wait (RFC 9110, section 10.2.3), or None."""
    from datetime import UTC, datetime
    from email.utils import parsedate_to_datetime  # large: few servers say when

    value = value.strip()
    try:
        if value.isdecimal():
            return float(value)
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError, OverflowError):
        return None
