"""The manifest of an all-in-one package: what it consists of, and what leads its consumers to what is in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import ConfigDict, Field, StringConstraints

from bundler.kinds.offline.agreements import Agreement
from bundler.kinds.offline.exports import Copy, Exported, Folder, Link, Redirected, Variable
from bundler.kinds.offline.plan import PackageRehearsal
from bundler.kinds.offline.required import Required
from bundler.kinds.offline.roles import Roles
from bundler.model.document import Document
from bundler.model.manifest_schema import Schema
from bundler.model.manifest_values import MANIFEST_CONFIG, adapter_of, template
from bundler.model.sections import with_sections
from bundler.model.target import Target
from bundler.model.validation import validate
from bundler.payloads.collection import CollectionChoice
from bundler.payloads.collections import COLLECTIONS
from bundler.words import ComponentName, PlainPath, Repository, Selector, Tag

_MOST_PARTS = 50
_MOST_RULES = 500


Held: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z]+/\S+$", max_length=200),
    Field(title="a section and the name of a thing in it", examples=["files/demo"]),
]


Told: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9]*$", max_length=64),
    Field(title="a word of letters and digits", examples=["demo"]),
]


@dataclass(frozen=True)
class Part:
    """Another component of this folder of manifests: its archive, what is in that, or both."""

    __pydantic_config__: ClassVar[ConfigDict] = MANIFEST_CONFIG
    manifest: Annotated[ComponentName, Field(description="The component: the file stem of its manifest.")]
    archive: Annotated[
        bool, Field(description="Whether its archive stands in packages/components, as consumers ask for it.")
    ] = True
    contents: Annotated[
        bool, Field(description="Whether its packages stand in packages/ as well, beside those of other parts.")
    ] = False
    copies: Annotated[
        dict[PlainPath, Copy],
        Field(default_factory=dict, description="Files of its archive that stand elsewhere too: path, and where."),
    ] = field(default_factory=dict)
    links: Annotated[
        tuple[Link, ...],
        Field(description="Where links lead to its archive, for who asks for it by a path; {asset} is its file name."),
    ] = ()


@dataclass(frozen=True)
class OfflineKeys:
    """The all-in-one package: everything that a host without a network installs from; without what collections add."""

    __pydantic_config__: ClassVar[ConfigDict] = MANIFEST_CONFIG
    kind: Annotated[Literal["offline"], Field(description="What sort of component this is.")]
    component: Annotated[
        ComponentName, Field(description="The component's name, with which its archives' names begin.")
    ]
    repository: Annotated[Repository, Field(description="The repository that the archives are released in.")]
    asset: Annotated[
        str,
        StringConstraints(max_length=200),
        template("distro", "version", "arch"),
        Field(
            title="a file name with {distro}, {version} and {arch}",
            description="The archives' file names; {distro}, {version} and {arch} are filled in for each target.",
            examples=["demo-{distro}-{version}-{arch}.tar.gz"],
        ),
    ]
    parts: Annotated[
        tuple[Part, ...],
        Field(min_length=1, max_length=_MOST_PARTS, description="The other components that it carries."),
    ]
    targets: Annotated[
        tuple[Selector, ...] | None,
        Field(min_length=1, description="The targets that it is for, or words that mean them. Without it: all."),
    ] = None
    channel: Annotated[
        Tag, Field(description="The moving release that is to follow its releases. Without it: none.")
    ] = ""
    latest: Annotated[
        bool | None, Field(description="Whether GitHub shows its releases as the latest. Without it: by their tag.")
    ] = None
    deltas: Annotated[
        int,
        Field(ge=1, le=99, description="From how many releases before it a release gets deltas. Without it: none."),
    ] = 0
    exports: Annotated[
        dict[Variable, Exported],
        Field(default_factory=dict, description="Variables that target.env exports; ${ROOT} is the unpacked package."),
    ] = field(default_factory=dict)
    redirects: Annotated[
        dict[Redirected, Folder],
        Field(default_factory=dict, description="Addresses that git shall not ask: the folder below repos/ for each."),
    ] = field(default_factory=dict)
    agreements: Annotated[
        tuple[Agreement, ...],
        Field(max_length=_MOST_RULES, description="Versions that bundled repositories ask for, which must be bundled."),
    ] = ()
    roles: Annotated[
        Roles | None, Field(description="Where it is found what hosts install with apt, to be compared with `apt`.")
    ] = None
    required: Annotated[
        tuple[Required, ...],
        Field(max_length=_MOST_RULES, description="What consumers stop without: it is looked for in every package."),
    ] = ()
    versions: Annotated[
        dict[Told, Held],
        Field(default_factory=dict, description="Versions that manifest.json tells: a name, and what has it."),
    ] = field(default_factory=dict)
    rehearsal: Annotated[
        PackageRehearsal | None, Field(description="What `rehearse` runs of a package beyond what each is tried with.")
    ] = None


@dataclass(frozen=True)
class Offline(OfflineKeys):
    """The all-in-one package. `sections` are the collections that it asks for, by the key that does so."""

    sections: Mapping[str, CollectionChoice] = field(default_factory=dict)

    def asset_name(self, target: Target) -> str:
        """The archive's file name for `target`."""
        return self.asset.format(distro=target.distro, version=target.version, arch=target.arch)


_SECTIONS = {module.COLLECTION: module for module in COLLECTIONS}


OfflineFile = with_sections(OfflineKeys, {name: module.CHOICE for name, module in _SECTIONS.items()})


def parse(document: Document) -> Offline:
    """Validate a manifest. Raises ManifestError with every problem."""
    values = vars(validate(document, adapter_of(OfflineFile)))
    keys = {name: value for name, value in values.items() if name not in _SECTIONS}
    return Offline(**keys, sections={name: values[name] for name in _SECTIONS if values[name] is not None})


def schema() -> Mapping[str, object]:
    """The JSON Schema of such manifests, with the sections of collections."""
    return Schema.of(adapter_of(OfflineFile)).root
