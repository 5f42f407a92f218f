"""Find the signatures of a SHA256SUMS, of a folder or of a release, and have them judged together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bundler.errors import IntegrityError, UsageError
from bundler.model.sidecar import SidecarFacts
from bundler.model.signatures import LARGEST, NOBODY, Signed, form_of, judge
from bundler.model.statement import Statement
from bundler.model.verdict import Finding
from bundler.release.beside import Text
from bundler.sidecars import sums


def signatures_of(there: SidecarFacts, text: Text) -> Signed:
    """Judge who signed the SHA256SUMS that is `there`; nothing is said where nobody asks, or where none is.

    Raises what `text` does but IntegrityError and UsageError.
    """
    if there.demand is None or there.today is None or sums.NAME not in there.files:
        return NOBODY
    try:
        content = text(sums.NAME, sums.LARGEST)
    except (IntegrityError, UsageError):  # which is found of SHA256SUMS itself
        return NOBODY
    files, unread = {}, []
    for name in filter(form_of, there.files):
        try:
            files[name] = text(name, LARGEST)
        except (IntegrityError, UsageError) as error:
            unread.append(Finding(error.message))
    said = Statement(there.place.tag, there.place.commit)
    found = judge(content, files, there.trust, there.today, said, there.demand)
    return replace(found, findings=(*unread, *found.findings, *_strays(there)))


def _strays(there: SidecarFacts) -> Iterator[Finding]:
    """What is called as a signature is and is none: SHA256SUMS does not cover it, and nothing else does."""
    for name in sorted(there.files):
        if name != sums.NAME and not sums.covers(name) and form_of(name) is None:
            yield Finding(f"{name}: surplus: no signature is called so", "integrity" if there.place.tag else "note")
