"""A version that install.sh made, and what of it an upgrade may copy.

A part of install.py, as install.sh runs it: Python 3.9, with its standard library alone.
"""

from __future__ import annotations

import base64
import hashlib
import os
import stat
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import cache_from_source
from pathlib import Path

from bundler.kinds.wheelhouse.members.install_wheels import INFO, SITE, Row, Wheel, project_of, rows_of

# What install_share.py does: copy FROM, or unpack of a WHEEL, TO, and the digest that RECORD has of it, and its size,
# "" if that is not known; or compile SOURCE, or take what was compiled of it before, and its SHA-256.
Task = tuple[str, str, str, str, str]

_COPY, _UNPACK, _PROGRAM = "copy", "unpack", " program"
_LARGEST = 1 << 26  # of what is read whole
_LONGEST_SHEBANG = 124  # of a path: what distlib, in pip, writes as one line of a script


class UnfitError(Exception):
    """Nothing of the version before is taken, for this reason."""


@dataclass(frozen=True)
class Version:
    """A version of install.sh's: its folder, and what its packages' RECORDs say."""

    folder: Path

    @property
    def venv(self) -> Path:
        """Its virtual environment."""
        return self.folder / "venv"

    @property
    def python(self) -> Path:
        """The program that scripts name."""
        return self.venv / "bin" / "python"

    @property
    def site(self) -> Path:
        """Where its packages are."""
        return self.venv / SITE

    @cached_property
    def infos(self) -> tuple[str, ...]:
        """The folders of its packages' metadata."""
        return tuple(sorted(path.name for path in self.site.glob(f"*{INFO}")))

    @cached_property
    def rows(self) -> Mapping[str, Mapping[str, Row]]:
        """The RECORD of each package, by the folder of its metadata."""
        return {info: rows_of(_read(self.site / info / "RECORD").decode()) for info in self.infos}

    @cached_property
    def requirements(self) -> frozenset[str]:
        """The lines of what it was made from: a project, its version and the wheel's SHA-256 each."""
        return frozenset(_read(self.folder / "requirements").decode().splitlines())

    @cached_property
    def compiled(self) -> tuple[list[str], Mapping[str, str]]:
        """For what, and the SHA-256 of each compiled file by its path below site-packages."""
        lines = _read(self.folder / "compiled").decode().splitlines()
        pairs = (line.split("  ", 1) for line in lines[2:])
        return lines[:2], {path: digest for digest, path in pairs}

    @cached_property
    def changed(self) -> frozenset[str]:
        """The files that its program changed as install.sh started it, by their names in RECORDs."""
        path = self.folder / "changed"
        lines = _read(path).decode().splitlines() if path.is_file() else []
        return frozenset(line.partition("  ")[2] for line in lines)


def _read(path: Path) -> bytes:
    """Read a small regular file, never waiting for who would write into a pipe."""
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError(f"{path.name} is no regular file")
        return file.read(_LARGEST)


def made_for(archive: Path) -> list[str]:
    """For which Python code is compiled, and by which pip scripts are written."""
    lines = (archive / "metadata" / "files.sha256").read_text("utf-8").splitlines()
    carried = "".join(line for line in lines if line[66:].startswith("packages/python/"))
    facts = (sys.version, carried or os.path.realpath(Path(sys.base_exec_prefix) / "bin" / "python3"))
    pip = next(line[:64] for line in lines if line[66:].startswith("packages/pip/pip-"))
    return [f"python {hashlib.sha256(repr(facts).encode()).hexdigest()}", f"pip {pip}"]


def same(wheels: Iterable[Wheel], before: Version, now: Version, told: Sequence[str]) -> list[Wheel]:
    """Those wheels whose files the version before has, as far as its lists tell. Raises UnfitError."""
    made, _ = before.compiled
    if made[0] != told[0]:
        raise UnfitError("it was made with another Python")
    if (len(str(before.python)) > _LONGEST_SHEBANG) != (len(str(now.python)) > _LONGEST_SHEBANG):
        raise UnfitError("programs name their Python in another way in so long a path")
    known = {project_of(line.partition("==")[0]) for line in before.requirements}
    there = {project_of(info[: -len(INFO)].rpartition("-")[0]) for info in before.infos}
    if odd := sorted(known ^ there):
        raise UnfitError(f"packages were added to it or removed: {', '.join(odd[:5])}")
    found = []
    for wheel in (wheel for wheel in wheels if wheel.requirement in before.requirements):
        rows = before.rows.get(wheel.info, {})
        plain = {name: row for name, row in wheel.rows.items() if row[0] and not name.startswith(f"{wheel.data}/")}
        if any(rows.get(name) != row for name, row in plain.items()):
            raise UnfitError(f"{wheel.info}/RECORD is not as it was installed")
        if not before.changed.isdisjoint(rows):
            continue
        others = any(not digest.startswith("sha256=") for digest, _ in plain.values())
        if not others and (made[1] == told[1] or not any(name.startswith("../") for name in rows)):
            found.append(wheel)
    return found


def copies(wheels: Iterable[Wheel], before: Version, now: Version) -> tuple[list[Task], dict[str, list[str]]]:
    """What is copied, and by the folder of a package's metadata the programs in its RECORD, which name their Python.

    Raises UnfitError.
    """
    tasks, programs = [], {}
    _, compiled = before.compiled
    old, new, venv = str(before.site), str(now.site), str(now.venv)
    for wheel in wheels:
        rows = before.rows[wheel.info]
        own = [f"{SITE}/{wheel.info}/{name}" for name in ("INSTALLER", "REQUESTED", "RECORD")]  # which pip writes
        programs[wheel.info] = [name for name in rows if name.startswith("../../../bin/")]
        for name, (digest, size) in rows.items():
            place = os.path.normpath(f"{SITE}/{name}")
            if place == own[-1] or (name in programs[wheel.info] and place in (*wheel.installed, *wheel.programs)):
                continue
            if not digest.startswith("sha256=") or (place not in own and wheel.installed.get(place) != (digest, size)):
                raise UnfitError(f"{wheel.info}/RECORD is not as it was installed")
            kind = _COPY + _PROGRAM * (place in wheel.executable)
            tasks.append((kind, f"{old}/{name}", f"{venv}/{place}", digest[len("sha256=") :], size))
            pyc = cache_from_source(name) if name.endswith(".py") else ""
            if pyc in compiled:
                tasks.append((_COPY, f"{old}/{pyc}", f"{new}/{pyc}", compiled[pyc], ""))
    return tasks, programs


def unpackings(wheels: Iterable[Wheel], now: Version) -> list[Task]:
    """What of these wheels is unpacked, the largest wheel first."""
    tasks, site, modes = [], str(now.site), {False: _UNPACK, True: _UNPACK + _PROGRAM}
    for wheel in sorted(wheels, key=lambda one: -one.path.stat().st_size):
        for name in wheel.plain:
            kind, (digest, size) = modes[f"{SITE}/{name}" in wheel.executable], wheel.rows[name]
            tasks.append((kind, str(wheel.path), f"{site}/{name}", digest[len("sha256=") :], size))
    return tasks


def rewrite_programs(names: Sequence[str], info: str, before: Version, now: Version) -> None:
    """Write a package's programs for this version's Python, and its RECORD with their digests. Raises UnfitError."""
    text = (before.site / info / "RECORD").read_bytes().decode()
    rows = before.rows[info]
    for name in names:
        source, target = before.site / name, now.site / name
        content = _checked(source, rows[name][0])
        made = content.replace(os.fsencode(before.python), os.fsencode(now.python), 1)
        target.write_bytes(made)
        target.chmod(0o755)
        old, new = (",".join((name, *row)) for row in (rows[name], (f"sha256={digest_of(made)}", str(len(made)))))
        if text.count(old) != 1:
            raise UnfitError(f"{info}/RECORD is not as it was installed")
        text = text.replace(old, new)
    (now.site / info / "RECORD").write_bytes(text.encode())


def _checked(path: Path, digest: str) -> bytes:
    content = _read(path)
    if f"sha256={digest_of(content)}" != digest:
        raise UnfitError(f"{path.name} is not as it was installed")
    return content


def digest_of(content: bytes) -> str:
    """As RECORDs spell it."""
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
