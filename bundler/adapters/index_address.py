"""Where the package index is, as pip or uv is configured. Light: it is asked before all else is loaded."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from bundler.adapters.environment import PIP_CONFIG
from bundler.adapters.process import Runner, isolated
from bundler.errors import UnreachableError

# uv lets an index's address begin with `NAME=`.
_NAMED = re.compile(r"^[A-Za-z0-9._-]+=")

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
    done = run(isolated("-W", "ignore", "-c", _ASK_PIP), PIP_CONFIG.of(env), 60.0)
    address = done.output.strip().splitlines()[-1] if done.output.strip() else ""
    if done.code or not urlsplit(address).scheme:
        reason = done.errors.strip().rpartition("\n")[2] or "it names no index"
        raise UnreachableError(
            f"no package index is known: pip's configuration cannot be used: {reason}",
            "set PIP_INDEX_URL to your index",
        )
    return address
