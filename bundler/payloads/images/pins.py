"""What a lock pins of container images, and the tars that are made of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, BinaryIO, ClassVar, Literal

from pydantic import ConfigDict, Field, StringConstraints

from bundler.model.bundle import Entry, File, Slice
from bundler.model.contents import Contents
from bundler.model.inventory import Item
from bundler.model.manifest_values import LOCK_CONFIG, distinct
from bundler.model.oci_image import GZIP_LAYERS, LARGEST_LAYER, MOST_LAYERS, PLAIN_LAYERS, Digest
from bundler.model.package_url import package_url
from bundler.model.pin import Pin
from bundler.model.verdict import Finding
from bundler.payloads.images.choice import PLACE, ImageTag, Reference, RegistryAddress, RepositoryPath, TokenAddress
from bundler.payloads.payload import Made, PathOf, Workbench
from bundler.words import Sha256, Word

_LARGEST_TAR = 20 << 30


@dataclass(frozen=True)
class LockedBlob:
    """A blob of an image."""

    __pydantic_config__: ClassVar[ConfigDict] = LOCK_CONFIG
    digest: Digest
    size: Annotated[int, Field(gt=0, le=LARGEST_LAYER)]

    @property
    def sha256(self) -> str:
        """The digest without its algorithm."""
        return self.digest.partition(":")[2]


@dataclass(frozen=True)
class LockedLayer(LockedBlob):
    """A layer of an image, compressed as `media_type` says."""

    media_type: Annotated[
        str, StringConstraints(pattern="^(" + "|".join(map(re.escape, (*GZIP_LAYERS, *PLAIN_LAYERS))) + ")$")
    ]


@dataclass(frozen=True, kw_only=True)
class LockedImage:
    """An image, exactly: what it is made of, and the size and SHA-256 of the tar that it is made into.

    `index` is the digest that the tag led to, `manifest` that of the target's image, which may be the same.
    """

    __pydantic_config__: ClassVar[ConfigDict] = LOCK_CONFIG
    name: Word
    reference: Reference
    tag: ImageTag
    registry: RegistryAddress
    repository: RepositoryPath
    tokens: TokenAddress | Literal[""] = ""
    index: Digest
    manifest: Digest
    size: Annotated[int, Field(gt=0, le=_LARGEST_TAR)]
    sha256: Sha256
    config: LockedBlob
    layers: Annotated[tuple[LockedLayer, ...], Field(min_length=1, max_length=MOST_LAYERS)]

    @property
    def path(self) -> str:
        """Where its tar stands."""
        return f"{PLACE}{self.name}.tar"

    @property
    def made(self) -> Made:
        """The tar, and what writes it."""
        pin = Pin(f"image {self.reference}:{self.tag}", self.sha256, self.size, f"{self.registry}/v2/{self.repository}")
        return Made(pin, self.write)

    def write(self, bench: Workbench, out: BinaryIO) -> None:
        """Write the tar. Raises UnreachableError, IntegrityError."""
        from bundler.adapters.image_tar import write_image  # large: loaded when an image is made
        from bundler.adapters.registry import Registry
        from bundler.payloads.images.blobs import fetch_blobs

        network = bench.network
        registry = Registry(network.http, self.registry, self.repository, self.tokens) if network else None
        what, blobs = f"{self.reference}:{self.tag}", (self.config, *self.layers)
        config, *layers = fetch_blobs(blobs, what, registry, bench.session)
        write_image(what, config, layers, out)

    def finding(self, contents: Contents) -> str:
        """What is wrong with its tar; "" if nothing is."""
        found = contents.files.get(self.path)
        if found is None:
            return f"missing: {self.path}"
        if (found.sha256, found.size, found.executable) != (self.sha256, self.size, False):
            return f"{self.path}: the lock says {self.sha256}, not executable; the file is {found.sha256}"
        return ""


@dataclass(frozen=True)
class LockedImages:
    """What a lock pins: each image, by its name."""

    __pydantic_config__: ClassVar[ConfigDict] = LOCK_CONFIG
    image: tuple[LockedImage, ...]

    def __post_init__(self) -> None:
        """Raise ValueError if two share a name."""
        distinct(tuple(one.name for one in self.image))

    def versions(self) -> Mapping[str, str]:
        """The tag of each."""
        return {one.name: one.tag for one in self.image}

    def provides(self) -> frozenset[str]:
        """Nothing: each thing has one name."""
        return frozenset()

    def sources(self) -> Mapping[str, tuple[str, str]]:
        """Nothing: it holds no repository."""
        return {}

    def pins(self) -> tuple[Pin, ...]:
        """Nothing that an address alone leads to: registries want tokens."""
        return ()

    def made(self) -> Iterator[Made]:
        """Each one's tar."""
        return (one.made for one in self.image)

    def entries(self, at: PathOf, spool: BinaryIO) -> Iterator[Entry]:
        """Each one's tar as it is in the store."""
        for one in self.image:
            yield File(one.path, one.size, one.sha256, Slice(str(at(one.sha256)), 0, one.size))

    def items(self) -> Iterator[Item]:
        """Each image by its digest; size and SHA-256 are its tar's."""
        for one in self.image:
            short, where = one.reference.rpartition("/")[2], f"{one.registry.partition('://')[2]}/{one.repository}"
            purl = package_url("oci", short, one.manifest, "", (f"repository_url={where}", f"tag={one.tag}"))
            yield Item(purl, "image", one.reference, one.tag, one.path, one.size, one.sha256)

    def findings(self, contents: Contents) -> Iterator[Finding]:
        """Whether exactly the locked images are there."""
        for one in self.image:
            if told := one.finding(contents):
                yield Finding(told)
        for path in sorted(set(contents.below(PLACE)) - {one.path for one in self.image}):
            yield Finding(f"surplus: {path}; the lock has no such image")
