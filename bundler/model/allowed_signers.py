"""Whose signatures `ssh-keygen -Y verify -f FILE` accepts: its allowed_signers file (ssh-keygen(1), ALLOWED SIGNERS).

Days are written without a zone, and so begin and end with those of the clock that verifies: OpenSSH before 9.1 takes
no `Z`. What has no zone is read as UTC here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from bundler.errors import IntegrityError
from bundler.model.public_key import PublicKey
from bundler.model.trust import TrustedKey

LARGEST = 100_000
# One word each: patterns (ssh_config(5)) only where they are of use here, and never a negated one.
_PRINCIPALS = re.compile(r"[A-Za-z0-9._@+-]{1,200}(?:,[A-Za-z0-9._@+-]{1,200})*")
_NAMESPACES = re.compile(r"[A-Za-z0-9._@+*?-]{1,200}(?:,[A-Za-z0-9._@+*?-]{1,200})*")
_OPTION = re.compile(r'(namespaces|valid-after|valid-before)="([^"\\\s]*)"(?:,(?=[a-z])|$)', re.IGNORECASE)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FORMS = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}


@dataclass(frozen=True)
class AllowedSigner:
    """A line: by which names a key is known, for which namespaces (patterns; none: all), and from when till when."""

    principals: tuple[str, ...]
    key: PublicKey
    namespaces: tuple[str, ...] = ()
    valid_after: datetime | None = None
    valid_before: datetime | None = None

    @classmethod
    def of(cls, trusted: TrustedKey, *namespaces: str) -> AllowedSigner:
        """The line for a key of trust.yaml. Who has a revoked one must be given no line."""
        first, last = trusted.valid_from, trusted.valid_until
        after = _start(first) if first else None
        before = _start(last + timedelta(1)) if last and last < date.max else None
        return cls((trusted.name,), trusted.public, namespaces, after, before)

    def compose(self) -> str:
        """The line, with its end."""
        options = [
            *([f'namespaces="{",".join(self.namespaces)}"'] if self.namespaces else []),
            *([f'valid-after="{_shown(self.valid_after)}"'] if self.valid_after else []),
            *([f'valid-before="{_shown(self.valid_before)}"'] if self.valid_before else []),
        ]
        return f"{' '.join([','.join(self.principals), *filter(None, [','.join(options)]), self.key.openssh])}\n"


def compose(signers: tuple[AllowedSigner, ...]) -> bytes:
    """The file, in the order given."""
    return "".join(signer.compose() for signer in signers).encode()


def parse(content: bytes, where: str = "allowed_signers") -> tuple[AllowedSigner, ...]:
    """Parse such a file of Ed25519 keys; comments and empty lines are passed over.

    Raises IntegrityError for what ssh-keygen refuses, and for patterns of names, certificates and other keys.
    """
    if len(content) > LARGEST or not content.isascii():
        raise IntegrityError(f"{where}: not text in ASCII, or larger than {LARGEST} bytes")
    signers = []
    for number, line in enumerate(content.decode().split("\n"), 1):
        if line and not line.startswith("#"):
            try:
                signers.append(_parsed(line))
            except ValueError as error:
                raise IntegrityError(f"{where}:{number}: {error}") from error
    return tuple(signers)


def _parsed(line: str) -> AllowedSigner:
    if not line.replace("\t", " ").isprintable():
        raise ValueError("not a line of plain text")
    names, *words = line.split()
    if not _PRINCIPALS.fullmatch(names):
        raise ValueError("not names with commas between them, options, and a key")
    options = {} if words[:1] == ["ssh-ed25519"] or not words else _options(words.pop(0))
    key = PublicKey.parse(" ".join(words[:2])) if len(words) > 1 else None
    if key is None:
        raise ValueError("no public key in it, as OpenSSH writes it")
    namespaces = options.get("namespaces", "*")
    if not _NAMESPACES.fullmatch(namespaces):
        raise ValueError("its namespaces are not words with commas between them")
    after, before = (_moment(options[name]) if name in options else None for name in ("valid-after", "valid-before"))
    if after and before and before <= after:
        raise ValueError("valid-before is not after valid-after")
    listed = tuple(namespaces.split(",")) if "namespaces" in options else ()
    return AllowedSigner(tuple(names.split(",")), key, listed, after, before)


def _options(text: str) -> dict[str, str]:
    options: dict[str, str] = {}
    place = 0
    while place < len(text):
        match = _OPTION.match(text, place)
        if not match or match[1].lower() in options:
            raise ValueError("its options are not namespaces, valid-after and valid-before, each once and in quotes")
        options[match[1].lower()] = match[2]
        place = match.end()
    return options


def _moment(text: str) -> datetime:
    digits = text.removesuffix("Z")
    if not re.fullmatch("[0-9]+", digits) or len(digits) not in _FORMS:
        raise ValueError(f"{text!r} is not YYYYMMDD or YYYYMMDDHHMM[SS]")
    moment = datetime.strptime(digits, _FORMS[len(digits)]).replace(tzinfo=UTC)
    if moment <= _EPOCH:
        raise ValueError(f"{text!r} is not after 1970-01-01")
    return moment


def _start(day: date) -> datetime | None:
    """When a day begins; None for what no key is older than, which ssh-keygen cannot read."""
    moment = datetime.combine(day, time(), UTC)
    return moment if moment > _EPOCH else None


def _shown(moment: datetime) -> str:
    moment = moment.astimezone(UTC)
    return f"{moment:%Y%m%d}" if moment.time() == time() else f"{moment:%Y%m%d%H%M%S}"
