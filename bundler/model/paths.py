"""Paths inside archives, which are never trusted: what a member may be called and where a link may lead."""

from __future__ import annotations

import posixpath
import re
import unicodedata

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]*")
_LONGEST_PATH = 1024
_LONGEST_NAME = 255


def is_plain_name(name: str) -> bool:
    """Say whether `name` is a bare file name that is safe on any system: no separator, no space, no leading dot."""
    return bool(_PLAIN.fullmatch(name)) and len(name) <= _LONGEST_NAME


def path_fault(path: str) -> str | None:
    """Say what makes a member's path unsafe to extract, or None. A folder's trailing slash is allowed."""
    parts = path.rstrip("/").split("/")
    if not path.strip("/"):
        return "it is empty"
    if path.startswith("/"):
        return "it is absolute"
    if ".." in parts:
        return "it climbs with '..'"
    if "" in parts or "." in parts:
        return "it is not in normal form"
    return _text_fault(path)


def link_fault(path: str, target: str, top: str) -> str | None:
    """Say why the symbolic link at `path` may not point to `target`, or None. It must stay inside folder `top`.

    '..' may stand only at the start: after a name, which may be a link itself, nobody can tell where it leads.
    """
    if not target or target.startswith("/"):
        return f"it points to {target!r}"
    if fault := _text_fault(target):
        return f"{fault}: {target[:_LONGEST_NAME]!r}"
    parts = [part for part in target.split("/") if part not in ("", ".")]
    if ".." in parts[parts.count("..") :]:
        return f"it climbs with '..' after a name, to {target!r}"
    landing = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    if landing != top and not landing.startswith(f"{top}/"):
        return f"it points out of {top}/, to {target!r}"
    return None


def _text_fault(text: str) -> str | None:
    """Say what makes a path unsafe to write on any system, wherever it leads, or None."""
    # Cc and Cf: control and format characters, which terminals obey instead of showing.
    # Nearly all paths are printable ASCII, and need no look at each character.
    plain = text.isascii() and text.isprintable()
    if "\\" in text or (not plain and any(unicodedata.category(char) in ("Cc", "Cf") for char in text)):
        return "it holds a backslash or a control character"
    try:
        encoded = text.encode()
    except UnicodeEncodeError:
        return "it is not UTF-8"
    if len(encoded) > _LONGEST_PATH or max(map(len, encoded.split(b"/"))) > _LONGEST_NAME:
        return "it is too long"
    return None
