"""`keygen`: make one key, and write it in the forms of OpenSSH and of minisign."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from bundler.adapters.key_files import make_room, put
from bundler.model import minisign_key, openssh_key
from bundler.model.ed25519 import Ed25519Signer
from bundler.model.minisign import PublicFile
from bundler.model.public_key import PublicKey

# How long a key counts if nobody decides otherwise: long enough to forget it is the danger of a longer time.
_VALID = timedelta(days=2 * 365)


@dataclass(frozen=True)
class NewKey:
    """A key that was made: its public half, its files, whether they have a password, and its days."""

    name: str
    public: PublicKey
    secret_files: tuple[Path, Path]
    public_files: tuple[Path, Path]
    encrypted: bool
    valid_from: date
    valid_until: date

    @property
    def trusted(self) -> dict[str, str]:
        """What stands of it in trust.yaml."""
        return {
            "name": self.name,
            "key": self.public.openssh,
            "role": "release",
            "valid-from": self.valid_from.isoformat(),
            "valid-until": self.valid_until.isoformat(),
        }


def keygen(name: str, folder: Path, password: Callable[[], bytes], today: date) -> NewKey:
    """Make a key and write its four files into a folder; an empty password leaves it unencrypted.

    `password` is asked once it is known that the files can be written. Raises UsageError, WorkError, OSError.
    """
    secret_names, public_names = (f"{name}.key", f"{name}.minisign"), (f"{name}.pub", f"{name}.minisign.pub")
    make_room(folder, (*secret_names, *public_names))
    word = password()
    signer = Ed25519Signer(secrets.token_bytes(32))
    secret = (openssh_key.compose(signer, word), minisign_key.compose(signer, word, secrets.token_bytes(32)))
    public = (f"{signer.public.openssh} {name}\n".encode(), PublicFile(signer.public).compose())
    files = {
        **{file: (0o600, content) for file, content in zip(secret_names, secret, strict=True)},
        **{file: (0o644, content) for file, content in zip(public_names, public, strict=True)},
    }
    put(folder, files)
    return NewKey(
        name,
        signer.public,
        (folder / secret_names[0], folder / secret_names[1]),
        (folder / public_names[0], folder / public_names[1]),
        bool(word),
        today,
        today + _VALID,
    )
