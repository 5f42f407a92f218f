"""metadata/manifest.json of an all-in-one package: what it is, what it was made of, and what must hold of it.

The consumers' contract: `name`, `packageVersion`, `target`, `sources`, `componentReleases` and `versions`, a key a
line, since one of them reads it line by line. Another takes the file's digest for that of everything in the package.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field, StringConstraints, TypeAdapter

from bundler.errors import IntegrityError
from bundler.kinds import file_list
from bundler.kinds.offline.exports import Copy, Exported, Folder, Link, Redirected, Variable, export_fault
from bundler.model.closure import Closure
from bundler.model.interpreter import Interpreter
from bundler.model.json_text import first_fault, limited
from bundler.model.manifest_values import LOCK_CONFIG
from bundler.platforms import PlatformName
from bundler.words import (
    ARCHIVE,
    Arch,
    AssetName,
    Commit,
    ComponentName,
    DistroName,
    DistroVersion,
    PlainPath,
    PythonVersion,
    Repository,
    Sha256,
    Tag,
    Wanted,
)

_CAMEL = ConfigDict(extra="forbid")
_MOST = 5000
# Each costs whoever verifies a package a look into an archive; the real one has five parts, two copies, two closures.
_MOST_PARTS, _MOST_CLOSURES, _MOST_COPIES = 50, 20, 20
_SPELLED = {"package_version": "packageVersion", "component_releases": "componentReleases"}
Text = Annotated[str, StringConstraints(max_length=1000, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]


@dataclass(frozen=True)
class PackageTarget:
    """The host that it is for."""

    __pydantic_config__: ClassVar[ConfigDict] = _CAMEL
    distro: DistroName
    version: DistroVersion
    arch: Arch

    @property
    def name(self) -> str:
        """The target's name: `debian-12-amd64`."""
        return f"{self.distro}-{self.version}-{self.arch}"


@dataclass(frozen=True)
class SourceFacts:
    """A repository that it carries: its address, and the commit."""

    __pydantic_config__: ClassVar[ConfigDict] = _CAMEL
    repo: Text
    ref: Commit


@dataclass(frozen=True)
class ReleaseFacts:
    """A component that it carries: its repository, and the tag of the release."""

    __pydantic_config__: ClassVar[ConfigDict] = _CAMEL
    repo: Repository
    tag: Tag


@dataclass(frozen=True)
class PartFacts:
    """A component that it carries: its archive's name and what it was made of; where more of it stands."""

    __pydantic_config__: ClassVar[ConfigDict] = LOCK_CONFIG
    component: ComponentName
    asset: AssetName
    inputs: Sha256
    archive: bool
    contents: bool
    copies: Annotated[dict[PlainPath, Copy], Field(max_length=_MOST_COPIES)] = field(default_factory=dict)
    links: Annotated[tuple[Link, ...], Field(max_length=_MOST_COPIES)] = ()


@dataclass(frozen=True)
class ClosureFacts:
    """Requirements that the package's wheels satisfy alone, on one Python."""

    __pydantic_config__: ClassVar[ConfigDict] = LOCK_CONFIG
    requirements: Annotated[tuple[Wanted, ...], Field(max_length=_MOST)]
    python: PythonVersion
    platform: PlatformName
    floor: Annotated[int, Field(ge=0, lt=1000)]
    wheels: Annotated[tuple[Text, ...], Field(max_length=_MOST)]

    @classmethod
    def of(cls, closure: Closure) -> ClosureFacts:
        """The facts of a closure."""
        python = closure.python
        return cls(closure.requirements, python.version, python.platform, python.floor, closure.wheels)

    @property
    def interpreter(self) -> Interpreter:
        """The Python."""
        return Interpreter(self.python, self.platform, self.floor)


@dataclass(frozen=True)
class CollectionFacts:
    """All files below one folder: how many, their size in bytes, and the digest of their list (`sha256sum` lines)."""

    __pydantic_config__: ClassVar[ConfigDict] = LOCK_CONFIG
    files: Annotated[int, Field(ge=0)]
    size: Annotated[int, Field(ge=0)]
    sha256: Sha256


@dataclass(frozen=True)
class Package:
    """The file's facts. `inputs` is the digest of all that decided the package's bytes."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid",
        alias_generator=lambda name: _SPELLED.get(name, name),
        populate_by_name=True,
    )
    name: ComponentName
    package_version: Text
    target: PackageTarget
    sources: dict[Text, SourceFacts]
    component_releases: dict[Text, ReleaseFacts]
    versions: dict[Text, Text]
    asset: AssetName
    inputs: Sha256
    exports: dict[Variable, Exported]
    redirects: dict[Redirected, Folder]
    parts: Annotated[tuple[PartFacts, ...], Field(max_length=_MOST_PARTS)]
    closures: Annotated[tuple[ClosureFacts, ...], Field(max_length=_MOST_CLOSURES)]
    collections: dict[Text, CollectionFacts]

    def __post_init__(self) -> None:
        """Raise ValueError for variables that it may not export, parts named twice, and copies of what is not there."""
        if fault := export_fault(self.exports, self.name, self.redirects.values()):
            raise ValueError(f"exports: {fault}")
        if len({part.asset for part in self.parts}) < len(self.parts):
            raise ValueError("parts: two have the same archive")
        if any(not part.archive and (part.copies or part.links) for part in self.parts):
            raise ValueError("parts: copies and links are of an archive that is left out")

    @property
    def host(self) -> str:
        """The host as one text: `debian 12 amd64`."""
        return f"{self.target.distro} {self.target.version} {self.target.arch}"


def render(package: Package) -> bytes:
    """Return the file's bytes."""
    document = _adapter().dump_python(package, by_alias=True, mode="json")
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()


def parse(content: bytes) -> Package:
    """Parse the file. Raises IntegrityError."""
    try:
        package = _adapter().validate_json(limited(content))
    except ValueError as error:
        raise IntegrityError(f"metadata/manifest.json: {first_fault(error)}") from error
    return package


def camel(name: str) -> str:
    """A component's name as the file spells it: `xworkspace-console` is `xworkspaceConsole`."""
    first, *rest = name.split("-")
    return first + "".join(word.capitalize() for word in rest)


@cache
def _adapter() -> TypeAdapter[Package]:
    return TypeAdapter(Package)


def target_env(package: Package) -> bytes:
    """Return metadata/target.env: three lines that the bootstrap reads, then what bash exports with ROOT set."""
    target = package.target
    lines = [f"DISTRO_ID={target.distro}", f"DISTRO_VERSION={target.version}", f"ARCH={target.arch}"]
    variables = dict(package.exports)
    if package.redirects:
        # The first stays what the bootstrap sets itself: the checkouts belong to whoever unpacked the package.
        pairs = [("safe.directory", "*")]
        pairs += [(f"url.file://${{ROOT}}/repos/{name}.insteadOf", said) for said, name in package.redirects.items()]
        variables["GIT_CONFIG_COUNT"] = str(len(pairs))
        for number, (key, value) in enumerate(pairs):
            variables |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    lines += [f'export {name}="{value}"' for name, value in variables.items()]
    return "".join(f"{line}\n" for line in lines).encode()


def readme(package: Package) -> bytes:
    """Return the package's README.md, for who unpacks it by hand."""
    return f"""# {package.asset.removesuffix(ARCHIVE)}

Everything that an AI Workspace host with {package.host} installs from, with no network.

The bootstrap takes the archive itself:

    AI_WORKSPACE_OFFLINE_MODE=force AI_WORKSPACE_OFFLINE_PACKAGE=/path/to/{package.asset} \\
        bash setup-ai-workspace-all-in-one.sh

Unpacked, it is installed by `sudo bash scripts/ai-workspace-offline-install.sh`.
`sha256sum -c metadata/files.sha256`, run in this folder, proves every file; `aiws-bundle verify` proves the archive.
metadata/manifest.json tells what is in it, metadata/offline.lock.toml from where.
""".encode()


def collections_of(digests: Mapping[str, tuple[int, str]]) -> dict[str, CollectionFacts]:
    """The facts of every folder of the second level (`packages/pip`), from path -> size and SHA-256."""
    found: dict[str, list[tuple[str, int, str]]] = {}
    for path, (size, sha256) in sorted(digests.items()):
        first, _, rest = path.partition("/")
        if first in ("packages", "repos"):
            found.setdefault(f"{first}/{rest.partition('/')[0]}", []).append((path, size, sha256))
    return {
        folder: CollectionFacts(
            len(files),
            sum(size for _, size, _ in files),
            hashlib.sha256(file_list.render({path: sha256 for path, _, sha256 in files})).hexdigest(),
        )
        for folder, files in found.items()
    }
