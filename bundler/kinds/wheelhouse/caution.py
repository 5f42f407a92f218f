"""What is asked of an index before a file of it is locked: how old it is, whether it was yanked, who published it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from packaging.requirements import Requirement

from bundler.adapters.attestations import UnverifiedError, Verifier
from bundler.adapters.http import MissingError
from bundler.adapters.simple_page import IndexFile
from bundler.errors import LockError, UnreachableError
from bundler.kinds.wheelhouse.limits import Limits, least_young, limits_for
from bundler.model.attestation import LARGEST_PROVENANCE
from bundler.model.cooldown import Cooling
from bundler.model.locked_wheel import LockedWheel
from bundler.model.moment import uploaded_at
from bundler.model.publisher import Publisher
from bundler.model.trust import Cooldown
from bundler.model.wheel_name import is_made
from bundler.session import Network

_PROVENANCE = "application/vnd.pypi.integrity.v1+json"


@dataclass(frozen=True)
class Proof:
    """Who is proven to have published a file; `unverified` says why nobody is, though the index serves attestations."""

    publishers: tuple[Publisher, ...] = ()
    unverified: str = ""


class Caution:
    """Looks at what an index says of wheels, by the cooldown's rules of today. Threads may share it."""

    def __init__(self, network: Network, cooldown: Cooldown, jobs: int, say: Callable[[str], None]) -> None:
        self.cooling = Cooling(cooldown, datetime.now(UTC).date())
        self._network, self._jobs, self._say = network, jobs, say
        self._verifier = Verifier()
        self._said: set[str] = set()
        self._saying = threading.Lock()

    def listed(self, wheels: Iterable[LockedWheel]) -> Mapping[str, IndexFile]:
        """What the index says of wheels, by SHA-256; those are left out that no index has, or that it does not list.

        Raises UnreachableError.
        """
        published = [wheel for wheel in wheels if not (wheel.source or is_made(wheel.filename))]
        with ThreadPoolExecutor(self._jobs) as pool:
            files = list(pool.map(self._listed, published))
        return {wheel.sha256: file for wheel, file in zip(published, files, strict=True) if file}

    def _listed(self, wheel: LockedWheel) -> IndexFile | None:
        named = (file for file in self._files(wheel.project) if file.filename == wheel.filename)
        return next((file for file in named if file.sha256 in (wheel.sha256, None)), None)

    def _files(self, project: str) -> Sequence[IndexFile]:
        try:
            return self._network.index.files(project)
        except MissingError:
            return ()

    def withdrawn(self, wheels: Iterable[LockedWheel]) -> Mapping[str, str]:
        """Why wheels were yanked from the index (PEP 592), by SHA-256, of those that were. Raises UnreachableError."""
        return _yanked(self.listed(wheels))

    def limits(self, asked: str, before: Sequence[LockedWheel], *, explicit: bool) -> Limits:
        """What the resolver may see. An `explicit` moment is not made earlier: what is too young is refused by name."""
        if explicit or not self.cooling.rule.days:
            return Limits(asked)
        listed = self.listed(before)
        kept = [
            replace(wheel, uploaded=uploaded_at(listed[wheel.sha256].uploaded))
            for wheel in before
            if wheel.sha256 in listed
        ]
        return limits_for(self.cooling, asked, kept, self._files)

    def resolved(self, limits: Limits, ask: Callable[[Limits], str], requirement: str) -> str:
        """What the resolver answers within `limits`. `requirement` is one that the index has, if it has anything.

        If nothing fits for the cooldown alone, the answer has files that `refuse` names. Raises what `ask` raises.
        """
        try:
            return ask(limits)
        except LockError:
            if not self._tells_times(Requirement(requirement).name):
                self._say_once(
                    "the index does not tell when files were uploaded: neither the cooldown nor a date holds"
                )
                return ask(replace(limits, newest="", projects={}))
            if limits.asked <= limits.newest:
                raise
            return least_young(limits, ask)

    def _tells_times(self, project: str) -> bool:
        try:
            files = self._files(project)
        except UnreachableError:
            return True  # the resolver says it better
        return not files or any(uploaded_at(file.uploaded) for file in files)

    def refuse(self, subject: str, wheels: Sequence[LockedWheel], kept: Collection[str]) -> list[LockedWheel]:
        """Return wheels with the time of their upload. Raises LockError for what was yanked, or is too young.

        Those whose SHA-256 is among `kept` were locked before, and may be young.
        """
        listed = self.listed(wheels)
        timed = [
            replace(wheel, uploaded=uploaded_at(listed[wheel.sha256].uploaded)) if wheel.sha256 in listed else wheel
            for wheel in wheels
        ]
        reasons = _yanked(listed)
        if yanked := [
            f"{one.project} {one.version} was yanked from the index: {reasons[one.sha256]}"
            for one in wheels
            if one.sha256 in reasons
        ]:
            hint = "ask for another version of it, or of what asks for it"
            raise LockError("\n".join((f"{subject}: {yanked[0]}", *yanked[1:])), hint)
        held = self.cooling.holds_back
        young = [one for one in timed if one.sha256 not in kept and held(one.project, one.version, one.uploaded)]
        if young:
            aged = [
                f"{one.project} {one.version} was {self.cooling.told(one.uploaded)}" for one in young if one.uploaded
            ]
            raise LockError(
                "\n".join((f"{subject}: {aged[0]}", *aged[1:])),
                "wait; or, for what cannot, say why in manifests/trust.yaml, below `cooldown:`, `exceptions:` "
                f"{self.cooling.exceptions_for(young)}",
            )
        return timed

    def proven(
        self, wheels: Sequence[LockedWheel], known: Mapping[str, tuple[Publisher, ...]]
    ) -> tuple[list[LockedWheel], Mapping[str, str]]:
        """Return wheels with their publishers, and of which projects these could not be verified, and why.

        `known` are publishers that a lock has already, by SHA-256. Raises IntegrityError for an attestation that does
        not hold, UnreachableError for one that is listed and cannot be had.
        """
        listed = self.listed(wheels)

        def proof_of(wheel: LockedWheel) -> Proof:
            if found := known.get(wheel.sha256):
                return Proof(found)
            address = listed[wheel.sha256].provenance if wheel.sha256 in listed else ""
            key = ("provenance", wheel.filename, wheel.sha256)
            return self._network.once(key, lambda: self._proof(wheel, address)) if address else Proof()

        with ThreadPoolExecutor(self._jobs) as pool:
            proofs = list(pool.map(proof_of, wheels))
        unverified = {
            one.project: proof.unverified for one, proof in zip(wheels, proofs, strict=True) if proof.unverified
        }
        for why in dict.fromkeys(unverified.values()):
            self._say_once(f"publishers are not recorded, though the index serves attestations: {why}")
        return [replace(w, publishers=proof.publishers) for w, proof in zip(wheels, proofs, strict=True)], unverified

    def _proof(self, wheel: LockedWheel, address: str) -> Proof:
        content = self._network.http.get(address, _PROVENANCE, LARGEST_PROVENANCE).content
        try:
            return Proof(self._verifier.publishers(content, wheel.filename, wheel.sha256))
        except UnverifiedError as error:
            return Proof(unverified=str(error))

    def _say_once(self, text: str) -> None:
        with self._saying:
            if text not in self._said:
                self._said.add(text)
                self._say(text)


def _yanked(listed: Mapping[str, IndexFile]) -> dict[str, str]:
    return {sha256: file.reason or "no reason is given" for sha256, file in listed.items() if file.yanked}
