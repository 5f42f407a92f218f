"""README.md of an archive: what it is and the commands that install it, for whoever unpacks it."""

from __future__ import annotations

from bundler.kinds.wheelhouse.members.archive_manifest import ArchiveManifest
from bundler.kinds.wheelhouse.members.managers import manager_for
from bundler.kinds.wheelhouse.members.templates import template
from bundler.model.bundle import top_of
from bundler.platforms import endings


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
        "archive": f"{facts.component}-…-{endings(facts.distro, facts.version, facts.arch)[0]}.tar.gz",
        "port": str(facts.service.port if facts.service else ""),
    }
    manager = manager_for(facts.distro)
    words.update({name: word.format_map(words) for name, word in manager.WORDS.items()})
    text = template("README.md.part") + manager.NOTES + (manager.README if facts.service else "")
    return text.format_map(words).encode()
