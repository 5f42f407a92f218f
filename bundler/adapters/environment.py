"""What of the caller's environment other programs are given: one list for each, and nothing that is not on it.

No token, no variable that makes a program run something, and no folder that depends on where the caller stands: of PATH
and its like only absolute entries are left, and what names one file or folder is made absolute, since programs are
started elsewhere (`process.NEUTRAL`).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass

# Where programs are looked up if PATH has no absolute entry.
_USUAL_PATH = "/usr/local/bin:/usr/bin:/bin"


@dataclass(frozen=True)
class Passed:
    """Names of variables: those passed as they are, those that hold one path, and those that hold `:` between paths."""

    plain: frozenset[str]
    paths: frozenset[str] = frozenset()
    lists: frozenset[str] = frozenset()

    def of(self, env: Mapping[str, str]) -> dict[str, str]:
        """What of `env` is passed, with a PATH whatever `env` holds; values that are empty are left out."""
        kept = {name: value for name, value in env.items() if name in self.plain and value}
        kept |= {name: os.path.abspath(value) for name, value in env.items() if name in self.paths and value}  # noqa: PTH100
        kept |= {name: listed for name in self.lists if (listed := _absolute(env.get(name, "")))}
        return {**kept, "PATH": search_path(env)}

    def and_more(self, plain: str = "", paths: str = "") -> Passed:
        """The same and more names, with spaces between them."""
        return Passed(self.plain | set(plain.split()), self.paths | set(paths.split()), self.lists)


_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
_LOCALE = "LANG LC_ALL LC_CTYPE LC_MESSAGES"
# What every program is given: locale, proxies, and where the person's own files and certificates are.
SHARED = Passed(
    plain=frozenset((*_LOCALE.split(), *_PROXIES, *map(str.upper, _PROXIES))),
    paths=frozenset(
        [
            "HOME",
            "TMPDIR",
            "XDG_CONFIG_HOME",
            "XDG_CACHE_HOME",
            "XDG_DATA_HOME",
            "XDG_STATE_HOME",
            "SSL_CERT_FILE",
            "REQUESTS_CA_BUNDLE",
            "CURL_CA_BUNDLE",
            "NETRC",
        ]
    ),
    lists=frozenset(("XDG_CONFIG_DIRS", "XDG_DATA_DIRS", "SSL_CERT_DIR")),
)
# pip, asked which index its configuration names.
PIP_CONFIG = SHARED.and_more(paths="PIP_CONFIG_FILE")
# pip-compile. Of pip's settings only those about reaching the index may act: a second index would serve what no lock's
# reader finds.
PIP_COMPILE = SHARED.and_more("PIP_PROXY PIP_TIMEOUT PIP_TRUSTED_HOST", "PIP_CERT PIP_CLIENT_CERT PIP_CACHE_DIR")
# uv. Of uv's settings only those about reaching the index may act: any other would change what a lock holds. The
# session's bus is for a keyring (UV_KEYRING_PROVIDER).
UV = SHARED.and_more(
    "UV_HTTP_TIMEOUT UV_HTTP_RETRIES UV_CONCURRENT_DOWNLOADS UV_INSECURE_HOST UV_NATIVE_TLS UV_SYSTEM_CERTS "
    "UV_KEYRING_PROVIDER UV_OFFLINE DBUS_SESSION_BUS_ADDRESS",
    "UV_CACHE_DIR SSL_CLIENT_CERT XDG_RUNTIME_DIR",
)
# Git, which is given a configuration and a home of its own: no credentials, no hooks, no person's settings.
GIT = Passed(
    frozenset((*_PROXIES, *map(str.upper, _PROXIES))), frozenset(("GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "TMPDIR"))
)
# npm, whose own variables may be spelt in capitals.
_NPM_PLAIN = (
    "npm_config_registry npm_config_proxy npm_config_https_proxy npm_config_noproxy npm_config_strict_ssl "
    "npm_config_ca npm_config_fetch_timeout npm_config_fetch_retries npm_config_maxsockets"
)
_NPM_PATHS = "npm_config_userconfig npm_config_globalconfig npm_config_cafile npm_config_cache"
NPM = SHARED.and_more(f"{_NPM_PLAIN} {_NPM_PLAIN.upper()}", f"{_NPM_PATHS} {_NPM_PATHS.upper()} NODE_EXTRA_CA_CERTS")


def search_path(env: Mapping[str, str]) -> str:
    """The absolute entries of PATH; an empty or relative one would be whatever folder the caller stands in."""
    return _absolute(env.get("PATH", "")) or _USUAL_PATH


def find_program(name: str, env: Mapping[str, str]) -> str | None:
    """The absolute path of a program on `search_path`, or None."""
    return shutil.which(name, path=search_path(env))


def _absolute(listed: str) -> str:
    return os.pathsep.join(entry for entry in listed.split(os.pathsep) if entry.startswith("/"))
