"""Who signed a SHA256SUMS, and whether that is enough.

1. A key counts, not a file: `SHA256SUMS.minisig` and `SHA256SUMS.sig` of one key are one signature.
2. A key counts if trust.yaml names it, its days have begun and not ended, and it is not revoked.
3. What it signed must be this SHA256SUMS, and be said to be of this release (`statement`).
4. Of each role as many keys must have signed as trust.yaml requires; of all roles together as many as were asked for.
5. Each file that does not count is told. It is wrong (exit code 3) whatever else there is, but for one that only adds
   to others (`SHA256SUMS.NAME.sig`) with a key that nobody here knows: that one is as good as not there.
6. Where no key is known nothing is required, and that nothing is proven of whose the files are is told.

With `release-2027` (release) and `alice` (rebuilder) in trust.yaml, and `require: {release: 1, rebuilder: 1}`:

    SHA256SUMS.minisig, SHA256SUMS.sig      both of release-2027: one key
    SHA256SUMS.alice.minisig                alice: one key more, so the requirement is met; --require 3 is not
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal, TypeAlias

from bundler.errors import IntegrityError
from bundler.model import minisign, sshsig
from bundler.model.floor import Floor, below
from bundler.model.public_key import PublicKey
from bundler.model.statement import NOTHING_SAID, Statement
from bundler.model.trust import Role, Trust, TrustedKey
from bundler.model.verdict import Finding
from bundler.words import SUMS

Form: TypeAlias = Literal["minisign", "ssh"]
State: TypeAlias = Literal["good", "unknown", "wrong", "not yet valid", "expired", "revoked"]
SUFFIXES: Mapping[Form, str] = {"minisign": ".minisig", "ssh": ".sig"}
LARGEST = max(minisign.LARGEST, sshsig.LARGEST)
_GET = "get its signatures from where the release is; of a folder that you made: `aiws-bundle sign`, or --require 0"
_FILE = re.compile(rf"{SUMS}(?:\.(?P<signer>[A-Za-z0-9._-]+))?(?P<suffix>\.minisig|\.sig)")


@dataclass(frozen=True)
class Demand:
    """What signatures must show beside what trust.yaml requires.

    At least so many keys (`least`; 0: none at all is fine), that the release is not older than `floor`; and with
    `insist`, that even a single archive has signatures beside it.
    """

    least: int | None = None
    floor: Floor | None = None
    insist: bool = False


NO_DEMAND = Demand()


@dataclass(frozen=True)
class Signature:
    """A file that signs, and what became of it. `key` is how its form shows the key, `why` what keeps it from counting.

    `signer` and `role` are those of trust.yaml, "" and None of a key that is not there.
    """

    file: str
    form: Form
    key: str = ""
    signer: str = ""
    role: Role | None = None
    state: State = "good"
    said: Statement = NOTHING_SAID
    why: str = ""


@dataclass(frozen=True)
class Signed:
    """All signatures of one SHA256SUMS, and what is wrong with them, or lacks."""

    signatures: tuple[Signature, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def good(self) -> tuple[Signature, ...]:
        """Those that count."""
        return tuple(one for one in self.signatures if one.state == "good")

    @property
    def signers(self) -> Mapping[str, tuple[Form, ...]]:
        """Whose keys count, by their names, and in which forms each signed."""
        names = dict.fromkeys(one.signer for one in self.good)
        return {name: tuple(one.form for one in self.good if one.signer == name) for name in names}

    @property
    def said(self) -> Statement | None:
        """What the signatures that count say of the release: who makes it first, and who says most."""
        order = sorted(self.good, key=lambda one: (one.role != "release", not one.said.date, not one.said.sha256))
        return order[0].said if order else None


NOBODY = Signed()


def file_name(form: Form, signer: str = "") -> str:
    """The name of the file in which a signature stands; `signer` is who signs beside who makes the release.

    GitHub does not keep an @ in a file's name.
    """
    return f"{SUMS}{f'.{signer}' if signer else ''}{SUFFIXES[form]}".replace("@", ".")


def form_of(name: str) -> Form | None:
    """The form of the signature of a SHA256SUMS that a file of this name is; None for any other name."""
    match = _FILE.fullmatch(name)
    return next(form for form, suffix in SUFFIXES.items() if suffix == match["suffix"]) if match else None


def is_further(name: str) -> bool:
    """Say whether a file of this name is a signature that somebody else added to those of who makes the release."""
    match = _FILE.fullmatch(name)
    return bool(match and match["signer"])


def standing(key: TrustedKey, day: date) -> tuple[State, str]:
    """Whether a key counts on a day, and if not, why."""
    if key.revoked and day >= key.revoked.since:
        return "revoked", f"{key.name} is revoked since {key.revoked.since}: {key.revoked.reason}"
    if key.valid_from and day < key.valid_from:
        return "not yet valid", f"{key.name} is valid from {key.valid_from} on, and it is {day}"
    if key.valid_until and day > key.valid_until:
        hint = "--verify-time DATE takes what was signed before, if you know that it was"
        return "expired", f"{key.name} was valid until {key.valid_until}, and it is {day}; {hint}"
    return "good", ""


def judge(
    content: bytes,
    files: Mapping[str, bytes],
    trust: Trust,
    day: date,
    release: Statement = NOTHING_SAID,
    demand: Demand = NO_DEMAND,
) -> Signed:
    """Judge the signatures (name -> bytes) of a SHA256SUMS; `release` is what is known of that which it is of."""
    digest = hashlib.sha256(content).hexdigest()
    judged = (_judged(name, there, content, trust, day) for name, there in sorted(files.items()))
    signed = Signed(tuple(_compared(one, replace(release, sha256=digest)) for one in judged))
    return replace(signed, findings=tuple(_findings(signed, trust, demand)))


@dataclass(frozen=True)
class _Read:
    """A signature as its form shows it: the key, what it says, and why it is not a key's (`fault`).

    `public_of` is a key of trust.yaml as it is to be compared, None if it is another. `own` is the key that it holds
    itself, if its form has that.
    """

    key: str
    said: Callable[[], Statement]
    public_of: Callable[[TrustedKey], PublicKey | None]
    fault: Callable[[PublicKey], str]
    own: PublicKey | None = None


def _judged(name: str, there: bytes, content: bytes, trust: Trust, day: date) -> Signature:
    """Judge one file by itself: whose it is, whether it fits the content, and whether that key counts."""
    form = form_of(name) or "minisign"
    key = ""
    try:
        read = _minisig(name, there, content) if form == "minisign" else _sshsig(name, there, content)
        key = read.key
        owner, public = _owner(read, trust.keys)
        if public and (fault := read.fault(public)):
            raise ValueError(fault)
        found = Signature(name, form, key, said=read.said())
    except (IntegrityError, ValueError) as error:
        return Signature(name, form, key, state="wrong", why=str(error).removeprefix(f"{name}: "))
    if owner is None:
        return replace(found, state="unknown", why=f"made with a key that is not known here ({key})")
    state, why = standing(owner, day)
    return replace(found, signer=owner.name, role=owner.role, state=state, why=why)


def _owner(read: _Read, keys: Sequence[TrustedKey]) -> tuple[TrustedKey | None, PublicKey | None]:
    """Whose a signature is, and the key to compare it with: of several keys with the same id that which it fits."""
    possible = [(key, public) for key in keys if (public := read.public_of(key))]
    fitting = (pair for pair in possible if not read.fault(pair[1]))
    return next(fitting, possible[0] if possible else (None, read.own))


def _minisig(name: str, there: bytes, content: bytes) -> _Read:
    """Read one of minisign. Of a key that trust.yaml spells as OpenSSH does, the id is not known: any may be its."""
    sig = minisign.parse(there, name)

    def public_of(key: TrustedKey) -> PublicKey | None:
        if key.public.key_id == sig.key_id:
            return key.public
        public = PublicKey(key.public.raw, sig.key_id)
        return public if key.key.startswith("ssh-") and not minisign.fault(sig, public, content) else None

    return _Read(
        minisign.shown_id(sig.key_id),
        lambda: Statement.of_comment(sig.comment),
        public_of,
        lambda public: minisign.fault(sig, public, content),
    )


def _sshsig(name: str, there: bytes, content: bytes) -> _Read:
    sig = sshsig.parse(there, name)
    return _Read(
        sig.key.fingerprint,
        lambda: Statement.of_namespace(sig.namespace),
        lambda key: key.public if key.public.raw == sig.key.raw else None,
        lambda public: sshsig.fault(sig, public, content, sig.namespace),
        sig.key,
    )


def _compared(one: Signature, release: Statement) -> Signature:
    """Compare what a signature says with the release that it is found on."""
    if one.state != "wrong" and (fault := one.said.unlike(release.tag, release.commit, release.sha256)):
        return replace(one, state="wrong", why=fault)
    return one


def _findings(signed: Signed, trust: Trust, demand: Demand) -> Iterator[Finding]:
    for one in signed.signatures:
        if one.state not in ("good", "unknown") or (one.state == "unknown" and trust.keys):
            optional = one.state == "unknown" and is_further(one.file)
            yield Finding(f"{one.file}: does not count: {one.why}", "note" if optional else "integrity")
    yield from _contradictions(signed.good)
    if trust.keys:
        yield from _lacking(signed, trust, demand)
    else:
        yield _unproven(signed, demand)
    if demand.floor and (fault := below(signed.said, demand.floor)):
        yield Finding(f"{SUMS}: {fault}")


def _contradictions(good: Sequence[Signature]) -> Iterator[Finding]:
    """Signatures of one SHA256SUMS that are said to be of two releases: some of them were put here."""
    for word in ("tag", "commit"):
        told = {value: one.file for one in good if (value := str(getattr(one.said, word)))}
        if len(told) > 1:
            both = " and ".join(f"{value} ({file})" for value, file in told.items())
            yield Finding(f"{SUMS}: its signatures are of two releases: {both}")


def _lacking(signed: Signed, trust: Trust, demand: Demand) -> Iterator[Finding]:
    """How many keys more must have signed."""
    if demand.least == 0:
        if not signed.good:
            yield Finding(f"{SUMS}: who made it is not proven: nobody signed it whose key is known here", "note")
        return
    for role, number in trust.required.items():
        there = len({one.signer for one in signed.good if one.role == role})
        if there < number:
            yield Finding(
                f"{SUMS}: {_counted(there, number, f'{role} key')}, of those that trust.yaml names\n    {_GET}"
            )
    if demand.least and len(signed.signers) < demand.least:
        yield Finding(f"{SUMS}: {_counted(len(signed.signers), demand.least, 'key')}, whoever they are\n    {_GET}")


def _counted(there: int, number: int, what: str) -> str:
    """How many signed, of how many that must."""
    return f"signed by {there or 'no'} {what}{'s' if there != 1 else ''}, and {number} must have signed it"


def _unproven(signed: Signed, demand: Demand) -> Finding:
    """Say what is not proven where no key is known."""
    names = f" ({', '.join(one.file for one in signed.signatures)} cannot be checked)" if signed.signatures else ""
    message = (
        f"{SUMS}: who made it is not proven, as no key is known here{names}\n"
        "    the files are what it lists, which whoever made them could have written; "
        "keys stand in trust.yaml, or in a file that --trusted names"
    )
    return Finding(message, "integrity" if demand.least else "note")
