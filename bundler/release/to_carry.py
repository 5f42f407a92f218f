"""What of a release a set carries: every file of a folder, or of a release on GitHub, once it is verified."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path

from bundler.adapters.regular import read_regular
from bundler.kinds.manifests import manifests_at_hand
from bundler.model.sidecar import NOTHING_TOLD, SidecarFacts
from bundler.model.signatures import Demand
from bundler.model.trust import NOTHING_TRUSTED
from bundler.release.home import addresses
from bundler.release.whole import refuse_unless_whole, whole_folder
from bundler.session import Session
from bundler.sidecars import sums
from bundler.sidecars.table import over_release

# name -> where it is and its SHA-256 (hex).
Files = Mapping[str, tuple[Path, str]]

_SO = "so no set is made of it"


def to_carry(session: Session, subject: str) -> Files:
    """Verify a folder, or a release, and return its files; what no list names is not among them.

    Raises PreflightError if it is not whole or not signed as the manifests at hand require; UsageError, WorkError.
    """
    manifests = manifests_at_hand(session)
    told = replace(
        NOTHING_TOLD,
        trust=manifests.trust if manifests else NOTHING_TRUSTED,
        today=_today(),
        demand=Demand(),
    )
    if address := addresses([subject], manifests).get(subject):
        return _of_release(session, address, told)
    return _of_folder(session, Path(subject), told)


def _of_folder(session: Session, folder: Path, told: SidecarFacts) -> Files:
    content, _ = whole_folder(session, folder, told, _SO)
    listed = sums.parse(content.decode("utf-8", "replace"), str(folder / sums.NAME))
    own = {name for name in over_release("") if (folder / name).is_file()} - listed.keys() - {sums.NAME}
    signatures = {one.name for one in folder.glob(f"{sums.NAME}.*") if one.is_file()}
    small = {name: read_regular(folder / name, sums.LARGEST) for name in sorted(own | signatures)}
    digests = {**listed, sums.NAME: sha256(content).hexdigest()}
    digests |= {name: sha256(one).hexdigest() for name, one in small.items()}
    return {name: (folder / name, digest) for name, digest in digests.items() if (folder / name).is_file()}


def _of_release(session: Session, address: tuple[str, str], told: SidecarFacts) -> Files:
    from bundler.release.verify import verify_release  # large: HTTP and TLS

    report = verify_release(session, *address, told, digests_only=False)
    verdicts = ((one.name, one) for one in report.verdicts)
    refuse_unless_whole(f"{report.repository}@{report.tag}", report.findings, verdicts, _SO)
    store = session.store()
    return {name: (store.path(digest), digest) for name, (_, digest) in report.assets.items()}


def _today() -> date:
    return datetime.now(UTC).date()
