"""The parts that wheelhouses consist of. `PAYLOADS` is the only place that lists them: one line an entry.

Those of the all-in-one package are listed in `payloads.collections`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeGuard

from bundler.payloads import prisma, python, wheels
from bundler.payloads.payload import Parts, Payload, PayloadModule, SectionModule

PAYLOADS: tuple[PayloadModule, ...] = (
    python,
    wheels,
    prisma,
)


def _has_section(module: PayloadModule) -> TypeGuard[SectionModule]:
    return bool(module.SECTION)


# Those that a manifest may ask for, by the key that it does so with.
SECTIONS: Mapping[str, SectionModule] = {module.SECTION: module for module in PAYLOADS if _has_section(module)}

# What runtime.env may export for them, with the patterns of the values.
VARIABLES: Mapping[str, str] = {n: pattern for module in SECTIONS.values() for n, pattern in module.VARIABLES.items()}


def payloads_of(parts: Parts) -> tuple[Payload, ...]:
    """Every payload of an archive, in the table's order."""
    return tuple(payload for module in PAYLOADS if (payload := module.of(parts)) is not None)
