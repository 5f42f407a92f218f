"""What an archive's wheels are, what a virtual environment has of each once it is installed, and who does which of it.

A part of install.py, as install.sh runs it: Python 3.9, with its standard library alone.
"""

from __future__ import annotations

import configparser
import csv
import hashlib
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
_DIGEST = re.compile(r"sha256=[\w-]{43}", re.ASCII)
_PROGRAMS = ("console_scripts", "gui_scripts")


@dataclass(frozen=True)
class Wheel:
    """A wheel of the archive, whose bytes install.sh has compared with the list of digests.

    `plain` are the files of which all that is done is to write them: pip would do no more, and takes longer for it.
    """

    requirement: str
    project: str
    path: Path
    info: str
    rows: Mapping[str, Row]
    installed: Mapping[str, Row]
    programs: tuple[str, ...]
    executable: frozenset[str]
    plain: tuple[str, ...]

    @property
    def data(self) -> str:
        """The folder in it whose files are not for site-packages, or not as they lie there."""
        return f"{self.info[: -len(INFO)]}.data"


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
    plain = tuple(name for name in names if _is_plain(name, rows)) if len(set(names)) == len(names) else ()
    return Wheel(line, project_of(project), path, info, rows, installed, made, frozenset(executable), plain)


def _is_plain(name: str, rows: Mapping[str, Row]) -> bool:
    """Whether a file is written below site-packages as it is, and means nothing to pip, or to Python as it starts."""
    top, folder, _ = name.partition("/")
    if not folder or top in ("", "..") or top.endswith((INFO, ".data")) or os.path.normpath(name) != name:
        return False
    return name.isprintable() and _DIGEST.fullmatch(rows.get(name, ("", ""))[0]) is not None


def rest_of(wheel: Wheel, folder: Path) -> str:
    """Write a wheel into `folder` without what is plain, its RECORD as it was; return the line that requires it.

    pip judges it and makes its programs and its metadata as it would of the whole.
    """
    place, plain = folder / wheel.path.name, frozenset(wheel.plain)
    with zipfile.ZipFile(wheel.path) as whole, zipfile.ZipFile(place, "w") as rest:
        for member in whole.infolist():
            if member.filename not in plain:
                kept = zipfile.ZipInfo(member.filename)
                kept.external_attr = member.external_attr
                rest.writestr(kept, whole.read(member))
    digest = hashlib.sha256(place.read_bytes()).hexdigest()
    return f"{wheel.requirement.rpartition(':')[0]}:{digest}"


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
    """The first place that two wheels would write to, on any file system; "" if there is none."""
    places = [place for wheel in wheels for place in (*wheel.installed, *wheel.programs)]
    counts = Counter(map(str.lower, places))
    return next((place for place in places if counts[place.lower()] > 1), "")
