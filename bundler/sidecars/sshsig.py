"""`SHA256SUMS.sig`: the signature of a SHA256SUMS, for `ssh-keygen -Y verify -f allowed_signers -n TAG@aiws-bundle`.

Who signed, and whether that is enough, is judged of all signatures together (`model.signatures`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from bundler.model import sshsig
from bundler.model.sidecar import SidecarFacts
from bundler.model.signatures import file_name
from bundler.model.statement import Statement
from bundler.model.verdict import Finding
from bundler.words import SUMS

OF: Final = "release"
LARGEST = sshsig.LARGEST


def name(subject: str) -> str:
    """The file's name, the same on every release."""
    return file_name("ssh")


def render(facts: SidecarFacts) -> bytes | None:
    """The signature, whose namespace says of which release it is; None where nobody signs. Raises BundleError."""
    if facts.signer is None:
        return None
    return sshsig.compose(facts.signer, b"".join(facts.read(SUMS)), Statement(tag=facts.place.tag).namespace)


def findings(content: bytes | None, facts: SidecarFacts) -> Iterator[Finding]:
    """Yield nothing."""
    yield from ()
