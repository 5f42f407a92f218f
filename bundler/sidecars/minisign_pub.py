"""`minisign.pub`: the key that signs the release, for `minisign -V -p minisign.pub`.

Who verifies had better have it from elsewhere than from the release.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Final

from bundler.errors import IntegrityError
from bundler.model import minisign
from bundler.model.sidecar import SidecarFacts
from bundler.model.signatures import standing
from bundler.model.trust import Trust
from bundler.model.verdict import Finding

OF: Final = "release"
NAME = "minisign.pub"
LARGEST = minisign.LARGEST


def name(subject: str) -> str:
    """The file's name, the same on every release."""
    return NAME


def compose(trust: Trust, day: date) -> bytes | None:
    """The file with the first key of trust.yaml that makes releases on a day; None if there is none."""
    keys = (key.public for key in trust.keys if key.role == "release" and standing(key, day)[0] == "good")
    key = next(keys, None)
    return minisign.PublicFile(key).compose() if key else None


def render(facts: SidecarFacts) -> bytes | None:
    """The file with the key that signs, else with the first that could; None where trust.yaml names no key."""
    if not facts.trust.keys or facts.today is None:
        return None
    return minisign.PublicFile(facts.signer.public).compose() if facts.signer else compose(facts.trust, facts.today)


def findings(content: bytes | None, facts: SidecarFacts) -> Iterator[Finding]:
    """Yield where minisign would not take it; whose it is is its makers' word."""
    if content is None:
        return
    try:
        minisign.PublicFile.parse(content, NAME)
    except IntegrityError as error:
        yield Finding(error.message)
