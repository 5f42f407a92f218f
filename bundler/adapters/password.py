"""The password of a private key: from a descriptor, the environment, or whoever sits at the terminal.

Never from a command line, which everybody on the machine can read.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from bundler.adapters.descriptor import read_descriptor
from bundler.errors import UsageError
from bundler.terminal import one_line

VARIABLE = "AIWS_SIGNING_PASSWORD"
# What minisign takes (PASSWORDMAXBYTES), without the zero at its end.
LONGEST = 1023


def given(env: Mapping[str, str], descriptor: int | None) -> bytes | None:
    """The password that came with this run; None if none did. Raises UsageError if two did, or it cannot be one."""
    in_env = env.get(VARIABLE, "")
    if descriptor is None:
        return _checked(os.fsencode(in_env), VARIABLE) if in_env else None
    if in_env:
        raise UsageError(f"two passwords: one in {VARIABLE}, one in descriptor {descriptor}", "give one of them")
    # As a line: `echo`, editors and password stores end it.
    line = read_descriptor(descriptor, LONGEST + 2, "the password").removesuffix(b"\n").removesuffix(b"\r")
    return _checked(line, "the password")


def asked(question: str) -> bytes | None:
    """Ask at the terminal, showing nothing of the answer; None if there is no terminal. Raises UsageError."""
    from getpass import getpass

    if not _has_terminal():
        return None
    try:
        return _checked(getpass(f"{one_line(question)}: ").encode("utf-8", "surrogateescape"), "the password")
    except EOFError as error:
        raise UsageError("no password was given", "type it, or press Ctrl-C to leave") from error


def asked_twice(question: str) -> bytes | None:
    """Ask for a new password, and once more since nobody sees it; None if there is no terminal. Raises UsageError."""
    first = asked(question)
    if first is not None and asked("the same again") != first:
        raise UsageError("the two passwords differ", "run again and type the same twice")
    return first


def _checked(password: bytes, where: str) -> bytes:
    if not password:
        raise UsageError(f"{where}: empty", "a key without a password: --no-password, where that is offered")
    if len(password) > LONGEST or any(byte < 32 or byte == 127 for byte in password):
        raise UsageError(f"{where}: not one line of at most {LONGEST} bytes", "minisign takes no other as a password")
    return password


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True
