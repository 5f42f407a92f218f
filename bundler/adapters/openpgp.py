"""OpenPGP keys (RFC 9580), read by gpg in a folder of its own: none of the person's keys or settings takes part."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from bundler.adapters.environment import SHARED, find_program
from bundler.adapters.process import Completed, Runner
from bundler.adapters.regular import read_regular
from bundler.errors import IntegrityError, UnreachableError, UsageError

_TIMEOUT_SECONDS = 60.0
LARGEST_KEY = 1 << 20
_FINGERPRINT = re.compile("[0-9A-F]{40}")


def keyring_of(content: bytes, fingerprint: str, name: str, env: Mapping[str, str], run: Runner) -> bytes:
    """Return the key with exactly this fingerprint (40 hex) out of a file of keys, as a keyring that apt takes.

    Raises IntegrityError if the file does not have it as a primary key, UnreachableError if gpg is not there.
    """
    program = find_program("gpg", env)
    if program is None:
        raise UnreachableError("gpg is not installed", "apt install gpg")
    wanted = fingerprint.upper()
    with tempfile.TemporaryDirectory(prefix="aiws-bundle-gpg-") as folder:
        given, ring = Path(folder, "given"), Path(folder, "ring")
        given.write_bytes(content)

        def gpg(*words: str) -> Completed:
            told = {**SHARED.of(env), "LC_ALL": "C", "GNUPGHOME": folder}
            own = (
                "--homedir",
                folder,
                "--no-options",
                "--batch",
                "--no-tty",
                "--no-autostart",
                "--no-auto-check-trustdb",
            )
            return run([program, *own, *words], told, _TIMEOUT_SECONDS)

        shown = gpg("--with-colons", "--show-keys", str(given))
        there = fingerprints(shown.output)
        if wanted not in there:
            found = ", ".join(there) or "none"
            raise IntegrityError(
                f"{name}: not the key {wanted}; the file has {found}", "compare with what the archive's maker publishes"
            )
        gpg("--import", str(given))
        done = gpg("--output", str(ring), "--export", wanted)
        try:
            return read_regular(ring, LARGEST_KEY)
        except (OSError, UsageError) as error:
            raise IntegrityError(f"{name}: gpg cannot export the key {wanted}: {done.errors[:300]}") from error


def fingerprints(listing: str) -> tuple[str, ...]:
    """The fingerprints of the primary keys in what gpg lists with colons (doc/DETAILS of GnuPG)."""
    found: list[str] = []
    primary = False
    for line in listing.splitlines():
        fields = line.split(":")
        if fields[0] in ("pub", "sub", "sec", "ssb"):
            primary = fields[0] == "pub"
        elif fields[0] == "fpr" and primary and len(fields) > 9 and _FINGERPRINT.fullmatch(fields[9]):
            found.append(fields[9])
            primary = False
    return tuple(found)
