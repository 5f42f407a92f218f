"""The wheels of a package: what the installer tells pip of them, and each closure installed by another user."""

from __future__ import annotations

import re
import shlex

from packaging.requirements import Requirement

from bundler.kinds.offline.package import ClosureFacts
from bundler.kinds.offline.rehearsing import debs
from bundler.kinds.offline.rehearsing.host import FLAGS, HOME, USER, Host, lacking, succeeded
from bundler.kinds.steps import SkippedError, StepError
from bundler.model.bundle import PYTHON, WHEELS
from bundler.model.program_log import last_line
from bundler.sizes import size_text

_COPY, _LINK = "/opt/ai-workspace/python", "/usr/local/bin/ai-workspace-python"
_CONFIG = "/etc/pip.conf"
# pip's, as the role sets them in the command that sudo runs.
_PIP = f"PIP_CACHE_DIR={HOME}/.cache/pip PIP_DEFAULT_TIMEOUT=60"
_MISSING = re.compile(r"No matching distribution found for (.+?)(?: \(from .*\))?$", re.MULTILINE)


def missing(output: str) -> list[str]:
    """The requirements that pip's output says nothing satisfies."""
    return list(dict.fromkeys(_MISSING.findall(output)))


def portable_python(host: Host) -> str:
    """Copy a portable Python to where it stays, as the installer does, and tell the parts' roles of it."""
    minors = sorted({closure.interpreter.minor for closure in host.facts.closures})
    for minor in minors:
        if _executable(host, f"{host.root}/{PYTHON}", minor):
            host.bash('mkdir -p "$2"; cp -a "$1/." "$2/"; chmod -R a+rX "$2"', f"{host.root}/{PYTHON}", _COPY)
            found = _executable(host, _COPY, minor)
            host.run("ln", "-sfn", found, _LINK)
            for part in host.facts.parts:
                host.env[f"{part.component.upper().replace('-', '_')}_PYTHON_EXECUTABLE"] = _LINK
            return f"{found}: {last_line(host.run(_LINK, '--version'))}"
    raise SkippedError(f"the package has no {PYTHON} for Python {', '.join(minors)}")


def configure(host: Host) -> str:
    """Tell pip of the wheels as the installer does: by variables, and in pip.conf on a host that has pip."""
    if not host.found(f"{host.root}/{WHEELS}", "-maxdepth", "1", "-name", "*.whl"):
        raise lacking("the package", [f"{WHEELS}/*.whl"], "")
    host.env |= {"PIP_FIND_LINKS": f"{host.root}/{WHEELS}", "PIP_PREFER_BINARY": "true", "PIP_NO_INDEX": "true"}
    if host.attempt("python3", "-m", "pip", "--version").code:
        if FLAGS not in host.env:
            raise StepError(f"nothing exports {FLAGS}, and the host has no pip: through sudo nobody sees {WHEELS}")
        return f"the host has no pip, so no {_CONFIG}: variables alone, which {FLAGS} leads through sudo"
    for name, value in (("find-links", f"{host.root}/{WHEELS}"), ("prefer-binary", "true"), ("no-index", "true")):
        host.run("python3", "-m", "pip", "config", "--global", "set", f"global.{name}", value)
    return f"variables and {_CONFIG}"


def install(host: Host, number: int, closure: ClosureFacts) -> str:
    """Install a closure's requirements into a venv of its Python, by another user through sudo, with no index."""
    if host.attempt("id", USER).code:
        host.run("useradd", "--create-home", "--user-group", "--shell", "/bin/bash", USER)
    python = _python(host, closure)
    venv = f"{HOME}/venv-{number}"
    succeeded("python -m venv", host.user(f"{python} -m venv {venv}"))
    if any(_project(text) == "pip" for text in closure.requirements):
        _pip(host, venv, "install", "--upgrade", "pip")
    _pip(host, venv, "install", *closure.requirements)
    _pip(host, venv, "check")
    size = host.machine.look(venv).size
    return f"{len(closure.wheels)} wheels, {size_text(size)}, {python}"


def _python(host: Host, closure: ClosureFacts) -> str:
    """The Python of a closure: the portable one, if it is of its kind, else the distribution's."""
    minor = closure.interpreter.minor
    if _executable(host, _COPY, minor):
        return _LINK
    if debs.visible(host, "python3-venv"):
        debs.install(host, "python3-venv")
    said = host.attempt("python3", "-c", "import sys, ensurepip; print('%d.%d' % sys.version_info[:2])")
    if said.code:
        raise lacking(debs.PACKAGES, ["python3-venv, which this host has not"], said.output)
    if last_line(said.output) != minor:
        raise lacking("the package", [f"a Python {minor}: the host's is {last_line(said.output)}"], "")
    return "/usr/bin/python3"


def _executable(host: Host, folder: str, minor: str) -> str:
    found = host.found(folder, "-type", "f", "-path", f"*/bin/python{minor}", "-perm", "-u+x")
    return found[0] if found else ""


def _pip(host: Host, venv: str, *words: str) -> None:
    command = shlex.join((f"{venv}/bin/python", "-m", "pip", *words))
    done = host.user(f"{_PIP} exec {command}")
    if not done.code:
        return
    if gone := missing(done.output):
        raise lacking(WHEELS, gone, done.output)
    succeeded(command, done)


def _project(requirement: str) -> str:
    return Requirement(requirement).name.lower()
