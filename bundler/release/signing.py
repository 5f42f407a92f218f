"""Who signs what is published, and which signatures of others go with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from bundler.adapters.regular import read_regular
from bundler.errors import UsageError
from bundler.model.public_key import PublicKey
from bundler.model.sidecar import Place, SidecarFacts
from bundler.model.signatures import LARGEST, SUFFIXES, file_name, form_of, is_further, judge, standing
from bundler.model.signing import Signer
from bundler.model.statement import Statement
from bundler.model.trust import Trust, is_key_name
from bundler.sidecars import allowed_signers, minisign_pub
from bundler.sidecars.table import SIDECARS
from bundler.words import SUMS

_UNSIGNED = "--unsigned publishes without a signature"
_ADD_IT = f"give another key, or name this one in trust.yaml; {_UNSIGNED}"


@dataclass(frozen=True)
class Named:
    """A key under the id and the name that trust.yaml gives it, "" without an entry; `further`: it makes no releases.

    What it signed once it knows: an agent is asked only once.
    """

    signer: Signer
    public: PublicKey
    name: str = ""
    further: bool = False
    _signed: dict[bytes, bytes] = field(default_factory=dict, repr=False)

    def sign(self, message: bytes) -> bytes:
        """The signature of a message, 64 bytes. Raises BundleError."""
        if message not in self._signed:
            self._signed[message] = self.signer.sign(message)
        return self._signed[message]


def name_of(told: SidecarFacts) -> str:
    """What who signs is called: the name in trust.yaml, else the key's fingerprint; "" for nobody."""
    if told.signer is None:
        return ""
    fingerprint = told.signer.public.fingerprint
    entry = told.trust.key_of(fingerprint)
    return entry.name if entry else fingerprint


def release_signer(trust: Trust, signer: Signer | None, day: date, *, unsigned: bool) -> Signer | None:
    """Who signs a release; None for nobody. Raises UsageError where trust.yaml wants it signed otherwise."""
    if unsigned:
        return None
    makers = [key for key in trust.keys if key.role == "release"]
    if signer is None:
        if makers:
            hint = f"set AIWS_SIGNING_KEY, or give --key FILE; {_UNSIGNED}"
            raise UsageError("trust.yaml names keys that sign releases, and none is at hand", hint)
        return None
    entry = trust.key_of(signer.public.fingerprint)
    if not trust.keys:
        return Named(signer, signer.public)
    if entry is None:
        raise UsageError(f"the key at hand ({signer.public.fingerprint}) is not in trust.yaml", _ADD_IT)
    if entry.role != "release":
        raise UsageError(f"{entry.name} is the key of a {entry.role}, which makes no releases", _ADD_IT)
    if why := standing(entry, day)[1]:
        raise UsageError(f"the key at hand does not count: {why}", _ADD_IT)
    return Named(signer, entry.public, entry.name)


def folder_signer(trust: Trust, signer: Signer, day: date, name: str = "") -> Named:
    """Who signs a folder; `name` is what is told of a key without an entry. Raises UsageError."""
    entry = trust.key_of(signer.public.fingerprint)
    if name and not is_key_name(name):
        raise UsageError(f"--as {name!r} is no name", "letters, digits and ._@- make one")
    if entry is None:
        if trust.keys and not name:
            hint = "name it there, or say with --as NAME who adds a signature"
            raise UsageError(f"the key at hand ({signer.public.fingerprint}) is not in trust.yaml", hint)
        return Named(signer, signer.public, name, further=bool(name))
    if name not in ("", entry.name):
        raise UsageError(f"trust.yaml calls the key at hand {entry.name}, not {name}", "leave --as out")
    if why := standing(entry, day)[1]:
        raise UsageError(f"the key at hand does not count: {why}", "give another key, or mend trust.yaml")
    return Named(signer, entry.public, entry.name, further=entry.role != "release")


def signatures(who: Named, content: bytes, place: Place) -> Mapping[str, bytes]:
    """The signatures of a SHA256SUMS in every form, by file name. Raises BundleError."""
    facts = SidecarFacts({SUMS: (len(content), "")}, lambda name: iter((content,)), place=place, signer=who)
    made = {one.name(place.tag): one.render(facts) for one in SIDECARS if form_of(one.name(place.tag))}
    named = {file_name(form, who.name if who.further else ""): made[file_name(form)] for form in SUFFIXES}
    return {name: signature for name, signature in named.items() if signature is not None}


def public_files(trust: Trust, day: date) -> Mapping[str, str]:
    """The files that say whose signatures count, for those who verify with minisign and ssh-keygen, by name."""
    found = {
        allowed_signers.NAME: allowed_signers.compose(trust),
        minisign_pub.NAME: minisign_pub.compose(trust, day),
    }
    return {name: content.decode() for name, content in found.items() if content}


def signatures_in(folder: Path) -> Mapping[str, bytes]:
    """What others signed, of the files of a folder, by name. Raises UsageError; OSError."""
    names = sorted(path.name for path in folder.glob(f"{SUMS}.*") if is_further(path.name))
    return {name: read_regular(folder / name, LARGEST) for name in names}


def fitting(files: Mapping[str, bytes], sums: bytes, trust: Trust, day: date, said: Statement) -> Iterator[str]:
    """Yield the names of the signatures (name -> bytes) that count for a release's SHA256SUMS."""
    yield from (one.file for one in judge(sums, files, trust, day, said).good)
