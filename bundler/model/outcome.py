"""What became of one archive that was asked for."""

from __future__ import annotations

from dataclasses import dataclass

from bundler.errors import BundleError


@dataclass(frozen=True)
class Outcome:
    """What became of one order, a target or a platform: `state` is built, unchanged or failed; size in bytes.

    `lacking` says why the archive is without the database support that the manifest asks for; "" if it is not.
    """

    target: str
    asset: str
    state: str
    size: int = 0
    sha256: str = ""
    error: BundleError | None = None
    lacking: str = ""
