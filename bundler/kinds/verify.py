"""Verify archives, whatever kind they are of."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path

from bundler.adapters.forks import mapped, processors
from bundler.adapters.known_wheels import KNOWN_WHEELS
from bundler.kinds import kind_of
from bundler.model.known_bad import KnownBad, bad_among
from bundler.model.licence_rules import unlicensed
from bundler.model.trust import Licences
from bundler.model.verdict import Finding, Verdict
from bundler.progress import Progress

# A copy of this process takes up to 110 MB to read an archive.
_MOST_AT_ONCE = 4
# In bytes: what takes no longer to judge than a few copies of this process take to be made.
_LITTLE = 16 << 20
_ANY = Licences()


def judge(
    archives: Sequence[tuple[Path, str]], progress: Progress, bad: KnownBad, licences: Licences = _ANY
) -> tuple[Verdict, ...]:
    """Verify archives, each a file and what it is called; several at a time.

    What is known to be `bad` is found too, and what may not be shipped by the rules of `licences`.
    """
    verdicts: list[Verdict] = []
    at_once = _at_once(archives)
    names = [name for _, name in archives]
    # Copies are made before anything is drawn: what draws is a thread, and beside one no copy can be made.
    with (
        mapped(lambda one: _judge(*one, bad, licences), archives, at_once, KNOWN_WHEELS) as running,
        progress.follow(names),
    ):
        for name in names[:at_once]:
            progress.stage(name, "verifying")
        for name, further, future in zip_longest(names, names[at_once:], running):
            verdict = future.result()
            told = f"verified {name}: {'ok' if verdict.good else 'NOT ok'}"
            if verdict.good:
                progress.stage(name, "done", told=told)
            else:  # of what failed, whoever asked tells
                progress.say(told)
                progress.stage(name, "failed", told="NOT ok")
            if further:
                progress.stage(further, "verifying")
            verdicts.append(verdict)
    return tuple(verdicts)


def _at_once(archives: Sequence[tuple[Path, str]]) -> int:
    """How many archives are judged at a time."""
    size = 0
    for path, _ in archives:
        with suppress(OSError):
            size += path.stat().st_size
    return min(len(archives), processors(), _MOST_AT_ONCE) if size > _LITTLE else 1


def judge_any(path: Path, name: str) -> Verdict:
    """Judge an archive of any kind, called `name`. Raises OSError if it cannot be read."""
    return kind_of(path, name).judge(path, name, _inside)


def _inside(path: Path, name: str) -> Verdict:
    """Judge an archive that stands in another."""
    return kind_of(path, name).judge(path, name, _too_deep)


def _too_deep(path: Path, name: str) -> Verdict:
    """Nothing of ours is an archive in an archive in an archive, and the work would be without end."""
    return Verdict(name, (Finding("an archive in an archive that is in another itself"),))


def _judge(path: Path, name: str, bad: KnownBad, licences: Licences) -> Verdict:
    """Verify one archive, as what it says it is."""
    verdict = judge_any(path, name)
    found = [Finding(fault)] if (fault := bad_among(verdict.holds, bad)) else []
    if verdict.inventory:
        refused = unlicensed(verdict.inventory, licences)
        found += [Finding(f"{one.item.name} {one.item.version}: {one.reason}", "closure") for one in refused]
    return replace(verdict, findings=(*verdict.findings, *found)) if found else verdict
