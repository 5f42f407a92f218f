"""Verifies what an index serves as proof of who published a file (PEP 740): pypi-attestations, an optional extra."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from bundler.errors import IntegrityError, printable
from bundler.model.attestation import UnknownKindError, read_provenance
from bundler.model.publisher import Publisher

if TYPE_CHECKING:
    from pypi_attestations import Provenance

_MOST_WORDS = 300
_HINT = (
    "the index, a mirror or the network may lie: do not use the file; only if sigstore changed its keys since, an "
    "upgrade of the package sigstore, or a network that reaches its trust root, mends it"
)


class UnverifiedError(Exception):
    """That attestations cannot be judged here, and why: neither good nor bad."""


class Verifier:
    """Judges provenance objects. Threads may share it.

    Sigstore's trust root is the one that came with the package sigstore, or that it fetched before. Only for what does
    not hold by that one, the newest is asked for, once: `refresh` allows it.
    """

    def __init__(self, *, refresh: bool = True) -> None:
        self._refresh = refresh
        self._one_at_a_time = threading.Lock()  # sigstore keeps its trust root in a file

    def publishers(self, content: bytes, filename: str, sha256: str) -> tuple[Publisher, ...]:
        """Return who is proven to have published the file of this name and digest, by a provenance object.

        Raises IntegrityError if any attestation in it does not hold, UnverifiedError if that cannot be told.
        """
        try:
            named = read_provenance(content)
        except UnknownKindError as error:
            raise UnverifiedError(str(error)) from error
        except ValueError as error:
            raise _refused(filename, error) from error
        try:
            from pypi_attestations import Provenance  # large, and not everywhere
        except ImportError as error:
            raise UnverifiedError("pypi-attestations is not installed: the extra `attestations`") from error
        logging.getLogger("sigstore").setLevel(logging.CRITICAL)  # what matters is raised
        try:
            provenance = Provenance.model_validate_json(content)
        except ValueError as error:
            raise _refused(filename, ValueError("it is no provenance object")) from error
        with self._one_at_a_time:
            self._verify(provenance, filename, sha256)
        return named

    def _verify(self, provenance: Provenance, filename: str, sha256: str) -> None:
        try:
            _verify(provenance, filename, sha256, offline=True)
        except OSError as error:
            raise UnverifiedError(f"sigstore's trust root cannot be read: {error.strerror}") from error
        except Exception as error:
            if not self._refresh:
                raise _refused(filename, error) from error
            self._refresh = False
            try:
                _verify(provenance, filename, sha256, offline=False)
            except Exception:
                raise _refused(filename, error) from error


def _verify(provenance: Provenance, filename: str, sha256: str, *, offline: bool) -> None:
    """Raise unless every attestation holds: AttestationError, sigstore's Error, of odd certificates x509's own."""
    from pypi_attestations import Distribution

    file = Distribution(name=filename, digest=sha256)
    for bundle in provenance.attestation_bundles:
        for attestation in bundle.attestations:
            attestation.verify(bundle.publisher, file, offline=offline)


def _refused(filename: str, error: Exception) -> IntegrityError:
    reason = printable(str(error)[:_MOST_WORDS]).replace("\n", " ")
    return IntegrityError(f"{filename}: what the index serves as proof of its publisher does not hold: {reason}", _HINT)
