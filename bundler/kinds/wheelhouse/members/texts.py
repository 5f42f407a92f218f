"""The members of an archive that follow from its manifest.json alone: the README, and what runs it and its service."""

from __future__ import annotations

from collections.abc import Mapping

from bundler.kinds.wheelhouse.members import host_env, readme
from bundler.kinds.wheelhouse.members.archive_manifest import ArchiveManifest
from bundler.kinds.wheelhouse.members.managers import manager_for
from bundler.kinds.wheelhouse.members.templates import template
from bundler.model.one_program import one_program

README, PROBE = "README.md", "metadata/probe.py"
# What install.sh runs, and of which modules each is made; the second is run by the first, and stands beside it.
PROGRAMS: Mapping[str, tuple[str, ...]] = {
    "install.py": ("install_wheels.py", "install_version.py", "install_imports.py", "install.py"),
    "install_share.py": ("install_share.py",),
}


def render(facts: ArchiveManifest) -> Mapping[str, bytes]:
    """Return the files by path."""
    return {
        README: readme.render(facts),
        PROBE: template("probe.py").encode(),
        **host_env.render(facts),
        **{f"metadata/{name}": program(name) for name in PROGRAMS},
        **manager_for(facts.distro).render(facts.component, facts.program or facts.component, facts.service),
    }


def program(name: str) -> bytes:
    """Return one of `PROGRAMS`."""
    return one_program(map(template, PROGRAMS[name])).encode()
