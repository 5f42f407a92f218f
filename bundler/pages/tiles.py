"""A treemap as a page shows it: links that lead to what they stand for, and a smaller map of what is too small.

Where each stands is CSS, not an attribute of style, which the page's policy forbids. On a phone the same map is
turned: across is down.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bundler.pages.markup import Markup, element, joined
from bundler.pages.table import megabytes
from bundler.pages.treemap import Box, squarified

_WIDE, _HIGH = 200.0, 100.0
# What is smaller than this part of a map goes to the next one, once all that does is no more than the other part.
_SMALLEST, _LITTLE = 0.004, 0.1
_MOST, _MOST_MAPS, _FEW = 250, 4, 6


@dataclass(frozen=True)
class Tile:
    """One thing of a size in bytes, and the place of the page that tells of it; `shade` is its colour's class."""

    size: int
    name: str
    told: str
    href: str
    shade: str


@dataclass(frozen=True)
class Treemap:
    """The map, and its CSS."""

    markup: Markup
    rules: str


def treemap(tiles: Sequence[Tile], legend: Sequence[tuple[str, str]], rest: str) -> Treemap:
    """Draw what has a size. `legend` are shades and what they mean; `rest` leads to all that is too small for any."""
    ordered = sorted((tile for tile in tiles if tile.size > 0), key=lambda tile: (-tile.size, tile.name, tile.href))
    if not ordered:
        return Treemap(element("p", "No size is known.", class_="faint"), "")
    parts, rules = [], []
    for number, level in enumerate(_levels(ordered, rest)):
        drawn, placed = _drawn(number, level)
        parts.append(drawn if not number else _folded(number, level, drawn))
        rules.append(placed)
    used = {tile.shade for tile in ordered}
    keys = [
        element("li", element("span", class_=f"key {shade}"), meaning) for shade, meaning in legend if shade in used
    ]
    return Treemap(joined((element("ul", keys, class_="legend"), parts)), "".join(rules))


def _levels(tiles: Sequence[Tile], rest: str) -> Iterator[Sequence[Tile]]:
    """Yield the tiles of each map: of those that are too small for it, one that leads to the next."""
    left = tiles
    for number in range(1, _MOST_MAPS + 1):
        shown = _shown(left)
        small = left[shown:]
        if len(small) < 2:
            yield left
            return
        size, href = sum(tile.size for tile in small), f"#map-{number}" if number < _MOST_MAPS else rest
        one = Tile(
            size, f"{len(small)} smaller ones", f"{len(small)} smaller ones, {megabytes(size)} MB", href, "others"
        )
        yield [*left[:shown], one]
        left = small


def _shown(tiles: Sequence[Tile]) -> int:
    """How many of the largest a map shows: the others are small, and little together, or they are too many."""
    total = left = sum(tile.size for tile in tiles)
    for number, tile in enumerate(tiles):
        if number == _MOST or (tile.size < total * _SMALLEST and left < total * _LITTLE):
            return number
        left -= tile.size
    return len(tiles)


def _drawn(number: int, tiles: Sequence[Tile]) -> tuple[Markup, str]:
    boxes = squarified([tile.size for tile in tiles], Box(0, 0, _WIDE, _HIGH))
    kind = "map low" if len(tiles) <= _FEW else "map"
    links, rules = [], []
    for place, (tile, box) in enumerate(zip(tiles, boxes, strict=True)):
        name = f"t{number}-{place}"
        label = element("span", element("b", tile.name), " ", element("i", f"{megabytes(tile.size)} MB"))
        links.append(element("a", label, id=name, href=tile.href, title=tile.told, class_=f"tile {tile.shade}"))
        rules.append(
            f"#{name}{{--x:{100 * box.x / _WIDE:.2f}%;--y:{100 * box.y / _HIGH:.2f}%;"
            f"--w:{100 * box.width / _WIDE:.2f}%;--h:{100 * box.height / _HIGH:.2f}%}}\n"
        )
    return element("div", links, class_=kind, role="group", aria_label="Treemap, the largest first"), "".join(rules)


def _folded(number: int, tiles: Sequence[Tile], drawn: Markup) -> Markup:
    size = megabytes(sum(tile.size for tile in tiles))
    told = f"{'The smaller ones' if number == 1 else 'Smaller still'}, {size} MB"
    return element("details", element("summary", told), drawn, id=f"map-{number}", class_="smaller")
