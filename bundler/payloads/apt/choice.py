"""What a manifest asks for: packages in sets, and archives beside the distribution's own."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from bundler.errors import UsageError
from bundler.model.manifest_values import MANIFEST_CONFIG, distinct
from bundler.model.target import Target, select, selects
from bundler.payloads.apt.distributions import ARCHIVES, DISTRIBUTIONS
from bundler.words import Address, Selector

_FIELDS = ("codename", "version", "arch")
# A name with a hyphen at its end would tell apt to remove a package.
PACKAGE_PATTERN = r"[a-z0-9][a-z0-9+.-]*[a-z0-9+.]"


def _template(value: str) -> str:
    """Text in which {codename}, {version} and {arch} may stand."""
    try:
        parts = list(string.Formatter().parse(value))
    except ValueError as error:
        raise ValueError(f"not a template: {error}") from error
    if any(name is not None and (name not in _FIELDS or spec or conversion) for _, name, spec, conversion in parts):
        raise ValueError(f"holds nothing in braces but {', '.join(f'{{{name}}}' for name in _FIELDS)}")
    return value


_Selector: TypeAlias = Annotated[Selector, StringConstraints(max_length=64)]
_Selectors: TypeAlias = Annotated[tuple[_Selector, ...], Field(min_length=1)]
_Component: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*$", max_length=64),
    Field(title="a component of an archive", examples=["main"]),
]
_Distribution: TypeAlias = Annotated[
    str, StringConstraints(max_length=40), Field(title="a distribution or an archive of it", examples=["debian"])
]
_Keyring: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=r"^/[A-Za-z0-9._/+-]+$", max_length=300),
    Field(title="a file by its whole path", examples=["/usr/share/keyrings/debian-archive-keyring.gpg"]),
]
_Mirror: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=r"^https?://\S+$", max_length=500),
    Field(title="an address", examples=["https://example.org/debian/"]),
]
_Name: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$"),
    Field(title="a name of small letters, digits and hyphens", examples=["pgdg"]),
]
_Package: TypeAlias = Annotated[
    str,
    StringConstraints(
        pattern=rf"^{PACKAGE_PATTERN}(=[A-Za-z0-9.+:~-]+)?( \| {PACKAGE_PATTERN}(=[A-Za-z0-9.+:~-]+)?)*$",
        max_length=300,
    ),
    Field(
        title="a package, with =VERSION if need be; of several parted by ` | `, the first that an archive has",
        examples=["libasound2t64 | libasound2"],
    ),
]


@dataclass(frozen=True)
class Packages:
    """Packages for some targets."""

    __pydantic_config__: ClassVar[ConfigDict] = MANIFEST_CONFIG
    names: Annotated[
        tuple[_Package, ...],
        AfterValidator(distinct),
        Field(min_length=1, max_length=2000, description="Packages by name; `NAME=VERSION` for one version, `A | B` for"
              " the first that an archive has."),
    ]  # fmt: skip
    targets: Annotated[_Selectors, Field(description="The targets that they are for; all if it is left out.")] = (
        "all",
    )


@dataclass(frozen=True)
class Key:
    """The key that signs for an archive."""

    __pydantic_config__: ClassVar[ConfigDict] = MANIFEST_CONFIG
    address: Annotated[Address, Field(description="Where the key is to be had.")]
    fingerprint: Annotated[
        str,
        StringConstraints(pattern=r"^[0-9A-Fa-f]{40}$"),
        Field(
            description="The fingerprint of its primary key: no other key of the file counts.",
            title="an OpenPGP fingerprint of 40 hex digits",
            examples=["0123456789ABCDEF0123456789ABCDEF01234567"],
        ),
    ]


@dataclass(frozen=True)
class Archive:
    """An archive of packages that is not the distribution's own."""

    __pydantic_config__: ClassVar[ConfigDict] = MANIFEST_CONFIG
    name: Annotated[_Name, Field(description="What the lock calls it.")]
    address: Annotated[
        str,
        StringConstraints(
            pattern=r"^https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~+{}@%-]+)*/?$", max_length=500
        ),
        AfterValidator(_template),
        Field(
            description="Its address, as in sources.list; {codename}, {version} and {arch} are the target's.",
            title="an address",
            examples=["https://example.org/apt"],
        ),
    ]
    suite: Annotated[
        str,
        StringConstraints(pattern=r"^[A-Za-z0-9._+~{}-]+(/[A-Za-z0-9._+~{}-]+)*/?$", max_length=100),
        AfterValidator(_template),
        Field(
            title="a suite of letters, digits and ._+~-, or a folder that ends with a slash",
            description="The suite; one that ends with a slash is a folder without components, such as `./`.",
            examples=["{codename}-demo"],
        ),
    ]
    key: Annotated[Key, Field(description="The key that signs for it.")]
    components: Annotated[
        tuple[_Component, ...],
        AfterValidator(distinct),
        Field(description="Its components; none for a suite that is a folder."),
    ] = ()
    targets: Annotated[_Selectors, Field(description="The targets that it is for; all if it is left out.")] = ("all",)


_Priority: TypeAlias = Literal["required", "important", "standard"]


@dataclass(frozen=True)
class AptChoice:
    """Debian packages with everything that they need, for hosts whose apt sees nothing else."""

    __pydantic_config__: ClassVar[ConfigDict] = MANIFEST_CONFIG
    sets: Annotated[
        Mapping[_Name, tuple[Packages, ...]],
        Field(
            min_length=1,
            max_length=50,
            description="Packages that are installed together, by the name of the set. Each set is solved by itself,"
            " so packages of different sets may conflict. metadata/apt/SET-deb-packages.txt lists its packages.",
        ),
    ]
    archives: Annotated[
        tuple[Archive, ...], Field(max_length=50, description="Archives beside the distribution's own.")
    ] = ()
    priorities: Annotated[
        tuple[_Priority, ...],
        Field(
            description="Packages of these priorities are part of each set: what every host has, in versions that fit"
            " the others. A host whose base is older can be brought up to them."
        ),
    ] = ("required", "important")
    components: Annotated[
        Mapping[_Distribution, tuple[_Component, ...]],
        Field(description="Components of a distribution's archive, if not main (Ubuntu: main and universe)."),
    ] = field(default_factory=dict)
    keyrings: Annotated[
        Mapping[_Distribution, _Keyring],
        Field(description="The file of a distribution's keys, if not where its package of keys has it."),
    ] = field(default_factory=dict)
    mirrors: Annotated[
        Mapping[_Distribution, _Mirror],
        Field(
            description="Addresses of distributions' archives (debian, debian-security, ubuntu, ubuntu-ports) to lock"
            " from, if not those that apt on this host or AIWS_APT_MIRRORS knows."
        ),
    ] = field(default_factory=dict)

    def problems(self, targets: Sequence[Target]) -> Iterator[str]:
        """Selectors that select nothing, names that clash, and targets that no distribution here has."""
        groups = [(f"set {name}", group.targets) for name, groups in self.sets.items() for group in groups]
        for where, selectors in [*groups, *((f"archive {one.name}", one.targets) for one in self.archives)]:
            try:
                select(targets, selectors)
            except UsageError as error:
                yield f"{where}: {error.message}" + (f" ({error.hint})" if error.hint else "")
        names = [archive.name for archive in self.archives]
        for name in sorted({name for name in names if names.count(name) > 1 or name in ARCHIVES}):
            yield f"archive {name} is there twice, or is called as a distribution's own"
        for archive in self.archives:
            if archive.suite.endswith("/") == bool(archive.components):
                yield f"archive {archive.name}: a suite has components, unless it ends with a slash"
        for name in sorted((self.components.keys() | self.keyrings.keys()) - DISTRIBUTIONS.keys()):
            yield f"{name} is no distribution; there are {', '.join(DISTRIBUTIONS)}"
        for name in sorted(self.mirrors.keys() - ARCHIVES):
            yield f"{name} is no distribution's archive; there are {', '.join(sorted(ARCHIVES))}"
        for target in targets:
            if target.distro not in DISTRIBUTIONS or target.version not in DISTRIBUTIONS[target.distro].codenames:
                yield f"{target.name}: no Debian packages are known for {target.distro} {target.version}"

    def wanted(self, target: Target) -> dict[str, tuple[str, ...]]:
        """The packages of each set on a target, as the manifest names them."""
        return {
            name: tuple(dict.fromkeys(one for group in groups if selects(group.targets, target) for one in group.names))
            for name, groups in sorted(self.sets.items())
        }

    def archives_for(self, target: Target) -> tuple[Archive, ...]:
        """The further archives of a target."""
        return tuple(archive for archive in self.archives if selects(archive.targets, target))


def alternatives(package: str) -> list[str]:
    """The packages of which one is wanted, best first."""
    return re.split(r" \| ", package)
