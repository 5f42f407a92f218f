"""Whose signatures count by a file that was got apart from what is verified: trust.yaml, minisign.pub, allowed_signers.

All keys of the last two count as those that make releases, and one of them must have signed.
"""

from __future__ import annotations

from datetime import date, time, timedelta
from pathlib import Path

from bundler.adapters.regular import read_regular
from bundler.errors import BundleError, IntegrityError, UsageError
from bundler.model import allowed_signers, minisign
from bundler.model.allowed_signers import AllowedSigner
from bundler.model.document import parse_yaml
from bundler.model.manifest_values import adapter_of
from bundler.model.public_key import PublicKey
from bundler.model.statement import SPACE
from bundler.model.trust import Trust, TrustedKey
from bundler.model.validation import validate

_LARGEST = 1 << 20
_MANIFESTS = (".yaml", ".yml")
_NAMESPACES = {"*", f"*@{SPACE}"}
_HINT = "give a trust.yaml, a minisign.pub, or an allowed_signers file of ssh-ed25519 keys"


def trusted(path: Path) -> Trust:
    """Read whom a file says to trust. Raises UsageError, ManifestError; OSError."""
    content = read_regular(path, _LARGEST)
    if path.suffix in _MANIFESTS:
        found = validate(parse_yaml(_text(content, path), str(path)), adapter_of(Trust))
    else:
        found = _of_keys(content, path)
    if not found.keys:
        raise UsageError(f"{path} names no key", _HINT)
    return found


def _of_keys(content: bytes, path: Path) -> Trust:
    try:
        if content.startswith(b"untrusted comment:"):
            return Trust((_key(path, minisign.PublicFile.parse(content).key),))
        if b"\n" not in content.rstrip(b"\n") and (key := _line(_text(content, path))):
            return Trust((_key(path, key),))
        return Trust(tuple(map(_signer, allowed_signers.parse(content, path.name))))
    except (BundleError, ValueError) as error:
        raise UsageError(f"{path}: {error}", _HINT) from error


def _line(text: str) -> PublicKey | None:
    """The key that is all of a line, as id_ed25519.pub has it, or as `minisign -P` takes it."""
    try:
        return PublicKey.parse(text)
    except ValueError:
        return None


def _key(path: Path, key: PublicKey) -> TrustedKey:
    return TrustedKey(path.name, key.minisign)


def _signer(one: AllowedSigner) -> TrustedKey:
    """A line's key, for whole days: where the line ends one within, that day is not among them. Raises IntegrityError.

    A key that is allowed less than what releases are signed for is not taken for one that is allowed all.
    """
    if one.namespaces and not _NAMESPACES & {*one.namespaces}:
        raise IntegrityError(f"{one.principals[0]}: its namespaces are not *@{SPACE}")
    after, before = one.valid_after, one.valid_before
    try:
        first: date | None = after.date() + timedelta(after.time() != time()) if after else None
    except OverflowError as error:
        raise IntegrityError(f"{one.principals[0]}: no day is late enough for its valid-after") from error
    last: date | None = before.date() - timedelta(1) if before else None
    return TrustedKey(one.principals[0], one.key.openssh, valid_from=first, valid_until=last)


def _text(content: bytes, path: Path) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not text", _HINT) from error
