"""The options by which a command is told whose key signs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec

import click

if TYPE_CHECKING:
    from bundler.adapters.signing_key import KeyOptions

P = ParamSpec("P")
_OPTIONS: tuple[Callable[[Callable[P, int]], Callable[P, int]], ...] = (
    click.option(
        "--key",
        metavar="FILE",
        type=click.Path(dir_okay=False, path_type=Path),
        help="The key that signs, as minisign or OpenSSH keeps it; a .pub file asks ssh-agent. "
        "[default: AIWS_SIGNING_KEY, AIWS_SIGNING_KEY_FILE or AIWS_SIGNING_KEY_FD]",
    ),
    click.option("--key-fd", metavar="N", type=int, help="Read the key from an open descriptor."),
    click.option("--password-fd", metavar="N", type=int, help="Read the key's password from an open descriptor."),
)


def with_key(command: Callable[P, int]) -> Callable[P, int]:
    """Add the options to a command, which takes them as `key`, `key_fd` and `password_fd`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def key_options(key: Path | None, key_fd: int | None, password_fd: int | None) -> KeyOptions:
    """What they say."""
    from bundler.adapters.signing_key import KeyOptions

    return KeyOptions(key, key_fd, password_fd)
