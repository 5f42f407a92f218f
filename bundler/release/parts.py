"""Read what a release holds in parts: every part belongs to one list, and every list's parts are there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from bundler.errors import IntegrityError
from bundler.model.release import Asset
from bundler.sidecars import parts, sums

# Brings the bytes of a small text asset.
Read = Callable[[Asset], bytes]


@dataclass(frozen=True)
class Split:
    """What can be put together: name -> its parts in their order. `findings` is what is wrong with parts and lists."""

    wholes: Mapping[str, tuple[str, ...]]
    findings: tuple[str, ...]


def read_parts(assets: Mapping[str, Asset], listed: Mapping[str, str], read: Read) -> Split:
    """Read all lists of parts among `assets`; `listed` is what SHA256SUMS says. Raises what `read` does.

    An IntegrityError of `read` is a finding.
    """
    names = {whole for name in assets if (whole := parts.asset_of(name))}
    wholes: dict[str, tuple[str, ...]] = {}
    findings: list[str] = []
    for whole in sorted(names):
        there = {name for name in assets if parts.asset_of(name) == whole and not name.endswith(parts.SUFFIX)}
        try:
            wanted = _list(whole, assets, read)
        except IntegrityError as error:
            wanted = ()
            findings.append(error.message)
        else:
            findings += _membership(whole, wanted, there)
        if whole in assets:
            findings.append(f"{whole}: is there whole and in parts")
        elif whole not in listed:
            findings.append(f"{whole}: in parts, but {sums.NAME} does not list it whole")
        elif wanted and there.issuperset(wanted):
            wholes[whole] = wanted
    return Split(wholes, tuple(findings))


def _list(whole: str, assets: Mapping[str, Asset], read: Read) -> tuple[str, ...]:
    """The parts that the list of `whole` names. Raises IntegrityError."""
    text = assets.get(f"{whole}{parts.SUFFIX}")
    if text is None:
        raise IntegrityError(f"{whole}{parts.SUFFIX}: missing, but parts of {whole} are there")
    return parts.parse(read(text), whole)


def _membership(whole: str, wanted: tuple[str, ...], there: set[str]) -> Iterator[str]:
    for name in wanted:
        if name not in there:
            yield f"{name}: missing, so {whole} cannot be put together"
    for name in sorted(there):
        if name not in wanted:
            yield f"{name}: surplus: {whole}{parts.SUFFIX} does not list it"
