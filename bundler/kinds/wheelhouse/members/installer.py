"""install.sh: the installer for operators that every archive carries, made for the archive's own host."""

from __future__ import annotations

from collections.abc import Mapping

from bundler.kinds.wheelhouse.members.archive_manifest import ArchiveManifest
from bundler.kinds.wheelhouse.members.managers import manager_for
from bundler.kinds.wheelhouse.members.templates import filled, template
from bundler.kinds.wheelhouse.request import Request
from bundler.model.interpreter import Interpreter
from bundler.payloads import SECTIONS
from bundler.platforms import endings, platform_for


def render(request: Request) -> bytes:
    """Return the script for the host that `request` is for."""
    target = request.target
    host = (target.distro, target.version, target.arch)
    variables = {k: v for name, one in SECTIONS.items() for k, v in one.script_variables(request.choice(name)).items()}
    variables |= manager_for(target.distro).script_variables(request.service)
    called = (request.component, request.program or request.component)
    return _filled(called, host, request.python, variables, portable=request.portable)


def differs(content: bytes, facts: ArchiveManifest) -> bool:
    """Say whether the script is anything but what `render` would write for the host that an archive says it is for."""
    told = facts.sections
    variables = {
        k: v for name, one in SECTIONS.items() for k, v in one.script_variables_in(content, told.get(name)).items()
    }
    variables |= manager_for(facts.distro).script_variables(facts.service)
    host, portable = (facts.distro, facts.version, facts.arch), facts.python.source == "portable"
    called = (facts.component, facts.program or facts.component)
    return content != _filled(called, host, facts.interpreter, variables, portable=portable)


def _filled(
    called: tuple[str, str],
    host: tuple[str, str, str],
    python: Interpreter,
    variables: Mapping[str, str],
    *,
    portable: bool,
) -> bytes:
    """The script of a component and its program, as they are `called`."""
    system = platform_for(host[0])
    words = {
        "# @SYSTEM@\n": template("systems", f"{system.WORD}.sh.part"),
        "# @VARIABLES@\n": "".join(f"{name}='{value}'\n" for name, value in variables.items()),
        "# @SERVICE@\n": template(*manager_for(host[0]).SCRIPT.split("/")),
        "# @SETUP@\n": "".join(module.setup() for module in SECTIONS.values()),
        "@ASSETS@": " | ".join(f'"$component"-*-{end}.tar.gz' for end in endings(*host)),
        "@PATH@": system.PROGRAMS,
        "@UNAME@": system.PLATFORM_SYSTEM,
        "@COMPONENT@": called[0],
        "@PROGRAM@": called[1],
        "@DISTRO@": host[0],
        "@VERSION@": host[1],
        "@ARCH@": host[2],
        "@MACHINE@": python.machine,
        "@PYTHON_MINOR@": python.minor,
        "@PYTHON_PATCH@": str(python.patch),
        "@PYTHON_SOURCE@": "portable" if portable else "system",
        "@PYTHON_NEED@": "" if portable else f" with Python {python.minor}",
    }
    return filled(template("install.sh.part"), words).encode()
