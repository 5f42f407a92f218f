"""Wheels as items of an inventory: what they say of themselves, and what a proof found that each needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set

from bundler.model.bundle import WHEELS
from bundler.model.closure import Wheel
from bundler.model.inventory import Item
from bundler.model.package_url import wheel_url
from bundler.model.wheel_name import parse_wheel_name


def wheel_items(wheels: Sequence[Wheel], edges: Mapping[str, Set[str]]) -> Iterator[Item]:
    """Wheels as they say of themselves, without what only their files tell. Names of wheels can be parsed."""
    named = [(wheel, *parse_wheel_name(wheel.filename)[:2]) for wheel in wheels]
    purls: dict[str, str] = {project: wheel_url(project, str(version)) for _, project, version in named}
    for wheel, project, version in named:
        needs = tuple(sorted({purls[other] for other in edges.get(project, ()) if other in purls} - {purls[project]}))
        place = f"{WHEELS}/{wheel.filename}"
        yield Item(
            purls[project],
            "wheel",
            project,
            str(version),
            place,
            licences=wheel.licences,
            needs=needs,
            sboms=wheel.sboms,
            startup=tuple(sorted(wheel.startup)),
        )
