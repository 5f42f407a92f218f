"""`aiws-bundle keygen`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import click

from bundler.adapters import password
from bundler.adapters.key_files import checkout_of
from bundler.cli import Options
from bundler.cli.output import print_document, print_table
from bundler.commands.keygen import NewKey, keygen
from bundler.errors import UsageError
from bundler.model.minisign import shown_id
from bundler.terminal import Json, say, say_long, warn_block


@click.command("keygen")
@click.argument("name")
@click.option(
    "--out",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="Where the files are put; made if need be. [default: here]",
)
@click.option("--password-fd", metavar="N", type=int, help="Read the password from an open descriptor, not a terminal.")
@click.option("--no-password", is_flag=True, help="Leave the key unencrypted, for the secrets of a CI service.")
@click.pass_obj
def command(options: Options, name: str, out: Path, password_fd: int | None, no_password: bool) -> int:
    """Make a key to sign with; say what to keep secret.

    One Ed25519 key, in both forms that programs read: NAME.key and NAME.pub for OpenSSH, NAME.minisign and
    NAME.minisign.pub for minisign. Nothing is ever replaced. The password is asked twice at the terminal, or is
    AIWS_SIGNING_PASSWORD.
    """
    from bundler.model.trust import is_key_name  # pydantic: large

    if not is_key_name(name):
        raise UsageError(f"{name!r} is not a key's name", "up to 64 letters, digits and ._@- such as release-2027")
    if no_password and (password_fd is not None or os.environ.get(password.VARIABLE)):
        hint = f"leave out --no-password; or leave out --password-fd, and unset {password.VARIABLE}"
        raise UsageError("--no-password, and a password is given", hint)
    made = keygen(
        name, out, lambda: b"" if no_password else _password(os.environ, password_fd), datetime.now(UTC).date()
    )
    if checkout := checkout_of(out):
        warn_block(f"note: {out.resolve()} is in the Git checkout {checkout}: commit neither of the secret files")
    if options.json:
        print_document(_json(made))
    else:
        _show(made)
    return 0


def _password(env: Mapping[str, str], descriptor: int | None) -> bytes:
    word = password.given(env, descriptor)
    if word is None:
        word = password.asked_twice("password of the new key")
    if word is None:
        hint = f"set {password.VARIABLE}, give --password-fd, or --no-password for an unencrypted key"
        raise UsageError("a new key has a password, and there is no terminal to ask for it at", hint)
    return word


def _show(made: NewKey) -> None:
    protected = "encrypted with the password" if made.encrypted else "NOT encrypted: who reads a file of it can sign"
    say(f"made the key {made.name}: {made.public.fingerprint}, for minisign {shown_id(made.public.key_id)}")
    say()
    say_long(f"keep secret, and a copy in a safe place ({protected}):")
    openssh, minisign = made.secret_files
    print_table([(f"  {openssh}", "OpenSSH's form, for ssh-keygen and ssh-add"), (f"  {minisign}", "minisign's form")])
    say("either one signs: AIWS_SIGNING_KEY_FILE names the file, or AIWS_SIGNING_KEY has its text (a CI secret)")
    say()
    say("give to everybody:")
    for path in made.public_files:
        say(f"  {path}")
    say()
    say("put below `keys:` in manifests/trust.yaml (instead of `[]` if it is the first), so that its signatures count:")
    for key, value in made.trusted.items():
        # A name may look like a number, which YAML would take it for.
        say(f'  - {key}: "{value}"' if key == "name" else f"    {key}: {value}")


def _json(made: NewKey) -> Mapping[str, Json]:
    return {
        "name": made.name,
        "fingerprint": made.public.fingerprint,
        "minisign_id": shown_id(made.public.key_id),
        "minisign": made.public.minisign,
        "openssh": made.public.openssh,
        "encrypted": made.encrypted,
        "secret_files": [str(path) for path in made.secret_files],
        "public_files": [str(path) for path in made.public_files],
        "trust": made.trusted,
    }
