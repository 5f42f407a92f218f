"""Verify archives, whatever kind they are of."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from bundler.kinds import kind_of
from bundler.model.known_bad import KnownBad, bad_among
from bundler.model.verdict import Finding, Verdict
from bundler.progress import Progress

_AT_ONCE = 2


def judge(archives: Sequence[tuple[Path, str]], progress: Progress, bad: KnownBad) -> tuple[Verdict, ...]:
    """Verify archives, each a file and what it is called; several at a time. What is known to be `bad` is found too."""
    pool = ThreadPoolExecutor(_AT_ONCE)
    try:
        running = [pool.submit(_judge, path, name, bad) for path, name in archives]
        verdicts: list[Verdict] = []
        for (_, name), future in zip(archives, running, strict=True):
            verdict = future.result()
            progress.say(f"verified {name}: {'ok' if verdict.good else 'NOT ok'}")
            verdicts.append(verdict)
        return tuple(verdicts)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # who interrupts does not wait for an archive's end


def judge_any(path: Path, name: str) -> Verdict:
    """Judge an archive of any kind, called `name`. Raises OSError if it cannot be read."""
    return kind_of(path, name).judge(path, name, _inside)


def _inside(path: Path, name: str) -> Verdict:
    """Judge an archive that stands in another."""
    return kind_of(path, name).judge(path, name, _too_deep)


def _too_deep(path: Path, name: str) -> Verdict:
    """Nothing of ours is an archive in an archive in an archive, and the work would be without end."""
    return Verdict(name, (Finding("an archive in an archive that is in another itself"),))


def _judge(path: Path, name: str, bad: KnownBad) -> Verdict:
    """Verify one archive, as what it says it is."""
    verdict = judge_any(path, name)
    if fault := bad_among(verdict.holds, bad):
        return replace(verdict, findings=(*verdict.findings, Finding(fault)))
    return verdict
