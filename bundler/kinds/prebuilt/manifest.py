"""A component that another repository releases as finished archives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from bundler.model.document import Document
from bundler.model.manifest_schema import Schema
from bundler.model.manifest_values import MANIFEST_CONFIG, adapter_of, distinct, template
from bundler.model.validation import validate
from bundler.platforms import PlatformName
from bundler.words import ComponentName, Repository


@dataclass(frozen=True)
class Prebuilt:
    """A component that another repository releases as finished archives."""

    __pydantic_config__: ClassVar[ConfigDict] = MANIFEST_CONFIG
    kind: Annotated[
        Literal["prebuilt", "release-asset"],
        Field(description="What sort of component this is; `release-asset` is the older word for `prebuilt`."),
    ]
    component: Annotated[ComponentName, Field(description="The component's name, as its archives have it.")]
    repository: Annotated[Repository, Field(description="The repository that releases the component.")]
    tag: Annotated[
        str,
        StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100),
        Field(
            title="a release's tag of letters, digits and ._-",
            description="The release: its tag, or `latest-runtime` for the newest of those tagged runtime-….",
            examples=["v1.2.3"],
        ),
    ]
    asset: Annotated[
        str,
        StringConstraints(max_length=200),
        template("os", "arch"),
        Field(
            title="a file name with {os} and {arch}",
            description="The archives' file names in the release; {os} and {arch} are filled in from `targets`.",
            examples=["demo-{os}-{arch}.tar.gz"],
        ),
    ]
    targets: Annotated[
        tuple[PlatformName, ...],
        Field(min_length=1, description="The operating systems and architectures that it is released for."),
        AfterValidator(distinct),
    ]

    def asset_name(self, platform: str) -> str:
        """The archive's file name for a platform such as `linux-amd64`."""
        os, _, arch = platform.partition("-")
        return self.asset.format(os=os, arch=arch)


def parse(document: Document) -> Prebuilt:
    """Validate a manifest. Raises ManifestError with every problem."""
    return validate(document, adapter_of(Prebuilt))


def schema() -> Mapping[str, object]:
    """The JSON Schema of such manifests."""
    return Schema.of(adapter_of(Prebuilt)).root
