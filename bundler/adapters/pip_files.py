"""What pip's configuration files say, read here: starting pip to ask it takes longer than all else before a download.

https://pip.pypa.io/en/stable/topics/configuration/ tells which files there are and which wins. What is not read here
for sure is None: then pip has to be asked. So are all errors, which pip tells.
"""

from __future__ import annotations

import configparser
import os
import os.path
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

from bundler.adapters.regular import read_regular
from bundler.errors import BundleError
from bundler.platforms import PLATFORMS

# Values by section and name.
Said: TypeAlias = Mapping[tuple[str, str], str]

_NAME = "pip.conf"
_LARGEST_FILE = 1 << 20


class _Parser(configparser.RawConfigParser):
    def optionxform(self, optionstr: str) -> str:
        return optionstr.lower().replace("_", "-").removeprefix("--")


def configured(given: Mapping[str, str]) -> Said | None:
    """What a pip finds in its files whose environment is `given`, which holds paths as `environment` leaves them.

    None if only pip can tell: on other systems than Linux, where no HOME is set or XDG's folders have odd names, and
    where a file is malformed, no regular one or not ASCII, or comes twice with another one in between that says other
    things: how pip reads it then depends on its version or the locale.
    """
    moved = os.environ.get("PYTHONHOME")  # the environment of this process is another one than pip's
    if sys.platform != PLATFORMS[0].SYS_PLATFORM or moved or not given.get("HOME") or not _are_plain(given):
        return None
    files: list[Said] = []
    for path in (paths := list(_files(given))):
        if (said := _read(path)) is None:
            return None
        files.append(said)
    # Of a path that comes twice, pip 26 has the first place in its table count, pip 23 the last.
    first = _together(dict(zip(paths, files, strict=True)).values())
    return first if first == _together(files) else None


def _together(files: Iterable[Said]) -> Said:
    """What files say together: what comes later wins."""
    return {key: value for said in files for key, value in said.items()}


def _are_plain(given: Mapping[str, str]) -> bool:
    """Whether XDG's folders begin and end with what no version of pip takes away."""
    folders = (given.get("XDG_CONFIG_HOME", ""), *given.get("XDG_CONFIG_DIRS", "").split(os.pathsep))
    return all(folder == folder.strip() for folder in folders)


def _files(given: Mapping[str, str]) -> Iterator[str]:
    """Every file that pip would read, in their order: what comes later wins."""
    chosen, home = given.get("PIP_CONFIG_FILE", ""), given["HOME"].rstrip("/")
    if chosen == os.devnull:
        return
    for folder in (given.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep):
        yield str(Path(folder, "pip", _NAME))
    yield f"/etc/{_NAME}"
    if not (chosen and os.path.exists(chosen)):  # noqa: PTH110 - no, as pip says, where it may not look
        yield f"{home}/.pip/{_NAME}"
        yield str(Path(given.get("XDG_CONFIG_HOME") or f"{home}/.config", "pip", _NAME))
    yield str(Path(sys.prefix, _NAME))
    if chosen:
        yield chosen


def _read(path: str) -> Said | None:
    """What one file says; nothing if it is not there, None if only pip can tell."""
    parser = _Parser()
    try:
        text = read_regular(Path(path), _LARGEST_FILE).decode("ascii")
        # As Python reads text files, in which a line may end with a lone CR.
        parser.read_string(text.replace("\r\n", "\n").replace("\r", "\n"), path)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (BundleError, OSError, ValueError, configparser.Error):
        return None
    return {(section, name): value for section in parser.sections() for name, value in parser.items(section)}
