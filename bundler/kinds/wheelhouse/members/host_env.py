"""metadata/host.env: what bash or zsh sources where no installer of the consumers tells pip where the wheels are.

Their bootstrap and roles hand what it exports on as it is: pip's own variables, and what the role of a component reads
(`NAME_PACKAGE_SPEC`, `NAME_PYTHON_EXECUTABLE`). It finds the folder from its own path.
"""

from __future__ import annotations

from collections.abc import Mapping

from bundler.kinds import runtime_env
from bundler.kinds.wheelhouse.members.archive_manifest import ArchiveManifest
from bundler.kinds.wheelhouse.members.templates import filled, template
from bundler.model.bundle import HOST_ENV, PYTHON, top_of


def render(facts: ArchiveManifest) -> Mapping[str, bytes]:
    """Return the file by path; none for platforms whose archives have none."""
    if not facts.platform.SOURCED:
        return {}
    words = {
        "@COMPONENT@": facts.component,
        "@TOP@": top_of(facts.component),
        "@SPEC@": runtime_env.spec_name(facts.component),
        "@EXECUTABLE@": runtime_env.variable(facts.component, "PYTHON_EXECUTABLE"),
        "@PYTHON@": f"{PYTHON}/cpython-{facts.python.version}/bin/python{facts.interpreter.minor}",
    }
    return {HOST_ENV: filled(template("host.env.part"), words).encode()}
