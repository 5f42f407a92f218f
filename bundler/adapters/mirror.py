"""Mirrors: other places for addresses, a folder perhaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from bundler.adapters.credentials import redact
from bundler.adapters.regular import open_regular
from bundler.adapters.retry import MissingError
from bundler.errors import UnreachableError, UsageError


@dataclass(frozen=True)
class Mirror:
    """Addresses that start with `source` are asked for at `target` instead. Safe where a digest pins the bytes."""

    source: str
    target: str

    def applied(self, address: str) -> str:
        """Where an address that starts with `source` is asked for."""
        return self.target + address.removeprefix(self.source)

    @classmethod
    def parse(cls, text: str) -> Mirror:
        """Parse `FROM=TO`. Raises UsageError if either is not an address."""
        for scheme in ("https://", "http://", "file://"):
            source, separator, target = text.partition(f"={scheme}")
            if separator and source.startswith(("https://", "http://")):
                return cls(source, scheme + target)
        raise UsageError(f"mirror {text!r} is not FROM=TO", "both are addresses, TO may be file:///folder/")


def best_mirror(mirrors: Sequence[Mirror], address: str) -> Mirror | None:
    """The mirror for an address, if there is one; the longest matching one wins."""
    fitting = [mirror for mirror in mirrors if address.startswith(mirror.source)]
    return max(fitting, key=lambda mirror: len(mirror.source), default=None)


def open_mirrored(mirror: Mirror, address: str) -> BinaryIO:
    """Open what a mirror's folder has for an address, which may be of anybody's making, and never what is beside it."""
    hint = "check the --mirror or AIWS_MIRRORS that led there"
    inside = unquote(urlsplit(address.removeprefix(mirror.source)).path)
    path = Path(unquote(urlsplit(mirror.target).path) + inside)
    if ".." in PurePosixPath(inside).parts or "\0" in inside:
        raise UnreachableError(f"{redact(address)} names no file of {mirror.target}", hint)
    try:
        return open_regular(path)
    except UsageError as error:
        raise UnreachableError(error.message, hint) from error
    except OSError as error:
        kind = MissingError if isinstance(error, FileNotFoundError) else UnreachableError
        raise kind(f"{path}: {error.strerror}", hint) from error
