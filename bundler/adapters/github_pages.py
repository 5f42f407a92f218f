"""A long list, page by page: "Using pagination in the REST API", docs.github.com/en/rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from bundler.errors import IntegrityError, TooMuchError

T = TypeVar("T")
# Entries a page, each size a part of the one before. A release is listed with all of its assets, up to 1000: fewer
# releases at once are asked for where a page of many is more than is read.
_SIZES = (100, 20, 5)
# GitHub lists no more: "List releases", docs.github.com/en/rest/releases.
_MOST = 10_000


class Pages:
    """How many entries are asked for at once: what was too many once is not asked for again."""

    def __init__(self) -> None:
        self._sizes: tuple[int, ...] = _SIZES

    def walk(self, path: str, ask: Callable[[str], tuple[Sequence[T], bool]]) -> Iterator[T]:
        """Every entry of the list at `path`. `ask` gets a page's path, and returns its entries and whether more follow.

        Raises IntegrityError for more than GitHub lists, and what `ask` raises.
        """
        done = 0
        while done < _MOST:
            size, *smaller = self._sizes
            try:
                listed, more = ask(f"{path}?per_page={size}&page={done // size + 1}")
            except TooMuchError:
                if not smaller:
                    raise
                self._sizes = tuple(smaller)
                continue
            if len(listed) > size:
                raise IntegrityError(f"{len(listed)} entries on a page of {size} of {path}")
            yield from listed
            if not more:
                return
            done += size
        raise IntegrityError(f"more than {_MOST} entries of {path}")
