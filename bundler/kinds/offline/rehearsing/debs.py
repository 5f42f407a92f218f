"""apt that sees the package's own repository and nothing else, as the installer configures it."""

from __future__ import annotations

import re

from bundler.adapters.sandbox import Finished
from bundler.kinds.offline.rehearsing.host import Host, lacking, succeeded
from bundler.kinds.steps import SkippedError, StepError
from bundler.model.program_log import last_line

PACKAGES = "packages/apt"
LISTS = "metadata/apt"
# What the installer asks apt for before anything else.
PREREQUISITES = ("git", "curl", "ansible", "ca-certificates", "unzip")
BROWSERS, BROWSER_LIST = "packages/playwright-browsers", f"{LISTS}/browser-deb-packages.txt"
# The first of these that apt sees, the installer asks for as well.
_DOCKER = (("docker-ce", "docker-ce-cli", "containerd.io"), ("docker.io",))

_SOURCE = "/etc/apt/sources.list.d/ai-workspace-offline.list"
_CONFIG = "/etc/apt/apt.conf.d/99ai-workspace-offline"
_CONFIG_TEXT = """\
Dir::Etc::sourcelist "sources.list.d/ai-workspace-offline.list";
Dir::Etc::sourceparts "-";
APT::Get::List-Cleanup "0";
Acquire::Languages "none";
"""
_ASIDE = "mv /var/lib/apt/lists /var/lib/apt/lists.aside; mkdir -p /var/lib/apt/lists/partial"
# What apt-get says of a package that it does not have, in the C locale.
_MISSING = (
    re.compile(r"^E: Unable to locate package (\S+)$", re.MULTILINE),
    re.compile(r"^E: Package '?([^\s']+)'? has no installation candidate$", re.MULTILINE),
    re.compile(r"(?:Depends|PreDepends): (\S+)(?: \([^)]*\))? but it is not installable$", re.MULTILINE),
    re.compile(r"(?:Depends|PreDepends): (\S+(?: \([^)]*\))?) but \S+ is to be installed$", re.MULTILINE),
    re.compile(r"^E: (?:Failed to fetch file:)\S*/(\S+?\.deb)\s", re.MULTILINE),
    re.compile(r"(?:Depends|PreDepends): (\S+)(?: \([^)]*\))? but it is not going to be installed$", re.MULTILINE),
)


def missing(output: str) -> list[str]:
    """The packages that apt-get's output says it lacks: those that are nowhere, else those that cannot be installed."""
    return next((found for one in _MISSING if (found := one.findall(output))), [])


def configure(host: Host) -> str:
    """Have apt see the package's repository only: the lists that the host has are moved away."""
    if not host.found(f"{host.root}/{PACKAGES}", "-maxdepth", "1", "-name", "*.deb"):
        raise lacking("the package", [f"{PACKAGES}/*.deb"], "")
    host.bash(_ASIDE)
    host.machine.write(_SOURCE, f"deb [trusted=yes] file:{host.root}/{PACKAGES} ./\n")
    host.machine.write(_CONFIG, _CONFIG_TEXT)
    update(host)
    names = host.run("apt-cache", "pkgnames").split()
    return f"{len(names)} names, of {PACKAGES} alone"


def update(host: Host) -> None:
    """Have apt read the repository. Raises StepError."""
    done = _apt(host, "update")
    if done.code or re.search("^[EW]: ", done.output, re.MULTILINE):
        raise StepError(f"apt cannot read {PACKAGES}: {last_line(done.output)}", done.output)


def prerequisites(host: Host) -> str:
    """Install what the installer does; what it asks for beside that, if it is there, must be installable."""
    names = list(PREREQUISITES)
    if host.has(BROWSERS):
        names += listed(host, BROWSER_LIST)
    # Docker's daemon is not started in a machine like this: that it could be installed with the others is enough.
    if docker := next((group for group in _DOCKER if visible(host, group[0])), ()):
        fetch(host, *names, *docker)
    install(host, *names)
    browsers = len(names) - len(PREREQUISITES)
    told = (*PREREQUISITES, *([f"{browsers} of {BROWSER_LIST}"] if browsers else []))
    return ", ".join(told) + (f"; {docker[0]} can be" if docker else "")


def listed(host: Host, path: str) -> list[str]:
    """The packages that a list of the package names. Raises StepError if it names none."""
    text = host.machine.read(f"{host.root}/{path}")
    names = (text or "").split()
    if not names:
        raise lacking("the package", [f"{path}, or names in it"], text or "")
    return names


def sets(host: Host) -> str:
    """Have apt solve each set of packages, and read every file that it would install."""
    found = host.found(f"{host.root}/{LISTS}", "-maxdepth", "1", "-name", "*-deb-packages.txt")
    if not found:
        raise SkippedError(f"the package has no {LISTS}/*-deb-packages.txt")
    told = []
    for path in found:
        names = listed(host, path.removeprefix(f"{host.root}/"))
        name = path.rpartition("/")[2].removesuffix("-deb-packages.txt")
        try:
            fetch(host, *names)
        except StepError as error:
            raise StepError(f"the set {name}: {error}", error.log) from error
        told.append(f"{name} ({len(names)})")
    return ", ".join(told)


def install(host: Host, *names: str) -> None:
    """Install packages as the installer does. Raises StepError naming those that are missing."""
    _checked(host, names, _apt(host, "install", "-y", "--no-install-recommends", *names))


def fetch(host: Host, *names: str) -> None:
    """Have apt solve for packages and read their files, without installing them. Raises StepError."""
    _checked(host, names, _apt(host, "install", "-y", "--no-install-recommends", "--download-only", *names))


def visible(host: Host, name: str) -> bool:
    """Say whether apt has a package of that name."""
    return host.attempt("apt-cache", "show", "--no-all-versions", name).code == 0


def _checked(host: Host, names: tuple[str, ...], done: Finished) -> None:
    if not done.code:
        return
    if gone := missing(done.output):
        raise lacking(PACKAGES, gone, done.output)
    succeeded(f"apt-get install {' '.join(names)}", done)


def _apt(host: Host, *words: str) -> Finished:
    return host.attempt("env", "LC_ALL=C", "apt-get", "-q", *words)
