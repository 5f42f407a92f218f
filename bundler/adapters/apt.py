"""apt, with configuration and state of its own: it solves for any release and architecture, and changes no host.

It needs no root, reads nothing of the host's /etc/apt, and fetches indexes only, which it verifies (apt-secure(8)).
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bundler.adapters.credentials import redact, split, without_user
from bundler.adapters.environment import SHARED, find_program
from bundler.adapters.process import Completed, Runner
from bundler.adapters.regular import open_regular
from bundler.errors import BundleError, IntegrityError, LockError, UnreachableError, WorkError
from bundler.model.paths import path_fault

_UPDATE_SECONDS = 600.0
_SOLVE_SECONDS = 180.0
# The largest index of a distribution has about 80 MB unpacked; a file that grows beyond this ends its writer.
_LARGEST_INDEX = 256 << 20
_MOST_PACKAGES = 10_000
_NEEDED = ("apt-get", "apt-cache", "prlimit")
_URI = re.compile(r"'([^'\s]{1,2000})' (\S{1,300}) ([0-9]{1,12}) SHA256:([0-9a-f]{64})")
_NAMED = re.compile(r"([a-z0-9][a-z0-9+.-]+)_([A-Za-z0-9.+:~-]+)_([a-z0-9-]+)\.deb")
_UNKNOWN = re.compile(r"E: (?:Unable to locate package (\S+)|Package '(\S+)' has no|Version '\S+' for '(\S+)' was)")
_FIELD = re.compile(rb"(Package|Priority): (\S+)\s*$")
# What apt says of a Release or an index that is not to be trusted; all else is taken for a server out of reach.
_DISTRUST = re.compile(
    r"is expired|is not valid yet|is not signed|no longer signed|GPG error|NO_PUBKEY|EXPKEYSIG|BADSIG|Sub-process "
    r"(/usr/bin/)?(gpgv|sqv)|Hash Sum mismatch|unexpected size|Conflicting distribution|clearsigned|Weak security",
    re.IGNORECASE,
)
# No sandbox of apt's own: it would be a user who cannot read this folder. No delays: with one server away and others
# there, apt 2.6 never ends. Phased updates are for everybody, else the host's machine-id would decide.
_CONFIGURATION = """\
Dir "{folder}";
Dir::State "{folder}/state";
Dir::State::status "{folder}/status";
Dir::Cache "{folder}/cache";
Dir::Etc "{folder}/etc";
Dir::Etc::main "none";
Dir::Etc::netrc "{folder}/etc/auth.conf";
Dir::Bin::Methods "/usr/lib/apt/methods";
Dir::Log "{folder}/log";
APT::Architecture "{arch}";
APT::Architectures {{ "{arch}"; }};
APT::Install-Recommends "false";
APT::Install-Suggests "false";
APT::Get::Always-Include-Phased-Updates "true";
APT::Cmd::Pattern-Only "true";
APT::Sandbox::User "root";
APT::Update::Error-Mode "any";
Acquire::Languages "none";
Acquire::ForceHash "SHA256";
Acquire::Retries "2";
Acquire::Retries::Delay "false";
Acquire::http::Timeout "30";
Acquire::https::Timeout "30";
Acquire::GzipIndexes "false";
Acquire::IndexTargets::deb::Translations::DefaultEnabled "false";
#clear DPkg;
"""


@dataclass(frozen=True)
class Source:
    """A suite of an archive: its address with a slash at its end, and the file of the keys that may sign for it.

    A suite that ends in a slash is a folder, and has no components (sources.list(5)).
    """

    address: str
    suite: str
    components: tuple[str, ...]
    keyring: Path

    def stanza(self, arch: str) -> str:
        """The source as apt reads it, in deb822 format; credentials stand elsewhere."""
        lines = [
            "Types: deb",
            f"URIs: {without_user(split(self.address))}",
            f"Suites: {self.suite}",
            *([f"Components: {' '.join(self.components)}"] if self.components else []),
            f"Architectures: {arch}",
            f"Signed-By: {self.keyring}",
        ]
        return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Solved:
    """A package that apt would fetch: `source` is an address that was given, `path` what follows it. Size in bytes."""

    name: str
    version: str
    arch: str
    source: str
    path: str
    size: int
    sha256: str


class Apt:
    """apt, told of some sources and of no installed package."""

    def __init__(self, folder: Path, sources: Sequence[Source], env: Mapping[str, str], run: Runner) -> None:
        self._folder, self._sources, self._run = folder, tuple(sources), run
        self._env = {**SHARED.of(env), "LC_ALL": "C", "APT_CONFIG": str(folder / "apt.conf")}

    def update(self) -> None:
        """Fetch the sources' indexes. Raises IntegrityError if one is not signed, expired or lies, UnreachableError."""
        done = self._called("apt-get", "update", "-q", timeout=_UPDATE_SECONDS)
        said = [line for line in done.errors.splitlines() if line.startswith(("E:", "W:"))]
        if any(path.stat().st_size >= _LARGEST_INDEX for path in self._folder.rglob("*") if path.is_file()):
            raise IntegrityError(f"an index is larger than {_LARGEST_INDEX} bytes: {self._told(said)}")
        if distrusted := [line for line in said if _DISTRUST.search(line)]:
            hint = "is the mirror behind, the clock wrong, or the keyring another archive's?"
            raise IntegrityError(f"an archive is not to be trusted: {self._told(distrusted)}", hint)
        if done.code:
            raise UnreachableError(
                f"apt cannot fetch indexes: {self._told(said)}", "is the archive there, and the suite?"
            )

    def names(self) -> dict[str, str]:
        """The priority of every package that the sources have ("" if it says none), by its name."""
        asked = self._called("apt-get", "indextargets", "--format", "$(FILENAME)", "Created-By: Packages")
        found: dict[str, str] = {}
        for listed in asked.output.splitlines():
            if not (path := Path(listed)).is_relative_to(self._folder):
                raise IntegrityError(f"apt keeps an index at {listed[:300]!r}")
            if path.exists():
                with open_regular(path) as file:
                    _take_names(file, found)
        return found

    def unknown(self, packages: Sequence[str]) -> tuple[str, ...]:
        """Those of `packages` that no source has, nor another package provides, sorted."""
        done = self._installing(packages)
        return tuple(sorted({"".join(found) for found in _UNKNOWN.findall(done.errors)}))

    def solve(self, packages: Sequence[str]) -> tuple[Solved, ...]:
        """What a host with nothing installed needs for `packages` (NAME or NAME=VERSION), without recommendations.

        Raises LockError if they do not go together, IntegrityError if apt's answer makes no sense.
        """
        done = self._installing(packages)
        if done.code:
            said = [line for line in f"{done.output}\n{done.errors}".splitlines() if " : " in line or line[:2] == "E:"]
            raise LockError(
                f"apt cannot solve it: {self._told(said)}", "packages that conflict go into sets of their own"
            )
        lines = [line for line in done.output.splitlines() if line.startswith("'")]
        if len(lines) > _MOST_PACKAGES:
            raise IntegrityError(f"apt names {len(lines)} packages, more than {_MOST_PACKAGES}")
        return tuple(sorted((self._solved(line) for line in lines), key=lambda one: (one.name, one.version)))

    def show(self, solved: Sequence[Solved]) -> str:
        """What the indexes say of packages: stanzas, perhaps more than were asked for."""
        if not solved:
            return ""
        return self._called("apt-cache", "show", "--", *(f"{one.name}={one.version}" for one in solved)).output

    def _installing(self, packages: Sequence[str]) -> Completed:
        return self._called("apt-get", "install", "-y", "-qq", "--print-uris", "--no-remove", "--", *packages)

    def _solved(self, line: str) -> Solved:
        found = _URI.fullmatch(line.strip())
        named = _NAMED.fullmatch(unquote(found[2])) if found else None
        bases = [
            one.address for one in self._sources if found and found[1].startswith(without_user(split(one.address)))
        ]
        source = max(bases, key=len, default="")
        path = unquote(found[1].removeprefix(without_user(split(source)))).removeprefix("./") if found else ""
        if not (found and named and source) or path_fault(path):
            raise IntegrityError(f"apt names a package in a way that makes no sense: {redact(line[:300])}")
        name, version, arch = named.groups()
        return Solved(name, version, arch, source, path, int(found[3]), found[4])

    def _called(self, program: str, *words: str, timeout: float = _SOLVE_SECONDS) -> Completed:
        found = {name: find_program(name, self._env) for name in _NEEDED}
        if missing := [name for name, path in found.items() if path is None]:
            hint = "lock on Debian or Ubuntu, where apt and util-linux are"
            raise UnreachableError(f"{missing[0]} is not installed", hint)
        limit = f"--fsize={_LARGEST_INDEX}"
        return self._run([str(found["prlimit"]), limit, str(found[program]), *words], self._env, timeout)

    def _told(self, lines: Sequence[str]) -> str:
        """What apt said, in one line without what is true of this run only."""
        text = " ".join(" ".join(lines[:6]).split()) or "it does not say why"
        return text.replace(str(self._folder), "")[:1500]


@contextmanager
def private_apt(sources: Sequence[Source], arch: str, env: Mapping[str, str], run: Runner) -> Iterator[Apt]:
    """The apt of a folder that goes with the context. Raises WorkError if the folder cannot be made."""
    try:
        with tempfile.TemporaryDirectory(prefix="aiws-bundle-apt-") as name:
            folder = Path(name).resolve()
            for below in ("state/lists/partial", "cache/archives/partial", "etc", "log", "keys"):
                (folder / below).mkdir(parents=True)
            for below in ("apt.conf.d", "preferences.d", "sources.list.d", "trusted.gpg.d", "auth.conf.d"):
                (folder / "etc" / below).mkdir()
            (folder / "status").touch()
            (folder / "etc/sources.list.d/archives.sources").write_text(
                "\n".join(source.stanza(arch) for source in sources), encoding="utf-8"
            )
            (folder / "etc/auth.conf").touch(mode=0o600)
            (folder / "etc/auth.conf").write_text("".join(_logins(sources)), encoding="utf-8")
            (folder / "apt.conf").write_text(_CONFIGURATION.format(folder=folder, arch=arch), encoding="utf-8")
            yield Apt(folder, sources, env, run)
    except (OSError, ValueError) as error:
        if isinstance(error, BundleError):
            raise
        raise WorkError(f"apt's own folder cannot be made: {error}") from error


def _logins(sources: Sequence[Source]) -> Iterator[str]:
    """The credentials of addresses as apt_auth.conf(5) has them."""
    for address in sorted({source.address for source in sources}):
        parts = urlsplit(address)
        if parts.username:
            place = without_user(parts).partition("://")[2]
            user, password = unquote(parts.username), unquote(parts.password or "")
            yield f"machine {parts.scheme}://{place} login {user} password {password}\n"


def _take_names(file: Iterator[bytes], found: dict[str, str]) -> None:
    """Note name and priority of each stanza of an index; what another index said first stays."""
    name = priority = ""
    for line in file:
        if line == b"\n":
            if name:
                found.setdefault(name, priority)
            name = priority = ""
        elif line[:1] == b"P" and (field := _FIELD.fullmatch(line)):
            value = field[2].decode("ascii", "replace")
            name, priority = (value, priority) if field[1] == b"Package" else (name, value)
    if name:
        found.setdefault(name, priority)
