"""README.md of an archive: what it is and the commands that install it, for whoever unpacks it."""

from __future__ import annotations

from bundler.kinds.wheelhouse.members.archive_manifest import ArchiveManifest
from bundler.kinds.wheelhouse.members.templates import template
from bundler.model.bundle import top_of

_SERVICE = """\

## As a service

    sudo sh {top}/install.sh --systemd

makes a user `{component}`, `/etc/{component}` with a first configuration, and `{component}.service`, which is asked at
http://127.0.0.1:{port}. An upgrade is the same command of the newer archive: the new version is started for a trial
first, requests wait while the service restarts, and if that is not ready the version before runs again.

    sudo sh {top}/install.sh --status
    sudo sh {top}/install.sh --uninstall
"""


def render(facts: ArchiveManifest) -> bytes:
    """Return the file's bytes."""
    portable = facts.python.source == "portable"
    python = (
        f"a Python {facts.python.version} of its own" if portable else f"the host's Python {facts.interpreter.minor}"
    )
    words = {
        "component": facts.component,
        "top": top_of(facts.component),
        "requirement": facts.requirement,
        "host": facts.host,
        "python": python,
        "program": facts.program or facts.component,
        "archive": f"{facts.component}-…-{facts.target}.tar.gz",
        "port": str(facts.service.port if facts.service else ""),
    }
    text = template("README.md.part").format_map(words)
    return (text + (_SERVICE.format_map(words) if facts.service else "")).encode()
