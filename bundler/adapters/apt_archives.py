"""Where distributions' archives are: what a variable says, what apt is configured for, and what python-apt knows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from bundler.adapters.environment import SHARED, find_program
from bundler.adapters.http import redact
from bundler.adapters.process import Runner
from bundler.adapters.regular import read_regular
from bundler.errors import UsageError

_TIMEOUT_SECONDS = 60.0
_LARGEST_LIST = 1 << 20
_VARIABLE = "AIWS_APT_MIRRORS"
_TEMPLATES = Path("/usr/share/python-apt/templates")
_ADDRESS = re.compile(r"https?://[^\s\"']+")
_MIRRORED = "mirror+file:"
# The releases by which an archive is known that was never fetched from: nothing else tells whose it is.
_CODENAMES = {
    "debian": ("bullseye", "bookworm", "trixie", "forky", "sid", "stable", "oldstable", "testing", "unstable"),
    "ubuntu": ("jammy", "noble", "resolute"),
}
_FORMAT = "$(ORIGIN)|$(RELEASE)|$(ARCHITECTURE)|$(REPO_URI)"
_FILED = {"Debian": "debian", "Ubuntu": "ubuntu"}


def find_archives(env: Mapping[str, str], run: Runner) -> dict[str, str]:
    """Return the addresses of archives, with a slash at their ends, by name.

    Names are `debian`, `debian-security`, `ubuntu` and `ubuntu-ports` (all but amd64). AIWS_APT_MIRRORS, words of
    NAME=ADDRESS, wins over what apt on this host is configured for, and that over the templates of python-apt.
    Raises UsageError if a word of the variable is none.
    """
    found = dict(_templates(_TEMPLATES)) | dict(_configured(env, run)) | dict(told_archives(env.get(_VARIABLE, "")))
    return {name: f"{address.rstrip('/')}/" for name, address in found.items()}


def told_archives(words: str) -> Iterator[tuple[str, str]]:
    """Yield names and addresses. Raises UsageError for a word that is not NAME=ADDRESS."""
    for word in words.split():
        name, _, address = word.partition("=")
        if not re.fullmatch("[a-z][a-z0-9-]*", name) or not _ADDRESS.fullmatch(address):
            hint = "such as debian=https://mirror.example.org/debian"
            raise UsageError(f"{_VARIABLE}: {redact(word)!r} is not NAME=ADDRESS", hint)
        yield name, address


def archive_of(origin: str, suite: str, arch: str) -> str:
    """The name of the archive that a suite is in, or "" if it is no distribution's; `origin` is "" if unknown."""
    codename, _, pocket = suite.partition("/")[0].partition("-")
    known = [distro for distro, codenames in _CODENAMES.items() if codename in codenames]
    distro = _FILED.get(origin, "") if origin else "".join(known[:1])
    if pocket not in ("", "updates", "security", "backports", "proposed"):
        return ""
    if distro == "debian" and pocket == "security":
        return "debian-security"
    # Of Ubuntu's archives those on security.* lack what was never mended.
    if distro == "ubuntu" and pocket == "security":
        return ""
    return "ubuntu-ports" if distro == "ubuntu" and arch != "amd64" else distro


def _configured(env: Mapping[str, str], run: Runner) -> Iterator[tuple[str, str]]:
    program = find_program("apt-get", env)
    if program is None:
        return
    told = {**SHARED.of(env), "LC_ALL": "C"}
    done = run([program, "indextargets", "--format", _FORMAT, "Created-By: Packages"], told, _TIMEOUT_SECONDS)
    yield from _first(
        (name, address)
        for line in done.output.splitlines()
        if line.count("|") == 3
        for origin, suite, arch, uri in [line.split("|")]
        # What apt does not know of a target, it leaves as it is in the format.
        if (name := archive_of("" if origin.startswith("$") else origin, suite, arch)) and (address := _address(uri))
    )


def _address(uri: str) -> str:
    """The address of an archive; a list of mirrors stands for its first one."""
    if uri.startswith(_MIRRORED):
        path = Path("/" + uri.removeprefix(_MIRRORED).strip("/"))
        try:
            found = _ADDRESS.search(read_regular(path, _LARGEST_LIST).decode("utf-8", "replace"))
        except (OSError, UsageError):
            return ""
        return found[0] if found else ""
    return uri if _ADDRESS.fullmatch(uri) else ""


def _templates(folder: Path) -> Iterator[tuple[str, str]]:
    """What python-apt has for software-properties: of each suite, the address that the distribution recommends."""
    for name in _FILED:
        try:
            text = read_regular(folder / f"{name}.info", _LARGEST_LIST).decode("utf-8", "replace")
        except (OSError, UsageError):
            continue
        yield from _first(_recommended(name, text))


def _recommended(distro: str, text: str) -> Iterator[tuple[str, str]]:
    for stanza in text.split("\n\n"):
        said = dict(line.split(": ", 1) for line in stanza.splitlines() if ": " in line)
        if said.get("RepositoryType") != "deb":
            continue
        suite = said.get("Suite", "").replace("{series}", _CODENAMES[_FILED[distro]][0])
        others = "arm64" if "BaseURI-amd64" in said else "amd64"  # Ubuntu's other architectures have a server of theirs
        for address, arch in ((said.get("BaseURI-amd64", ""), "amd64"), (said.get("BaseURI", ""), others)):
            name = archive_of(distro, suite, arch)
            # Debian's server of security updates has them below a folder of that name, which its root leads to.
            below = name == "debian-security" and not address.rstrip("/").endswith(name)
            if name and _ADDRESS.fullmatch(address):
                yield name, f"{address.rstrip('/')}/{name}" if below else address


def _first(pairs: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    found: dict[str, str] = {}
    for name, address in pairs:
        found.setdefault(name, address)
    yield from found.items()
