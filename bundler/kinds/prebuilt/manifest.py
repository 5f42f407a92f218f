"""A component that another repository releases as finished archives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from bundler.model.manifest_values import MANIFEST_CONFIG, distinct, template
from bundler.platforms import PlatformName
from bundler.words import ComponentName, Repository


@dataclass(frozen=True)
class Prebuilt:
    """A component that another repository releases as finished archives."""

    __pydantic_config__: ClassVar[ConfigDict] = MANIFEST_CONFIG
    kind: Literal["prebuilt", "release-asset"]
    component: ComponentName
    repository: Repository
    tag: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]
    asset: Annotated[str, StringConstraints(max_length=200), template("os", "arch")]
    targets: Annotated[
        tuple[PlatformName, ...],
        Field(min_length=1),
        AfterValidator(distinct),
    ]

    def asset_name(self, platform: str) -> str:
        """The archive's file name for a platform such as `linux-amd64`."""
        os, _, arch = platform.partition("-")
        return self.asset.format(os=os, arch=arch)
