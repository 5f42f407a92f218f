"""Whether a signed release is older than one that a host has had before: an attacker's old release is whole, too.

All-in-one packages are counted (`offline-ai-workspace-7`); other releases have the date of their commit, which their
signature says. A release that is asked for by one and tells the other only cannot be placed: that is never passed over.
"""

from __future__ import annotations

from dataclasses import dataclass

from bundler.model.release import offline_number
from bundler.model.statement import Statement


@dataclass(frozen=True)
class Floor:
    """The release that nothing may be older than: its tag and its date (RFC 3339, UTC); "" for what is not known."""

    tag: str = ""
    date: str = ""

    def __str__(self) -> str:
        return " of ".join(filter(None, (self.tag, self.date)))


def below(said: Statement | None, floor: Floor) -> str:
    """How what a signature says is older than `floor`, or why that cannot be told, in words; "" if it is not older."""
    if said is None:
        return f"not older than {floor}? That cannot be told: no signature that counts says which release this is"
    number, least = offline_number(said.tag), offline_number(floor.tag)
    if number and least:
        return "" if number >= least else _older(said, floor)
    if said.date and floor.date:
        return "" if said.date >= floor.date else _older(said, floor)
    if said.tag and said.tag == floor.tag:
        return ""
    if said.date:
        return f"not older than {floor}? That cannot be told: the date of {floor} is not known, give {floor}@DATE"
    return f"not older than {floor}? That cannot be told: no signature that counts has a date"


def _older(said: Statement, floor: Floor) -> str:
    return f"older than asked for\n    expected {floor} or later\n    actual   {Floor(said.tag, said.date)}"
