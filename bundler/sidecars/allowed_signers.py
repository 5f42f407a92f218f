"""`allowed_signers`: the keys that make releases and are not revoked, for `ssh-keygen -Y verify -f allowed_signers`.

It says whom the release's makers trust. Who verifies had better have it from elsewhere than from the release. It has no
rebuilders: neither ssh-keygen nor install.sh knows roles, so each of them alone could sign a release of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from bundler.errors import IntegrityError
from bundler.model import allowed_signers
from bundler.model.allowed_signers import AllowedSigner
from bundler.model.sidecar import SidecarFacts
from bundler.model.statement import SPACE
from bundler.model.trust import Trust
from bundler.model.verdict import Finding

OF: Final = "release"
NAME = "allowed_signers"
LARGEST = allowed_signers.LARGEST


def name(subject: str) -> str:
    """The file's name, the same on every release."""
    return NAME


def compose(trust: Trust) -> bytes | None:
    """The file; None where no key that makes releases counts."""
    makers = (key for key in trust.keys if key.role == "release" and not key.revoked)
    lines = tuple(AllowedSigner.of(key, f"*@{SPACE}") for key in makers)
    return allowed_signers.compose(lines) if lines else None


def render(facts: SidecarFacts) -> bytes | None:
    """The file; None where trust.yaml names no key."""
    return compose(facts.trust)


def findings(content: bytes | None, facts: SidecarFacts) -> Iterator[Finding]:
    """Yield where ssh-keygen would not take it; whom it names is its makers' word."""
    if content is None:
        return
    try:
        allowed_signers.parse(content, NAME)
    except IntegrityError as error:
        yield Finding(error.message)
