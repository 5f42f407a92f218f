"""Users and passwords, each for exactly one origin: scheme, host and port."""

from __future__ import annotations

from netrc import netrc
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from bundler.errors import UnreachableError, UsageError

Origin = tuple[str, str, int]
Login = tuple[str, str]
_PORTS = {"http": 80, "https": 443}


class Credentials:
    """What addresses that a person named brought along, and what .netrc has for their hosts.

    A machine of .netrc has no port: its password is for the origins that were signed in, and for https at its usual
    port. `default` would be for everybody, and so is for nobody.
    """

    def __init__(self, path: Path) -> None:
        """Read a .netrc if there is one. Raises OSError, ValueError, netrc.NetrcParseError."""
        self._logins: dict[Origin, Login] = {}
        hosts = netrc(str(path)).hosts if path.is_file() else {}
        self._machines = {
            host.lower(): (login, password)
            for host, (login, _, password) in hosts.items()
            if host != "default" and password
        }

    def sign_in(self, address: str) -> str:
        """Remember who to be at the origin of `address`, which a person named; return it without user and password.

        Raises UsageError if it is none.
        """
        try:
            parts = split(address)
        except ValueError as error:
            raise UsageError(f"{redact(address)} is not an address", "see docs/store.md") from error
        origin = _origin(parts)
        if parts.username is not None:
            self._logins[origin] = (unquote(parts.username), unquote(parts.password or ""))
        elif origin[1] in self._machines:
            self._logins.setdefault(origin, self._machines[origin[1]])
        return address if parts.username is None else without_user(parts)

    def of(self, origin: Origin) -> Login | None:
        """Who to be at an origin, if anybody."""
        usual = self._machines.get(origin[1]) if origin[0] == "https" and origin[2] == _PORTS["https"] else None
        return self._logins.get(origin, usual)


def redact(address: str) -> str:
    """Return an address fit for print: without user, password, query and fragment."""
    try:
        parts = split(address)
    except ValueError:  # a slash in a password, for one, ends the host: show what follows the last @ only
        return address.rpartition("@")[2].partition("?")[0]
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def split(address: str) -> SplitResult:
    """Take an address apart. Raises ValueError if its host or port makes no sense, or it has a control character."""
    if not address.isprintable():  # which urlsplit would drop, and others would not
        raise ValueError("an address of one line is wanted")
    parts = urlsplit(address)
    _ = parts.port  # read when it is asked for
    return parts


def without_user(parts: SplitResult) -> str:
    """An address without user, password and fragment."""
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, parts.query, ""))


def origin_of(address: str) -> Origin:
    """Scheme, host and port: whom credentials are for. Raises UnreachableError if `address` is none."""
    try:
        return _origin(split(address))
    except ValueError as error:
        raise UnreachableError(f"{redact(address)} is not an address") from error


def _origin(parts: SplitResult) -> Origin:
    return parts.scheme, parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)
