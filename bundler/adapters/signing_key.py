"""Whose key signs: from a file, a descriptor, or the text of a variable; or with ssh-agent, for a public key.

A command line names files and descriptors, never what is secret. A private key is in a file that only its owner reads.
"""

from __future__ import annotations

import os
import re
import shlex
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bundler.adapters import password
from bundler.adapters.descriptor import read_descriptor
from bundler.adapters.regular import open_regular
from bundler.errors import IntegrityError, UsageError
from bundler.model import minisign_key, openssh_key
from bundler.model.minisign import PublicFile
from bundler.model.minisign_key import MinisignKey
from bundler.model.openssh_key import OpensshKey
from bundler.model.public_key import PublicKey
from bundler.model.signing import Signer

KEY, KEY_FILE, KEY_DESCRIPTOR = "AIWS_SIGNING_KEY", "AIWS_SIGNING_KEY_FILE", "AIWS_SIGNING_KEY_FD"
# Keys have some hundred bytes; comments may be long.
_LARGEST = 16 << 10
_MAKE_ONE = "aiws-bundle keygen makes one; minisign's and OpenSSH's (ssh-ed25519) are taken"


@dataclass(frozen=True)
class KeyOptions:
    """What a command line says of the key: the file or the descriptor that has it, and which has its password."""

    file: Path | None = None
    descriptor: int | None = None
    password_descriptor: int | None = None


NOTHING_SAID = KeyOptions()


def find_signer(env: Mapping[str, str], options: KeyOptions = NOTHING_SAID) -> Signer | None:
    """The key that the options name, or else the environment; None if neither does.

    Raises UsageError if two are named, if others may read it, or for another password; IntegrityError if it is damaged;
    UnreachableError if it is ssh-agent's and the agent has it not.
    """
    found = _found(env, options)
    if found is None:
        return None
    try:
        text = found.content.decode("ascii").replace("\r\n", "\n").strip() + "\n"
    except UnicodeDecodeError as error:
        raise UsageError(f"{found.where}: not a key: not text", _MAKE_ONE) from error
    if wanted := _public(text):
        from bundler.adapters.ssh_agent import find_in_agent

        return find_in_agent(env, wanted)
    key = _private(text, found.where)
    if found.status:
        _check_kept(found.where, found.status)
    return key.decrypted(b"" if key.is_plain else _password(env, options, found.where), found.where)


@dataclass(frozen=True)
class _Found:
    """What was read, where from, and how the file stood that it is from, if it is."""

    content: bytes = field(repr=False)
    where: str
    status: os.stat_result | None = None


def _found(env: Mapping[str, str], options: KeyOptions) -> _Found | None:
    text, file, descriptor = "", options.file, options.descriptor
    if file is None and descriptor is None:
        text, file, descriptor = _named(env)
    elif file is not None and descriptor is not None:
        raise UsageError("two keys are named: a file and a descriptor", "name one of them")
    if file is not None:
        return _read(file)
    if descriptor is not None:
        if descriptor == options.password_descriptor:
            raise UsageError(f"descriptor {descriptor} cannot have both the key and its password", "open another")
        return _Found(read_descriptor(descriptor, _LARGEST, "the key"), f"the key in descriptor {descriptor}")
    return _Found(os.fsencode(text), KEY) if text else None


def _named(env: Mapping[str, str]) -> tuple[str, Path | None, int | None]:
    """What the environment names: a key's text, file or descriptor. Variables that are empty are none."""
    given = [name for name in (KEY, KEY_FILE, KEY_DESCRIPTOR) if env.get(name, "").strip()]
    if len(given) > 1:
        raise UsageError(f"more than one key is named: {', '.join(given)}", "unset all but one")
    if given == [KEY_DESCRIPTOR]:
        number = env[KEY_DESCRIPTOR].strip()
        if not re.fullmatch("[0-9]{1,6}", number):
            raise UsageError(f"{KEY_DESCRIPTOR} is not the number of a descriptor", f"for example {KEY_DESCRIPTOR}=3")
        return "", None, int(number)
    if given == [KEY_FILE]:
        return "", Path(env[KEY_FILE]), None
    return (env[KEY] if given else ""), None, None


def _read(path: Path) -> _Found:
    """Read a key's file. Links are followed: the file that they lead to is the one that is looked at."""
    try:
        with open_regular(path) as file:
            found = _Found(file.read(_LARGEST + 1), str(path), os.fstat(file.fileno()))
    except FileNotFoundError as error:
        raise UsageError(f"{path}: no such file", _MAKE_ONE) from error
    except OSError as error:
        raise UsageError(
            f"{path}: {error.strerror}", "a key is read by its owner; run this as who it belongs to"
        ) from error
    if len(found.content) > _LARGEST:
        raise UsageError(f"{path}: not a key: larger than {_LARGEST} bytes", _MAKE_ONE)
    return found


def _check_kept(where: str, status: os.stat_result) -> None:
    """Raise UsageError if somebody else has, or could read, a private key's file."""
    if status.st_uid != os.geteuid():
        hint = f"run this as its owner, or hand it on: {KEY_DESCRIPTOR}=3 … 3< FILE"
        raise UsageError(f"{where}: this private key belongs to another user (uid {status.st_uid})", hint)
    if stat.S_IMODE(status.st_mode) & 0o077:
        hint = f"`chmod 600 {shlex.quote(where)}`; if others may have read it, make another key"
        raise UsageError(f"{where}: others may read this private key, or write it", hint)


def _public(text: str) -> PublicKey | str:
    """The public key in a text, or its fingerprint, that stands for a private key of ssh-agent's; "" if none does."""
    if re.fullmatch(r"SHA256:[A-Za-z0-9+/]{43}\n", text):
        return text.strip()
    try:
        if text.startswith(minisign_key.FIRST_WORDS):
            return PublicFile.parse(text.encode()).key
        return PublicKey.parse(text)
    except (ValueError, IntegrityError):
        return ""


def _private(text: str, where: str) -> MinisignKey | OpensshKey:
    if text.startswith(minisign_key.FIRST_WORDS):
        return MinisignKey.parse(text, where)
    if text.startswith(openssh_key.FIRST_WORDS):
        return OpensshKey.parse(text, where)
    hint = f"{KEY_FILE} is for a path; {_MAKE_ONE}" if where == KEY else _MAKE_ONE
    raise UsageError(f"{where}: not a key that can be used here", hint)


def _password(env: Mapping[str, str], options: KeyOptions, where: str) -> bytes:
    word = password.given(env, options.password_descriptor)
    if word is None:
        word = password.asked(f"password of {where}")
    if word is None:
        raise UsageError(
            f"{where}: has a password, and there is no terminal to ask for it at", f"set {password.VARIABLE}"
        )
    return word
