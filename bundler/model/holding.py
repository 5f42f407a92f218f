"""What one archive holds, for whoever audits it or compares it with another."""

from __future__ import annotations

from dataclasses import dataclass

from bundler.model.inventory import Inventory


@dataclass(frozen=True)
class Holding:
    """What one archive holds or, if `locked`, will hold; `name` is for people.

    `size` is that of its file in bytes, 0 where it is not known.
    """

    inventory: Inventory
    size: int = 0
    name: str = ""
    locked: bool = False
