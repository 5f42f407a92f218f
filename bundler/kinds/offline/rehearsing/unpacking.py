"""Unpack a package as the bootstrap does, see whether it is for this host, and read what its own files export."""

from __future__ import annotations

import re
import shlex

from bundler.kinds.offline.places import TARGET_ENV
from bundler.kinds.offline.rehearsing.host import FLAGS, FOLDER, Host, lacking
from bundler.kinds.steps import StepError
from bundler.sizes import size_text

INSTALLER = "scripts/ai-workspace-offline-install.sh"
_TOLD = ("DISTRO_ID", "DISTRO_VERSION", "ARCH")
# What a host says of itself: os-release(5), dpkg(1).
_ASKED = '. /etc/os-release; echo "$ID"; echo "$VERSION_ID"; dpkg --print-architecture'
# Their own lines read by bash as root, with ROOT set and what is not set an error; then what has been exported.
_SOURCED = """
ROOT=$1; shift
for file; do . "$ROOT/$file"; done
for name in ${SPECS:-}; do if [ -n "${!name:-}" ]; then export "${name?}"; fi; done
unset SPECS
env
"""
_SHELLS_OWN = ("PWD", "SHLVL", "_", "OLDPWD", "SPECS")
_SPEC = "PACKAGE_SPEC"


def unpack(host: Host) -> str:
    """Unpack it below a folder."""
    host.machine.extract(FOLDER)
    return size_text(host.machine.look(FOLDER).size)


def find_installer(host: Host) -> str:
    """Find the installer, two or three levels down: what it stands in is the package's root."""
    found = host.found(FOLDER, "-mindepth", "2", "-maxdepth", "3", "-type", "f", "-path", f"*/{INSTALLER}")
    if not found:
        raise lacking("the package", [INSTALLER], "")
    host.root = found[0].removesuffix(f"/{INSTALLER}")
    return host.root


def match_target(host: Host) -> str:
    """Compare the first lines of target.env with what the host says of itself, as the bootstrap does."""
    text = host.machine.read(f"{host.root}/{TARGET_ENV}")
    if text is None:
        raise lacking("the package", [TARGET_ENV], "")
    lines = [line.partition("=") for line in text.splitlines()]
    told = [next((value for name, _, value in lines if name == wanted), "") for wanted in _TOLD]
    if "" in told:
        raise lacking(TARGET_ENV, [f"{name}=" for name, value in zip(_TOLD, told, strict=True) if not value], text)
    asked = host.bash(_ASKED).split()
    if told != asked:
        raise StepError(f"{TARGET_ENV} says {' '.join(told)}, the host is {' '.join(asked)}")
    return " ".join(told)


def variable_files(host: Host) -> list[str]:
    """The files that the installer sources: target.env, and what parts have put beside it."""
    copies = [place for part in host.facts.parts for place in part.copies.values()]
    return [TARGET_ENV, *sorted(place for place in copies if re.fullmatch(r"metadata/[^/]+\.env", place))]


def export(host: Host) -> str:
    """Take over what the files export, and the one variable of a part that the installer exports itself."""
    files = variable_files(host)
    if missing := [path for path in files if not host.has(path)]:
        raise lacking("the package", missing, "")
    names = [f"{part.component.upper().replace('-', '_')}_{_SPEC}" for part in host.facts.parts]
    done = host.bash(f"SPECS={shlex.quote(' '.join(names))}{_SOURCED}", host.root, *files)
    said = dict(line.partition("=")[::2] for line in done.splitlines() if "=" in line)
    new = {name: value for name, value in said.items() if name not in _SHELLS_OWN and host.env.get(name) != value}
    host.env |= new
    flags = f"{FLAGS}={host.env[FLAGS]}" if FLAGS in host.env else f"no {FLAGS}"
    return f"{len(new)} variables of {', '.join(files)}; {flags}"
