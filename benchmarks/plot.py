"""`python -m benchmarks.plot FIGURES SVG`: how seconds grow, a panel an axis, on logarithmic scales.

Readable on light and dark pages: colours follow `prefers-color-scheme`, the ground is the page's own.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import TypeAlias

Series: TypeAlias = Mapping[str, Mapping[int, float]]
_WIDTH, _HEIGHT, _LEFT, _TOP, _GAP, _LEGEND = 230, 260, 46, 34, 60, 190
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b58900", "#56b4e9", "#e31a1c", "#7f7fff")
# What is drawn; of the rest `growth` tells.
STEPS = ("lock", "check", "targets", "build", "verify", "publish", "verify OWNER/REPO@TAG", "cache prune")
_STYLE = (
    "text{font:11px sans-serif;fill:#222}.title{font-weight:bold}.line{stroke:#8885;fill:none}"
    ".slope{stroke:#888;stroke-dasharray:4 4}@media (prefers-color-scheme:dark){text{fill:#ddd}}"
)


def drawn(panels: Mapping[str, Series]) -> str:
    """The SVG: in each panel the processor seconds of each step by how many there are; what is dashed is linear."""
    steps = list(dict.fromkeys(step for series in panels.values() for step in series))
    colours = {step: _COLOURS[number % len(_COLOURS)] for number, step in enumerate(steps)}
    width = len(panels) * (_WIDTH + _GAP) + _LEGEND
    height = _HEIGHT + _TOP + 40
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">']
    parts.append(f"<title>Processor seconds of each step as a release grows</title><style>{_STYLE}</style>")
    for number, (axis, series) in enumerate(panels.items()):
        parts.append(f'<g transform="translate({_LEFT + number * (_WIDTH + _GAP)},{_TOP})">')
        parts += _panel(axis, series, colours)
        parts.append("</g>")
    for number, (step, colour) in enumerate(colours.items()):
        x, y = len(panels) * (_WIDTH + _GAP) + 10, _TOP + 8 + number * 16
        parts.append(f'<path d="M{x},{y}h14" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{x + 20}" y="{y + 4}">{escape(step)}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(axis: str, series: Series, colours: Mapping[str, str]) -> Iterator[str]:
    sizes = sorted({size for points in series.values() for size in points})
    values = [value for points in series.values() for value in points.values()]
    low, high = 10 ** math.floor(math.log10(min(values))), 10 ** math.ceil(math.log10(max(values)))

    def x(size: float) -> float:
        return _WIDTH * math.log(size / sizes[0]) / math.log(sizes[-1] / sizes[0])

    def y(value: float) -> float:
        return _HEIGHT * (1 - math.log(value / low) / math.log(high / low))

    yield f'<text class="title" x="0" y="-14">{escape(axis)}</text>'
    yield f'<path class="line" d="M0,0V{_HEIGHT}H{_WIDTH}"/>'
    for size in sizes:
        yield f'<text x="{x(size):.1f}" y="{_HEIGHT + 16}" text-anchor="middle">{size}</text>'
    for power in range(round(math.log10(low)), round(math.log10(high)) + 1):
        yield f'<path class="line" d="M0,{y(10**power):.1f}H{_WIDTH}"/>'
        yield f'<text x="-6" y="{y(10**power) + 4:.1f}" text-anchor="end">{10.0**power:g} s</text>'
    start = max(low, high * sizes[0] / sizes[-1])
    yield f'<path class="slope" d="M0,{y(start):.1f}L{_WIDTH},{y(min(high, start * sizes[-1] / sizes[0])):.1f}"/>'
    for step, points in series.items():
        path = "L".join(f"{x(size):.1f},{y(value):.1f}" for size, value in sorted(points.items()))
        yield f'<path d="M{path}" fill="none" stroke="{colours[step]}" stroke-width="1.8"/>'


def main(figures: Path, target: Path) -> None:
    """Draw what `growth` wrote."""
    panels: dict[str, dict[str, dict[int, float]]] = {}
    for one in json.loads(figures.read_text(encoding="utf-8")):
        steps = {step: {int(n): v for n, v in points.items()} for step, points in one["seconds"].items()}
        steps = {step: points for step, points in steps.items() if step in STEPS}
        panels[one["axis"]] = steps
    target.write_text(drawn(panels), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
