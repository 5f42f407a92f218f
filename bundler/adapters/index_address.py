"""Where the package index is, as pip or uv is configured. Light: it is asked before all else is loaded."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import urlsplit

from bundler.adapters.environment import PIP_CONFIG
from bundler.adapters.pip_files import configured
from bundler.adapters.process import Runner, isolated
from bundler.errors import UnreachableError
from bundler.model.program_log import last_line

# uv lets an index's address begin with `NAME=`.
_NAMED = re.compile(r"^[A-Za-z0-9._-]+=")

_KEYS = (("install", "index-url"), ("download", "index-url"), ("global", "index-url"))
# pip's configuration, else the default that pip-tools exposes. In a process of its own: pip is large.
_ASK_PIP = """
try:
    from pip._internal.configuration import Configuration
    from pip._internal.exceptions import ConfigurationError
    configuration = Configuration(isolated=False)
    try:
        configuration.load()
    except ConfigurationError:  # which may quote a line that holds a password
        raise SystemExit("a file that `pip config debug` lists is malformed")
    for key in ("install.index-url", "download.index-url", "global.index-url"):
        try:
            print(configuration.get_value(key))
            break
        except ConfigurationError:
            pass
    else:
        from piptools.repositories import PyPIRepository

        print(PyPIRepository.DEFAULT_INDEX_URL)
except ImportError as error:
    raise SystemExit(f"{error}: install aiws-bundle in a virtual environment, with all it depends on; "
                     "a user's own site-packages and PYTHONPATH are not looked at")
"""


def find_index(env: Mapping[str, str], run: Runner) -> str:
    """Return the address of the index that uv or pip is configured for, else their default.

    In this order: UV_DEFAULT_INDEX, UV_INDEX_URL, PIP_INDEX_URL, pip's configuration files, the default.
    Raises UnreachableError if none can be found.
    """
    for variable in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"):
        if value := env.get(variable, "").strip():
            return _NAMED.sub("", value)
    given = PIP_CONFIG.of(env)
    if address := _read_here(given):
        return address
    done = run(isolated("-W", "ignore", "-c", _ASK_PIP), given, 60.0)
    address = last_line(done.output)
    if done.code or not urlsplit(address).scheme:
        reason = done.errors.strip().rpartition("\n")[2] or "it names no index"
        raise UnreachableError(
            f"no package index is known: pip's configuration cannot be used: {reason}",
            "set PIP_INDEX_URL to your index",
        )
    return address


def _read_here(given: Mapping[str, str]) -> str:
    """The address that pip would answer with; "" if it has to be asked."""
    if (said := configured(given)) is None:
        return ""
    named = [said[key] for key in _KEYS if key in said]
    address = last_line(named[0] if named else _default())
    with suppress(ValueError):
        if urlsplit(address).scheme:
            return address
    return ""


def _default() -> str:
    """The address that pip takes if it is told none; "" if this pip has to be asked."""
    with suppress(ImportError, AttributeError):
        from pip._internal.models.index import PyPI  # of a pip that is not loaded otherwise

        return PyPI.simple_url
    return ""
