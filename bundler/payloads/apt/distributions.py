"""Distributions as apt knows them: code names, suites, the archives these are in, and the keys that sign for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bundler.model.target import Target


@dataclass(frozen=True)
class Distribution:
    """A distribution: its releases' code names, its components, and the keyring that its package of keys installs.

    `security` is the archive of its security updates, `ports` that of architectures other than amd64.
    """

    name: str
    codenames: Mapping[str, str]
    components: tuple[str, ...]
    keyring: str
    package: str
    security: str
    ports: str

    def suites(self, target: Target) -> tuple[tuple[str, str], ...]:
        """The archive and name of each suite of a target's release."""
        codename = self.codenames[target.version]
        archive = self.name if target.arch == "amd64" else self.ports
        security = archive if self.security == self.name else self.security
        return ((archive, codename), (archive, f"{codename}-updates"), (security, f"{codename}-security"))


DISTRIBUTIONS: Mapping[str, Distribution] = {
    one.name: one
    for one in (
        Distribution(
            "debian",
            {"11": "bullseye", "12": "bookworm", "13": "trixie"},
            ("main",),
            "/usr/share/keyrings/debian-archive-keyring.gpg",
            "debian-archive-keyring",
            "debian-security",
            "debian",
        ),
        Distribution(
            "ubuntu",
            {"22.04": "jammy", "24.04": "noble", "26.04": "resolute"},
            ("main", "universe"),
            "/usr/share/keyrings/ubuntu-archive-keyring.gpg",
            "ubuntu-keyring",
            "ubuntu",
            "ubuntu-ports",
        ),
    )
}
ARCHIVES = frozenset(name for one in DISTRIBUTIONS.values() for name in (one.name, one.security, one.ports))
