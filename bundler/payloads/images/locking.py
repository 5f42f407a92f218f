"""From a tag to an exact image: what the registry has now, fetched and looked through."""

from __future__ import annotations

import hashlib

from bundler.adapters.image_tar import Part, inflated_sha256, write_image
from bundler.adapters.registry import Registry
from bundler.adapters.regular import read_regular
from bundler.errors import IntegrityError
from bundler.model.oci_image import (
    GZIP_LAYERS,
    INDEXES,
    LARGEST_CONFIG,
    LARGEST_MANIFEST,
    MANIFESTS,
    Config,
    Index,
    Manifest,
    parse_config,
    parse_manifest,
)
from bundler.model.target import Target
from bundler.payloads.images.blobs import fetch_blobs
from bundler.payloads.images.choice import ImageChoice
from bundler.payloads.images.pins import LockedBlob, LockedImage, LockedLayer
from bundler.session import Network, Session

_ACCEPT = ", ".join((*INDEXES, *MANIFESTS))
_HINT = "the registry, or somebody on the way, serves something else than it says; nothing was locked"


def lock_image(choice: ImageChoice, target: Target, session: Session, network: Network) -> LockedImage:
    """Pin the image that a tag or digest means for a target. Targets share what they have in common.

    Raises LockError, IntegrityError, UnreachableError (see the collection's `lock`).
    """
    place = ("image", choice.registry, choice.path, choice.tokens)
    wanted, what = choice.digest or choice.tag, choice.called
    registry = network.once(place, lambda: Registry(network.http, choice.registry, choice.path, choice.tokens or ""))
    top = network.once((*place, wanted), lambda: registry.manifest(wanted, _ACCEPT, LARGEST_MANIFEST))
    index = f"sha256:{hashlib.sha256(top).hexdigest()}"
    if choice.digest and choice.digest != index:
        raise IntegrityError(f"{what}: SHA-256 mismatch\n  expected {choice.digest}\n  actual   {index}", _HINT)

    def locked() -> LockedImage:
        digest, manifest = _manifest(top, index, target, registry, what)
        (config,) = fetch_blobs([manifest.config], what, registry, session)
        content = read_regular(config.path, LARGEST_CONFIG)
        parsed = parse_config(content, target.arch, len(manifest.layers), f"{what}: its configuration")
        layers = fetch_blobs(manifest.layers, what, registry, session)
        _check_layers(manifest, layers, parsed, what)
        tar = _Hashed()
        write_image(what, config, layers, tar)
        return LockedImage(
            name=choice.name,
            reference=choice.reference,
            tag=choice.tag,
            registry=choice.registry,
            repository=choice.path,
            tokens=choice.tokens or "",
            index=index,
            manifest=digest,
            size=tar.size,
            sha256=tar.digest.hexdigest(),
            config=LockedBlob(manifest.config.digest, manifest.config.size),
            layers=tuple(LockedLayer(one.digest, one.size, one.media_type) for one in manifest.layers),
        )

    return network.once((*place, index, choice.name, what, target.arch), locked)


def _manifest(top: bytes, digest: str, target: Target, registry: Registry, what: str) -> tuple[str, Manifest]:
    """The image's own manifest, and its digest, by what the tag leads to."""
    parsed = parse_manifest(top, what)
    if isinstance(parsed, Manifest):
        return digest, parsed
    said = parsed.for_arch(target.arch, what)
    content = registry.manifest(said.digest, _ACCEPT, LARGEST_MANIFEST)
    said.check(content, f"{what}: its manifest for {target.arch}")
    manifest = parse_manifest(content, f"{what}: its manifest for {target.arch}")
    if isinstance(manifest, Index):
        raise IntegrityError(f"{what}: its index leads to another index", _HINT)
    return said.digest, manifest


def _check_layers(manifest: Manifest, layers: list[Part], config: Config, what: str) -> None:
    """Inflate every layer, as `docker load` will, which refuses one that is not what the configuration says."""
    for said, layer, expected in zip(manifest.layers, layers, config.rootfs.diff_ids, strict=True):
        name = f"{what}: layer {said.digest}"
        actual = inflated_sha256(layer.path, name, gzip=said.media_type in GZIP_LAYERS)
        if f"sha256:{actual}" != expected:
            raise IntegrityError(
                f"{name} inflates to another\n  expected {expected}\n  actual   sha256:{actual}", _HINT
            )


class _Hashed:
    """What is written, hashed and counted, and kept nowhere."""

    def __init__(self) -> None:
        self.digest, self.size = hashlib.sha256(), 0

    def write(self, data: bytes) -> int:
        """Take note of `data`."""
        self.digest.update(data)
        self.size += len(data)
        return len(data)
