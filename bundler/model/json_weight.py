"""How much memory a JSON text may take once it is parsed, told before it is."""

from __future__ import annotations

# An entry of an index page or of GitHub's lists has about 15 values in 4 objects; this is for 50,000 of them.
_MOST_VALUES = 1_000_000
_MOST_CONTAINERS = 200_000


def refuse_heavy(content: bytes) -> None:
    """Raise ValueError if `content` may hold more values than any answer has: `[[],[],...` takes 50 times its size.

    Signs inside of strings count as well: a text of a megabyte has far fewer of them than is allowed.
    """
    if content.count(b"[") + content.count(b"{") > _MOST_CONTAINERS or content.count(b",") > _MOST_VALUES:
        raise ValueError("it holds more values than any answer should")
