"""What a wheel holds (PyPA's binary distribution format, PEP 427, and recording installed projects, PEP 376).

Refused is what pip, uv or pypa/installer refuses, and what they would install in different ways. A library exists
(pypa/installer), but it reads by zipfile, knows RECORD alone, and leaves the rest to pip.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import re
from collections.abc import Iterator
from functools import partial

from packaging.tags import Tag, parse_tag
from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import Version

from bundler.code.forward import ForwardReader
from bundler.code.values import MOST_MEMORY, Code
from bundler.errors import IntegrityError
from bundler.model.headers import read_headers
from bundler.model.paths import is_plain_name
from bundler.model.zip_file import ZipMember, ZipReader, find_clash
from bundler.platforms import HEAD, is_code, read_code

_INFO, _DATA = ".dist-info", ".data"
# Folders of site-packages that make a project of its own, whoever put them there.
_PROJECTS = (_INFO, ".egg-info")
_SITE = ("purelib", "platlib")
_SCHEMES = frozenset({*_SITE, "headers", "scripts", "data"})
# Folders of modules in what `data` is copied over, the environment itself.
_MODULES = ("site-packages", "dist-packages")
# What an environment has of its own, in capitals on some systems; pip replaces it without a word. Beside Python, a
# `._pth` decides sys.path on POSIX too (CPython, Modules/getpath.py), and `site` heeds a pyvenv.cfg before the other.
_ENVIRONMENT = re.compile(r"pythonw?[0-9.]*|activate([_.].*)?|deactivate([_.].*)?|.*\._pth|pyvenv\.cfg", re.IGNORECASE)
_PIP = re.compile(r"pip[0-9.]*", re.IGNORECASE)
_UNRECORDED = ("RECORD", "RECORD.jws", "RECORD.p7s")
_LARGEST_RECORD, _LARGEST_TEXT = 8 << 20, 1 << 20
_MOST_TAGS = 256
# Of a file of compiled code: a larger one is inflated twice.
_LARGEST_IN_MEMORY = 16 << 20
# Modules that Python imports whenever it starts, and how many of such files are told.
_CUSTOMIZE, _MOST_STARTUP = ("sitecustomize", "usercustomize"), 10
_MOST_SBOMS, _LONGEST_SBOM = 20, 300
_WHEEL_FIELDS = {"wheel-version": 1, "root-is-purelib": 1, "tag": _MOST_TAGS}
_WHEEL_VERSION = re.compile(r"1\.[0-9]")
# Length of the digest, as base64 without padding spells it.
_DIGEST = re.compile(r"(sha256)=([\w-]{43})|(sha384)=([\w-]{64})|(sha512)=([\w-]{86})", re.ASCII)
_SECTION = re.compile(r"\[([^\]\[]+)\]")
_PROGRAM = re.compile(r"[\w.-]*\w[\w.-]*", re.ASCII)
_FUNCTION = re.compile(r"[\w.]+:[\w.]+(\s*\[[\w\s,.-]*\])?", re.ASCII)
_PROGRAM_SECTIONS = ("console_scripts", "gui_scripts")


class WheelContent:
    """A wheel's members, proven to be laid out as its file name, its WHEEL and its RECORD say.

    Raises IntegrityError, which calls the wheel `filename`.
    """

    def __init__(self, archive: ZipReader, filename: str) -> None:
        self._archive, self._name = archive, filename
        project, version, tags = _identity(filename)
        self._project = project
        self._files = {member.path: member for member in archive.members if member.kind == "file"}
        self._info = self._info_folder(project, version)
        self.startup = self._check_places()
        self._check_wheel(tags)
        self._record = self._read_record()
        self._programs = self._check_programs()

    def file(self, name: str) -> ZipMember:
        """Return the member of this name in the `.dist-info` folder."""
        member = self._files.get(f"{self._info}/{name}")
        if member is None:
            raise self._fault(f"it has no {name} in {self._info}")
        return member

    def sboms(self) -> tuple[str, ...]:
        """The paths of SBOMs in it (PEP 770), at most the first few, sorted."""
        place = f"{self._info}/sboms/"
        told = (path for path in self._files if path.startswith(place) and len(path) <= _LONGEST_SBOM)
        return tuple(sorted(told)[:_MOST_SBOMS])

    def recorded(self) -> tuple[tuple[str, str], ...]:
        """Each file that RECORD lists, and its SHA-256 (hex); "" if RECORD has another digest of it."""
        pairs = ((path, value if algorithm == "sha256" else "") for path, (algorithm, value) in self._record.items())
        return tuple((path, base64.urlsafe_b64decode(f"{value}=").hex() if value else "") for path, value in pairs)

    def programs(self) -> tuple[str, ...]:
        """The names of the programs that an installation has: entry points for the console, and scripts."""
        place = f"{self._info.removesuffix(_INFO)}{_DATA}/scripts/"
        scripts = {path.removeprefix(place) for path in self._files if path.startswith(place)}
        return tuple(sorted(self._programs | scripts))

    def modules(self) -> tuple[str, ...]:
        """The names of the modules and packages that can be imported, as far as they are written in Python."""
        found = {path.removesuffix("/__init__.py").removesuffix(".py") for path in self._files if path.endswith(".py")}
        return tuple(sorted(name for name in found if name.isidentifier()))

    def check_digests(self) -> None:
        """Inflate everything, and compare it with RECORD."""
        self.read_through(digests=True, code=False)

    def read_through(self, *, digests: bool, code: bool) -> tuple[tuple[str, Code], ...]:
        """Read what is in the files: with `digests` all of it, which is compared with RECORD.

        With `code` return the files of compiled code that a platform judges, each by where it is installed
        (`site/a/b.so`); without `digests` only files that begin as such code does are inflated further.
        """
        found, memory = list[tuple[str, Code]](), 0
        for member in self._files.values():
            one = self._compared(member, code=code) if digests else self._code(member)
            if one:
                found.append((self._place(member), one))
                memory += len(member.path) + one.memory()
            if memory > MOST_MEMORY:
                raise self._fault("its compiled code asks for more libraries than any does")
        return tuple(found)

    def _compared(self, member: ZipMember, *, code: bool) -> Code | None:
        """Compare a file with RECORD; with `code`, tell what it says if it is compiled code."""
        pieces, begun = self._recorded(member), b""
        while len(begun) < min(HEAD, member.size) and (piece := next(pieces, None)) is not None:
            begun += piece
        if not (code and is_code(begun[:HEAD])):
            _exhaust(pieces)
            return None
        if member.size <= _LARGEST_IN_MEMORY:
            return _code_of(begun + b"".join(pieces))
        _exhaust(pieces)
        return self._large_code(member, begun[:HEAD])

    def _code(self, member: ZipMember) -> Code | None:
        """What a file says if it is compiled code; of any other, no more than its beginning is inflated."""
        head = self._archive.head(member, HEAD)
        if not is_code(head):
            return None
        if member.size <= _LARGEST_IN_MEMORY:
            return _code_of(self._archive.read(member, _LARGEST_IN_MEMORY))
        return self._large_code(member, head)

    def _large_code(self, member: ZipMember, head: bytes) -> Code | None:
        """The same of a file that is inflated anew each time that is gone back in it."""
        return read_code(head, ForwardReader(partial(self._archive.content, member)).read, member.size)

    def _recorded(self, member: ZipMember) -> Iterator[bytes]:
        """A member's content, which is compared with RECORD as it passes."""
        algorithm, expected = self._record.get(member.path, ("", ""))
        digest = hashlib.new(algorithm or "sha256")
        for data in self._archive.content(member):
            digest.update(data)
            yield data
        if algorithm and base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode() != expected:
            raise self._fault(f"{member.path[:200]!r} is not what its RECORD says")

    def _info_folder(self, project: str, version: Version) -> str:
        tops = {member.path.partition("/")[0] for member in self._archive.members}
        found = sorted(top for top in tops if top.lower().endswith(_PROJECTS))
        if len(found) != 1:
            raise self._fault(f"it has {len(found)} .dist-info folders, not one")
        name, dash, stated = found[0].removesuffix(_INFO).partition("-")
        try:
            same = bool(dash) and canonicalize_name(name) == project and Version(stated) == version
        except ValueError:
            same = False
        if not same or not found[0].endswith(_INFO):
            raise self._fault(f"its folder {found[0][:200]!r} speaks of another wheel")
        return found[0]

    def _check_places(self) -> tuple[str, ...]:
        """Every file is installed somewhere, and no two at one place; return those that Python runs when it starts."""
        files = [(self._place(member), False) for member in self._archive.members if member.kind == "file"]
        folders = {(self._place(member), True) for member in self._archive.members if member.kind == "folder"}
        if clash := find_clash([*files, *folders]):
            raise self._fault(f"two of its files would be installed as {clash[:200]!r}")
        there = (path.removeprefix("site/") for path, _ in files if path.startswith("site/"))
        return tuple(sorted(path[:200] for path in there if _is_startup(path))[:_MOST_STARTUP])

    def _place(self, member: ZipMember) -> str:
        """Where a member is installed: the kind of place, and the path below it."""
        top, *inner = member.path.split("/")
        if not top.lower().endswith(_DATA):
            return f"site/{member.path}"
        scheme, path = inner[0] if inner else "", "/".join(inner[1:])
        if top != self._info.removesuffix(_INFO) + _DATA:
            raise self._fault(f"its folder {top[:200]!r} speaks of another wheel")
        if (scheme and scheme not in _SCHEMES) or (member.kind == "file" and not path):
            raise self._fault(f"{member.path[:200]!r} is nowhere to be installed")
        if scheme == "scripts" and path and ("/" in path or member.kind == "folder"):
            raise self._fault(f"{member.path[:200]!r} is a program in a folder")
        if scheme in _SITE and path.partition("/")[0].lower().endswith(_PROJECTS):
            raise self._fault(f"{member.path[:200]!r} is metadata of another project")
        small = path.lower()
        if scheme == "data" and (small == "pyvenv.cfg" or any(part in _MODULES for part in small.split("/"))):
            raise self._fault(f"{member.path[:200]!r} would stand among what other wheels install")
        if scheme == "data" and small.startswith("bin/"):
            scheme, path = "scripts", path[len("bin/") :]
        if scheme == "scripts":
            self._check_program(path)
        # A folder that is there for its own sake never clashes.
        return f"{'site' if scheme in _SITE else scheme}/{path}" if path else f"folder/{member.path}"

    def _check_program(self, name: str) -> None:
        """Refuse a program in place of the environment's own."""
        if _ENVIRONMENT.fullmatch(name) or (_PIP.fullmatch(name) and self._project != "pip"):
            raise self._fault(f"its program {name[:200]!r} would replace the environment's own")

    def _check_wheel(self, tags: frozenset[Tag]) -> None:
        fields, body = read_headers(self._text("WHEEL"), _WHEEL_FIELDS, f"{self._name}: its WHEEL")
        version = "".join(fields["wheel-version"])
        if not _WHEEL_VERSION.fullmatch(version):
            raise self._fault(f"it is of wheel version {version[:20]!r}, not of 1.0")
        if "".join(fields["root-is-purelib"]).lower() not in ("true", "false") or body.strip():
            raise self._fault("its WHEEL cannot be read")
        lines = [line for line in fields["tag"] if line.count("-") == 2 and _combinations(line) <= len(tags)]
        if len(lines) < len(fields["tag"]) or frozenset(tag for line in lines for tag in parse_tag(line)) != tags:
            raise self._fault("its WHEEL has other tags than its file name")

    def _read_record(self) -> dict[str, tuple[str, str]]:
        """The digest of each file that RECORD lists, which is every one but RECORD itself and what signs it."""
        record = self.file("RECORD").path
        rows: dict[str, tuple[str, str]] = {}
        for path, digest, size in self._rows():
            member = self._files.get(path)
            matched = _DIGEST.fullmatch(digest)
            if path == record and not digest and not size:
                rows.setdefault(path, ("", ""))
            elif member is None:
                raise self._fault(f"its RECORD lists {path[:200]!r}, which is not there")
            elif path in rows or path == record:
                raise self._fault(f"its RECORD lists {path[:200]!r} twice, or itself with a digest")
            elif matched is None or size != str(member.size):
                raise self._fault(f"its RECORD tells no SHA-256 of {path[:200]!r}, or another size")
            else:
                algorithm, value = (part for part in matched.groups() if part)
                rows[path] = algorithm, value
        unrecorded = {f"{self._info}/{name}" for name in _UNRECORDED}
        if unlisted := sorted(self._files.keys() - rows.keys() - (unrecorded - {record})):
            raise self._fault(f"its RECORD does not list {unlisted[0][:200]!r}")
        del rows[record]
        if signed := sorted(rows.keys() & unrecorded):
            raise self._fault(f"its RECORD lists {signed[0][:200]!r}, which signs it")
        return rows

    def _rows(self) -> Iterator[tuple[str, str, str]]:
        text = self._text("RECORD", _LARGEST_RECORD).replace("\r\n", "\n").removesuffix("\n")
        if text.count("\n") >= len(self._files):
            raise self._fault("its RECORD has more lines than there are files")
        try:
            for row in csv.reader(text.split("\n"), strict=True):
                path, digest, size = row
                yield path, digest, size
        except (csv.Error, ValueError) as error:
            raise self._fault("its RECORD cannot be read") from error

    def _check_programs(self) -> set[str]:
        """Read the entry points: programs that the installer makes (PyPA's entry points specification).

        Returns those for the console.
        """
        console: set[str] = set()
        if f"{self._info}/entry_points.txt" not in self._files:
            return console
        programs: set[str] = set()
        for section, name, value in self._entry_points():
            if section not in _PROGRAM_SECTIONS:
                continue
            if len(name) > 200 or not _PROGRAM.fullmatch(name) or not _FUNCTION.fullmatch(value):
                raise self._fault(f"its entry point {name[:200]!r} cannot be made a program")
            self._check_program(name)
            data = f"{self._info.removesuffix(_INFO)}{_DATA}"
            if name in programs or {f"{data}/scripts/{name}", f"{data}/data/bin/{name}"} & self._files.keys():
                raise self._fault(f"its program {name[:200]!r} is there twice")
            programs.add(name)
            if section == _PROGRAM_SECTIONS[0]:
                console.add(name)
        return console

    def _entry_points(self) -> Iterator[tuple[str, str, str]]:
        """Section, name and value of each entry point; only lines that no reader takes for something else."""
        section, seen = "", set[tuple[str, str]]()
        for line in self._text("entry_points.txt").replace("\r\n", "\n").split("\n"):
            if not line.strip() or line.startswith(("#", ";")):
                continue
            heading = _SECTION.fullmatch(line.rstrip())
            name, equals, value = line.partition("=")
            place = (heading[1], "") if heading else (section, name.strip())
            whole = heading or (equals and name.strip() and value.strip() and ":" not in name and not line[0].isspace())
            if not whole or place in seen or place[0] in ("", "DEFAULT") or not line.isprintable():
                raise self._fault(f"its entry points cannot be read: {line[:80]!r}")
            seen.add(place)
            section = place[0]
            if not heading:
                yield section, name.strip(), value.strip()

    def _text(self, name: str, limit: int = _LARGEST_TEXT) -> str:
        try:
            return self._archive.read(self.file(name), limit).decode()
        except UnicodeDecodeError as error:
            raise self._fault(f"its {name} is not UTF-8") from error

    def _fault(self, fault: str) -> IntegrityError:
        return IntegrityError(f"{self._name}: pip would not install it, or not as others do: {fault}")


def _exhaust(pieces: Iterator[bytes]) -> None:
    for _ in pieces:
        pass


def _code_of(content: bytes) -> Code | None:
    return read_code(content[:HEAD], lambda offset, size: content[offset : offset + size], len(content))


def _is_startup(path: str) -> bool:
    """Say whether Python runs a file of site-packages whenever it starts, as `site` says it does, in any spelling."""
    top, _, inner = path.lower().partition("/")
    return (top.endswith(".pth") and not inner) or top.partition(".")[0] in _CUSTOMIZE


def _identity(filename: str) -> tuple[str, Version, frozenset[Tag]]:
    """What a wheel's file name says: its project, version and tags."""
    if not is_plain_name(filename) or _combinations(filename.removesuffix(".whl")) > _MOST_TAGS:
        raise IntegrityError(f"{filename[:200]}: is no name of a wheel")
    try:
        project, version, _, tags = parse_wheel_filename(filename)
    except ValueError as error:
        raise IntegrityError(f"{filename}: {error}") from error
    return project, version, tags


def _combinations(tag: str) -> int:
    """How many tags a compressed set of them stands for."""
    interpreters, abis, platforms = (["", "", "", *tag.split("-")])[-3:]
    return (interpreters.count(".") + 1) * (abis.count(".") + 1) * (platforms.count(".") + 1)
