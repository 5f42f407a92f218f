"""What an archive's wheels are, and what a virtual environment has of each once pip installed it.

A part of install.py, as install.sh runs it: Python 3.9, with its standard library alone.
"""

from __future__ import annotations

import configparser
import csv
import io
import os
import re
import stat
import sys
import zipfile
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

Row = tuple[str, str]  # of a RECORD: the digest as it stands there, and the size

INFO = ".dist-info"
_PYTHON = f"python{sys.version_info[0]}.{sys.version_info[1]}"
SITE = f"lib/{_PYTHON}/site-packages"
_BYTES_A_FILE = 50_000
_PROGRAMS = ("console_scripts", "gui_scripts")


@dataclass(frozen=True)
class Wheel:
    """A wheel of the archive, whose bytes install.sh has compared with the list of digests."""

    requirement: str
    project: str
    path: Path
    info: str
    rows: Mapping[str, Row]
    installed: Mapping[str, Row]
    programs: tuple[str, ...]
    executable: frozenset[str]

    @property
    def data(self) -> str:
        """The folder in it whose files are not for site-packages, or not as they lie there."""
        return f"{self.info[: -len(INFO)]}.data"

    @property
    def weight(self) -> int:
        """How long it takes to install, beside others."""
        return len(self.rows) + self.path.stat().st_size // _BYTES_A_FILE


def rows_of(record: str) -> dict[str, Row]:
    """A RECORD's rows, by name."""
    return {row[0]: (row[1], row[2]) for row in csv.reader(io.StringIO(record, newline="")) if len(row) == 3}


def project_of(name: str) -> str:
    """A project's name as all its spellings have it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_wheels(archive: Path) -> list[Wheel]:
    """Every wheel that the archive's requirements name, in their order."""
    lines = (archive / "metadata" / "files.sha256").read_text("utf-8").splitlines()
    paths = {line[:64]: archive / line[66:] for line in lines if line.endswith(".whl")}
    wanted = (archive / "metadata" / "requirements.txt").read_text("utf-8").splitlines()
    return [_wheel(line, paths[line.rpartition(":")[2]]) for line in wanted]


def _wheel(line: str, path: Path) -> Wheel:
    with zipfile.ZipFile(path) as file:
        names = file.namelist()
        info = next(name.partition("/")[0] for name in names if name.partition("/")[0].endswith(INFO))
        rows = rows_of(file.read(f"{info}/RECORD").decode())
        programs = file.read(f"{info}/entry_points.txt").decode() if f"{info}/entry_points.txt" in names else ""
        modes = {one.filename: one.external_attr >> 16 for one in file.infolist()}
    project = line.partition("==")[0]
    executable = {_place(name, project) for name, mode in modes.items() if stat.S_ISREG(mode) and mode & 0o111}
    installed = {_place(name, project): row for name, row in rows.items()}
    made = tuple(f"bin/{name}" for name in _programs(programs))
    return Wheel(line, project_of(project), path, info, rows, installed, made, frozenset(executable))


def _place(name: str, project: str) -> str:
    """Where pip puts a file of a wheel, in a virtual environment."""
    top, _, rest = name.partition("/")
    if not top.endswith(".data"):
        return os.path.normpath(f"{SITE}/{name}")
    scheme, _, inner = rest.partition("/")
    folders = {"scripts": "bin", "data": ".", "headers": f"include/site/{_PYTHON}/{project}"}
    return os.path.normpath(f"{folders.get(scheme, SITE)}/{inner}")


def _programs(text: str) -> list[str]:
    points = configparser.RawConfigParser(delimiters=("=",), strict=False)
    points.optionxform = str  # type: ignore[assignment,method-assign]
    points.read_string(text)
    names = [name for section in _PROGRAMS if points.has_section(section) for name in points.options(section)]
    # Which pip makes whatever its wheel lists (get_console_script_specs in pip/_internal/operations/install/wheel.py).
    made = [f"pip{sys.version_info[0]}", f"pip{_PYTHON[6:]}"] if "pip" in names else []
    return list(dict.fromkeys((*names, *made)))


def clash(wheels: Iterable[Wheel]) -> str:
    """The first place that two wheels would write to; "" if there is none."""
    places = Counter(place for wheel in wheels for place in (*wheel.installed, *wheel.programs))
    return next((place for place, count in places.items() if count > 1), "")
