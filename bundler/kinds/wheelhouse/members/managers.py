"""What runs services on a host: one module for each service manager, and the table that lists them.

A module that has what `Manager` asks for is one. Which a platform has, its entry in `platforms` says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from bundler.kinds.wheelhouse.members import agents, units
from bundler.kinds.wheelhouse.service_plan import ServicePlan
from bundler.platforms import platform_for


class Manager(Protocol):
    """A service manager: what an archive carries for it, and what is said of it."""

    SCRIPT: str
    """The part of install.sh that is of it alone, a file of this folder."""
    WORDS: Mapping[str, str]
    """What commands in an archive's README.md are made of; {component} is filled in."""
    NOTES: str
    """What README.md says besides."""
    README: str
    """What README.md says of the service."""

    def render(self, component: str, program: str, plan: ServicePlan | None) -> Mapping[str, bytes]:
        """The files of an archive that a component's service is made of, by path."""

    def script_variables(self, plan: ServicePlan | None) -> Mapping[str, str]:
        """What install.sh knows of the service; empty without one."""


_MANAGERS: Mapping[str, Manager] = {"systemd": units, "launchd": agents}


def manager_for(distro: str) -> Manager:
    """Return the service manager of a target's distro."""
    return _MANAGERS[platform_for(distro).SERVICES]
