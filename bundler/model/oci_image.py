"""Container images as registries hold them: indexes, manifests and configurations, none of which is trusted.

OCI image format specification (https://github.com/opencontainers/image-spec, image-index.md, manifest.md, config.md),
and Docker's image manifest V2, schema 2, which differs in names only.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Annotated, ClassVar, TypeAlias, TypeVar

from pydantic import ConfigDict, Field, StringConstraints, ValidationError

from bundler.errors import IntegrityError, LockError
from bundler.model.json_text import parse_json
from bundler.model.manifest_values import adapter_of
from bundler.words import SHA256_PATTERN, Arch

_OCI, _DOCKER = "application/vnd.oci.image.", "application/vnd.docker."
INDEXES = (f"{_OCI}index.v1+json", f"{_DOCKER}distribution.manifest.list.v2+json")
MANIFESTS = (f"{_OCI}manifest.v1+json", f"{_DOCKER}distribution.manifest.v2+json")
_CONFIGS = (f"{_OCI}config.v1+json", f"{_DOCKER}container.image.v1+json")
GZIP_LAYERS = (f"{_OCI}layer.v1.tar+gzip", f"{_DOCKER}image.rootfs.diff.tar.gzip")
PLAIN_LAYERS = (f"{_OCI}layer.v1.tar", f"{_DOCKER}image.rootfs.diff.tar")
# What the distribution specification lets registries refuse is what nobody needs: 4 MiB.
LARGEST_MANIFEST = 4 << 20
LARGEST_CONFIG = LARGEST_MANIFEST
# What a tar header holds in octal digits.
LARGEST_LAYER = (8 << 30) - 1
_LARGEST_IMAGE = 16 << 30
# Docker itself stacks no more than 128.
MOST_LAYERS = 200
_MOST_OF_AN_INDEX = 1000
_LINUX = "linux"

T = TypeVar("T")
Digest: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=f"^sha256:{SHA256_PATTERN}$"),
    Field(title="a digest, sha256: and 64 hexadecimal digits", examples=["sha256:" + "0123456789abcdef" * 4]),
]
_MediaType: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9!#$&^_.+/-]{0,255}$")]
_CONFIG = ConfigDict(extra="ignore", populate_by_name=True)


@dataclass(frozen=True)
class Platform:
    """What an entry of an index says that its image runs on."""

    __pydantic_config__: ClassVar[ConfigDict] = _CONFIG
    os: str
    architecture: str
    variant: str = ""


@dataclass(frozen=True)
class Descriptor:
    """A blob by what it is: its media type, digest and size in bytes."""

    __pydantic_config__: ClassVar[ConfigDict] = _CONFIG
    media_type: Annotated[_MediaType, Field(alias="mediaType")]
    digest: Digest
    size: Annotated[int, Field(gt=0, le=LARGEST_LAYER)]
    platform: Platform | None = None

    @property
    def sha256(self) -> str:
        """The digest without its algorithm."""
        return self.digest.partition(":")[2]

    def check(self, content: bytes, what: str) -> None:
        """Raise IntegrityError unless `content` is the blob."""
        actual = hashlib.sha256(content).hexdigest()
        if actual != self.sha256:
            raise IntegrityError(f"{what}: SHA-256 mismatch\n  expected {self.sha256}\n  actual   {actual}")
        if len(content) != self.size:
            raise IntegrityError(f"{what}: size mismatch\n  expected {self.size} bytes\n  actual   {len(content)}")


@dataclass(frozen=True)
class Index:
    """An image for several platforms."""

    __pydantic_config__: ClassVar[ConfigDict] = _CONFIG
    manifests: Annotated[tuple[Descriptor, ...], Field(max_length=_MOST_OF_AN_INDEX)]

    def for_arch(self, arch: Arch, what: str) -> Descriptor:
        """The first image for Linux on an architecture. Raises LockError if there is none."""
        for one in self.manifests:
            said = one.platform
            if said and (said.os, said.architecture) == (_LINUX, arch) and said.variant in ("", "v8"):
                return one
        there = sorted({f"{one.platform.os}/{one.platform.architecture}" for one in self.manifests if one.platform})
        raise LockError(
            f"{what}: there is no image for {_LINUX}/{arch}",
            f"there are: {', '.join(there[:20])}" if there else "the index says of none what it is for",
        )


@dataclass(frozen=True)
class Manifest:
    """An image for one platform."""

    __pydantic_config__: ClassVar[ConfigDict] = _CONFIG
    config: Descriptor
    layers: Annotated[tuple[Descriptor, ...], Field(min_length=1, max_length=MOST_LAYERS)]


@dataclass(frozen=True)
class _Layers:
    __pydantic_config__: ClassVar[ConfigDict] = _CONFIG
    type: str
    diff_ids: tuple[Digest, ...]


@dataclass(frozen=True)
class Config:
    """What an image runs on, and the digests of its layers before they were compressed."""

    __pydantic_config__: ClassVar[ConfigDict] = _CONFIG
    os: str
    architecture: str
    rootfs: _Layers


def parse_manifest(content: bytes, what: str) -> Index | Manifest:
    """Parse what a registry has under a tag or digest, an index or a manifest. Raises IntegrityError, LockError.

    What could be taken for both is refused (CVE-2021-41190).
    """
    data = _object(content, what)
    media_type = data.get("mediaType", "")
    is_index, is_manifest = "manifests" in data, "layers" in data or "config" in data
    if data.get("schemaVersion") != 2 or is_index == is_manifest:
        raise IntegrityError(f"{what} is neither an index nor a manifest of the second schema")
    if media_type and media_type not in (INDEXES if is_index else MANIFESTS):
        raise IntegrityError(f"{what} calls itself {str(media_type)[:100]!r} and is something else")
    if is_index:
        return _validated(Index, data, what)
    manifest = _validated(Manifest, data, what)
    if manifest.config.media_type not in _CONFIGS:
        raise LockError(f"{what} is no container image, but holds {manifest.config.media_type[:100]!r}")
    if manifest.config.size > LARGEST_CONFIG:
        raise IntegrityError(f"{what}: its configuration is larger than {LARGEST_CONFIG} bytes")
    for layer in manifest.layers:
        if layer.media_type not in (*GZIP_LAYERS, *PLAIN_LAYERS):
            raise LockError(
                f"{what}: a layer is {layer.media_type[:100]!r}, which not every Docker can load",
                "take a tag or digest of the image whose layers are compressed with gzip",
            )
    if sum(layer.size for layer in manifest.layers) > _LARGEST_IMAGE:
        raise IntegrityError(f"{what}: its layers are larger than {_LARGEST_IMAGE >> 30} GiB")
    return manifest


def parse_config(content: bytes, arch: Arch, layers: int, what: str) -> Config:
    """Parse a configuration of as many `layers`, for Linux on `arch`. Raises IntegrityError if it is another's."""
    config = _validated(Config, _object(content, what), what)
    if (config.os, config.architecture) != (_LINUX, arch):
        said = re.sub(r"[^a-z0-9/]", "?", f"{config.os}/{config.architecture}"[:100])
        raise IntegrityError(f"{what} is for {said}, not {_LINUX}/{arch}")
    if config.rootfs.type != "layers" or len(config.rootfs.diff_ids) != layers:
        raise IntegrityError(f"{what} lists {len(config.rootfs.diff_ids)} layers, the manifest {layers}")
    return config


def _object(content: bytes, what: str) -> dict[str, object]:
    try:
        data = parse_json(content, LARGEST_MANIFEST)
    except ValueError as error:
        raise IntegrityError(f"{what} is no JSON: {str(error)[:200]}") from error
    if not isinstance(data, dict):
        raise IntegrityError(f"{what} is no JSON object")
    return data


def _validated(model: type[T], data: object, what: str) -> T:
    try:
        return adapter_of(model).validate_python(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part)[:50] for part in first["loc"])
        raise IntegrityError(f"{what} cannot be read: {place}: {first['msg']}") from error
