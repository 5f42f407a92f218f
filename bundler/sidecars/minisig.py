"""`SHA256SUMS.minisig`: the signature of a SHA256SUMS, for `minisign -Vm SHA256SUMS -p minisign.pub`.

Who signed, and whether that is enough, is judged of all signatures together (`model.signatures`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Final

from bundler.model import minisign
from bundler.model.sidecar import SidecarFacts
from bundler.model.signatures import file_name
from bundler.model.statement import Statement
from bundler.model.verdict import Finding
from bundler.words import SUMS

OF: Final = "release"
LARGEST = minisign.LARGEST


def name(subject: str) -> str:
    """The file's name, the same on every release."""
    return file_name("minisign")


def render(facts: SidecarFacts) -> bytes | None:
    """The signature, which says of which release it is; None where nobody signs. Raises BundleError."""
    if facts.signer is None:
        return None
    content, place = b"".join(facts.read(SUMS)), facts.place
    said = Statement(place.tag, place.commit, hashlib.sha256(content).hexdigest(), place.date)
    return minisign.compose(facts.signer, content, said.comment)


def findings(content: bytes | None, facts: SidecarFacts) -> Iterator[Finding]:
    """Yield nothing."""
    yield from ()
