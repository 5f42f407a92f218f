"""What a manifest says of container images: its `images:` section."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, TypeAlias

from pydantic import AfterValidator, ConfigDict, Field, GetCoreSchemaHandler, StringConstraints
from pydantic_core import core_schema

from bundler.model.listed import list_schema
from bundler.model.manifest_values import MANIFEST_CONFIG, distinct
from bundler.model.oci_image import Digest
from bundler.model.target import Target, selects
from bundler.words import Selector, Word

PLACE = "packages/images/"

# https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#pulling-manifests
_PART = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*"
_HOST = r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?"
RepositoryPath: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=rf"^{_PART}(/{_PART})*$", max_length=200),
    Field(title="a repository's path of small letters, digits and ._-/", examples=["library/demo"]),
]
Reference: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=rf"^({_HOST}/)?{_PART}(/{_PART})*$", max_length=255),
    Field(title="an image's name without tag", examples=["demo/demo"]),
]
ImageTag: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length=128),
    Field(title="an image's tag", examples=["pg17"]),
]
RegistryAddress: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=rf"^https://{_HOST}$", max_length=255),
    Field(title="a registry's https address without a path", examples=["https://registry.example.org"]),
]
TokenAddress: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=rf"^https://{_HOST}(/.*)?$", max_length=255),
    Field(title="an https address", examples=["https://auth.example.org"]),
]


@dataclass(frozen=True, kw_only=True)
class ImageChoice:
    """What a manifest says of an image: what it is called, where it is, and which it is."""

    __pydantic_config__: ClassVar[ConfigDict] = MANIFEST_CONFIG
    name: Annotated[Word, Field(description=f"What its file below {PLACE} is called, without .tar.")]
    reference: Annotated[Reference, Field(description="What hosts call the image, without its tag.")]
    tag: Annotated[ImageTag, Field(description="Its tag, which hosts call it by too.")]
    registry: Annotated[RegistryAddress, Field(description="The registry's address.")]
    repository: Annotated[
        RepositoryPath | None,
        Field(description="Its path on the registry, such as library/demo. Without it: the reference, sans host."),
    ] = None
    tokens: Annotated[
        TokenAddress | None,
        Field(description="Where the registry may send for a token, if that is not the registry itself."),
    ] = None
    digest: Annotated[
        Digest | None, Field(description="The digest of the index or manifest. Without it: what the tag leads to.")
    ] = None
    targets: Annotated[
        tuple[Selector, ...],
        AfterValidator(distinct),
        Field(description="The targets that have it, or words that mean them. Without it: all."),
    ] = ()

    @property
    def called(self) -> str:
        """The image as hosts call it."""
        return f"{self.reference}:{self.tag}"

    @property
    def path(self) -> str:
        """The repository's path on the registry."""
        first, _, rest = self.reference.partition("/")
        return self.repository or (rest if rest and re.search(r"[.:A-Z]|^localhost$", first) else self.reference)

    def is_for(self, target: Target) -> bool:
        """Say whether a target has it."""
        return not self.targets or selects(self.targets, target)


@dataclass(frozen=True)
class Images:
    """The section of a manifest: a list of images."""

    images: tuple[ImageChoice, ...]

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """Take them from a list."""
        return list_schema(cls, lambda made: made.images, ImageChoice, handler)

    def problems(self, targets: Sequence[Target]) -> Iterator[str]:
        """Selectors of nothing, and two of one name on one target."""
        for one in self.images:
            for word in one.targets:
                if not any(selects((word,), target) for target in targets):
                    yield f"{one.name}: {word[:100]!r} means none of the targets"
        for target in targets:
            names = [one.name for one in self.images if one.is_for(target)]
            if twice := [name for number, name in enumerate(names) if name in names[:number]]:
                yield f"{target.name}: {twice[0]} is there twice"
