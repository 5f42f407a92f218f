"""Which release nothing that is verified may be older than, as it was asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bundler.adapters.regular import read_regular
from bundler.errors import UsageError
from bundler.model.floor import Floor
from bundler.model.moment import utc
from bundler.model.release import parse_tag
from bundler.model.sidecar import SidecarFacts
from bundler.model.signatures import Demand, form_of
from bundler.model.statement import Statement
from bundler.model.trust import Trust
from bundler.release.beside import Text
from bundler.release.signed import signatures_of
from bundler.sidecars import sums

HINT = "give a TAG, a DATE such as 2027-01-31, TAG@DATE, or a folder that holds an earlier, signed release"


def asked(text: str, told: SidecarFacts) -> Floor:
    """Parse what was asked for; a folder, or a file in it, is read. Raises UsageError.

    What a folder says counts only as far as its signatures do, whenever they were made.
    """
    path = Path(text)
    if path.exists():
        return _of_folder(path if path.is_dir() else path.parent, told)
    tag, _, moment = text.rpartition("@")
    if date := _date(moment):
        return Floor(parse_tag(tag) if tag else "", date)
    if tag or not moment:
        raise UsageError(f"--not-older-than {text!r} says no release", HINT)
    return Floor(parse_tag(moment))


def said_of(told: SidecarFacts, text: Text) -> Statement | None:
    """What the signatures of an earlier release say, also those of keys whose days are over."""
    keys = tuple(replace(key, valid_from=None, valid_until=None) for key in told.trust.keys)
    return signatures_of(replace(told, trust=Trust(keys), demand=Demand(least=0)), text).said


def _date(text: str) -> str:
    try:
        return utc(text)
    except ValueError:
        return ""


def _of_folder(folder: Path, told: SidecarFacts) -> Floor:
    """Raises UsageError for a folder of which nobody who is known says what it holds."""
    there = {sums.NAME, *(path.name for path in folder.glob(f"{sums.NAME}.*") if form_of(path.name))}
    if not (folder / sums.NAME).is_file():
        raise UsageError(f"{folder} holds no {sums.NAME}", HINT)
    facts = replace(told, files=dict.fromkeys(there, (0, "")))
    said = said_of(facts, lambda name, limit: read_regular(folder / name, limit))
    if said is None or not (said.tag or said.date):
        raise UsageError(f"{folder}: no signature that counts says which release this is", HINT)
    return Floor(said.tag, said.date)
