"""`sign`: a folder that is whole gets all that stands beside its archives, and a signature over its SHA256SUMS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path

from bundler.adapters.cache_folder import STATES
from bundler.adapters.digest import sha256_of
from bundler.adapters.dist import Dist
from bundler.adapters.regular import read_regular
from bundler.errors import IntegrityError, UsageError, WorkError
from bundler.kinds import inputs_of
from bundler.kinds.manifests import Manifests, load_manifests, manifests_at_hand
from bundler.model.sidecar import NOTHING_TOLD, NOWHERE, Place, SidecarFacts
from bundler.model.signing import Signer
from bundler.model.trust import NOTHING_TRUSTED
from bundler.release.folder import VerifyReport, reading
from bundler.release.signing import folder_signer, public_files, signatures, signatures_in
from bundler.release.sources import builder_here, sources_at_hand
from bundler.release.whole import whole_folder
from bundler.session import Session
from bundler.sidecars import sums
from bundler.sidecars.table import beside, foreign
from bundler.transfer import script
from bundler.words import ARCHIVE


@dataclass(frozen=True)
class Signing:
    """Which release the folder holds (`place`; of none: nothing of it is known), and as whom it is signed.

    `name` is "" for what trust.yaml calls the key. `rebuilt`: only if each archive can be made anew, to the last byte.
    """

    place: Place = NOWHERE
    name: str = ""
    rebuilt: bool = False


@dataclass(frozen=True)
class SignReport:
    """The folder, its signatures, what was put `beside` archives, and whose key signed.

    `signed_by` is the key's name, else its fingerprint.
    """

    folder: Path
    files: tuple[str, ...]
    beside: tuple[str, ...]
    signed_by: str
    key: str


def sign(session: Session, folder: Path, signer: Signer, order: Signing) -> SignReport:
    """Verify a folder, then sign its SHA256SUMS in both forms. Signed again, it is the same.

    Who makes releases first puts what is missing beside the archives; what a release lists stays as it is. Raises
    PreflightError for a folder that is not whole, UsageError for a key that may not sign it, WorkError.
    """
    manifests = manifests_at_hand(session)
    trust, today = manifests.trust if manifests else NOTHING_TRUSTED, datetime.now(UTC).date()
    who = folder_signer(trust, signer, today, order.name)
    told = replace(NOTHING_TOLD, trust=trust, today=today, place=order.place)
    content, report = whole_folder(session, folder, told, "so it is not signed")
    if order.rebuilt:
        _made_anew(session, folder, content, order.place)
    completes = not (who.further or order.rebuilt or order.place.tag)
    files = _beside(session, folder, manifests, report, replace(told, signer=who)) if completes else {}
    digests = {name: sha256(made).hexdigest() for name, made in files.items()}
    after = sums.compose({**sums.parse(content.decode()), **digests}).encode()
    made = signatures(who, after, order.place)
    new = _place(session, folder, content, files, made)
    return SignReport(folder, tuple(made), new, who.name or signer.public.fingerprint, signer.public.fingerprint)


def _beside(
    session: Session, folder: Path, manifests: Manifests | None, report: VerifyReport, told: SidecarFacts
) -> Mapping[str, bytes]:
    """The sidecars of all archives of a folder, by name. Raises BundleError."""
    digests = {path.name: verdict.sha256 or sha256_of(path) for path, verdict in report.verdicts}
    sources = sources_at_hand(session, manifests, digests) if manifests else {}
    told = replace(reading(folder, told), inventories=report.inventories, sources=sources)
    told = replace(told, builder=builder_here(session.env))
    made: dict[str, bytes] = {}
    for name, digest in digests.items():
        made |= beside(name, replace(told, files={name: ((folder / name).stat().st_size, digest)}))
    return made


def _made_anew(session: Session, folder: Path, content: bytes, place: Place) -> None:
    """Make every archive that a SHA256SUMS lists anew.

    Raises IntegrityError if one differs, or there are files that no release of ours has; UsageError if one is not at
    hand, there is none, or the manifests and locks here do not make it; WorkError if one changed since it was verified.
    """
    from bundler.release.rebuild import Archive, rebuild, refuse_others  # large

    listed = sums.parse(content.decode())
    names = [name for name in listed if name.endswith(ARCHIVE)]
    applies = {script.NAME} if listed.get(script.NAME) == sha256(script.script()).hexdigest() else set()
    if others := foreign(listed.keys() - applies, place.tag):
        what = f"{folder}/{sums.NAME} lists what nothing here makes: {', '.join(others)}"
        raise IntegrityError(what, "a rebuilder's signature is of all that it lists; who put that there?")
    if not names:
        raise UsageError(f"{folder}/{sums.NAME} lists no archive", "give a folder that holds some")
    if absent := [name for name in names if not (folder / name).is_file()]:
        raise UsageError(f"not in {folder} as a whole: {', '.join(absent)}", "join its parts with cat, in their order")
    session.progress.say(f"making {len(names)} archives anew")
    refuse_others(rebuild(session, [Archive(folder / name, name, place.commit, listed[name]) for name in names]))


def _place(
    session: Session, folder: Path, content: bytes, files: Mapping[str, bytes], made: Mapping[str, bytes]
) -> tuple[str, ...]:
    """Put files beside archives, then signatures beside the SHA256SUMS that lists them; the names of files not there.

    Raises WorkError if that is another by now than was verified.
    """
    dist = Dist(folder, session.cache_dir / STATES, inputs_of)
    with dist.held(session.progress):
        if read_regular(folder / sums.NAME, sums.LARGEST) != content:
            raise WorkError(f"{folder}/{sums.NAME} changed while it was verified", "run again")
        others = signatures_in(folder)
        new = dist.add(files)
        if new and others:
            session.progress.say(f"note: removed, as they signed another {sums.NAME}: {', '.join(others)}")
        for name, signature in made.items():
            dist.put(name, signature)
    return new


def write_public(session: Session, day: date) -> Mapping[Path, bool]:
    """Write the files of public keys beside trust.yaml; by path, whether one was written or was right before.

    Raises UsageError where trust.yaml names no key.
    """
    workspace = session.workspace()
    files = public_files(load_manifests(workspace).trust, day)
    if not files:
        raise UsageError("trust.yaml names no key", "`aiws-bundle keygen` makes one; its public half goes there")
    changed = {name: content for name, content in files.items() if workspace.own_text(name) != content}
    for name, content in changed.items():
        workspace.write_own(name, content)
    return {workspace.folder / name: name in changed for name in files}
