"""Which image of an index is a target's."""

from __future__ import annotations

import json

import pytest

from bundler.errors import IntegrityError, LockError
from bundler.model.oci_image import Index, Manifest, parse_config, parse_manifest
from bundler.words import Arch


def index(*platforms: tuple[str, str, str] | None) -> Index:
    listed = []
    for number, platform in enumerate(platforms):
        entry: dict[str, object] = {"mediaType": "x", "digest": f"sha256:{number:064}", "size": 1}
        if platform:
            entry["platform"] = dict(zip(("os", "architecture", "variant"), platform, strict=True))
        listed.append(entry)
    parsed = parse_manifest(json.dumps({"schemaVersion": 2, "manifests": listed}).encode(), "demo")
    assert isinstance(parsed, Index)
    return parsed


@pytest.mark.parametrize(
    ("arch", "number"),
    [("amd64", 4), ("arm64", 6)],
)
def test_the_first_for_linux_and_the_architecture_is_taken(arch: Arch, number: int) -> None:
    """Not attestations, whose platform is unknown, nor what needs a newer processor."""
    made = index(
        None,
        ("unknown", "unknown", ""),
        ("windows", "amd64", ""),
        ("linux", "amd64", "v3"),
        ("linux", "amd64", ""),
        ("linux", "arm", "v8"),
        ("linux", "arm64", "v8"),
        ("linux", "arm64", ""),
        ("linux", "amd64", ""),
    )
    assert made.for_arch(arch, "demo").digest == f"sha256:{number:064}"


def test_an_index_of_nothing_says_so() -> None:
    for made, hint in ((index(), "says of none"), (index(None), "says of none"), (index(("a", "b", "")), "a/b")):
        with pytest.raises(LockError, match="no image for linux/amd64") as caught:
            made.for_arch("amd64", "demo")
        assert hint in caught.value.hint


def test_an_index_may_not_be_endless() -> None:
    with pytest.raises(IntegrityError, match="manifests"):
        index(*[("linux", "amd64", "")] * 1001)


def test_what_is_not_known_is_passed_over() -> None:
    """The specifications let anybody add keys."""
    blob = {"digest": "sha256:" + "0" * 64, "size": 1, "annotations": {"a": "b"}}
    config = {**blob, "mediaType": "application/vnd.oci.image.config.v1+json"}
    layer = {**blob, "mediaType": "application/vnd.oci.image.layer.v1.tar"}
    data = {"schemaVersion": 2, "config": config, "layers": [layer], "annotations": {}, "subject": blob}
    assert isinstance(parse_manifest(json.dumps(data).encode(), "demo"), Manifest)


@pytest.mark.parametrize(
    "rootfs", [None, {}, {"type": "layers"}, {"type": "other", "diff_ids": []}, {"type": "layers", "diff_ids": ["x"]}]
)
def test_a_configuration_without_its_layers_is_refused(rootfs: object) -> None:
    content = json.dumps({"os": "linux", "architecture": "amd64", "rootfs": rootfs}).encode()
    with pytest.raises(IntegrityError):
        parse_config(content, "amd64", 0, "demo")


def test_what_a_configuration_says_it_is_for_is_fit_for_print() -> None:
    content = json.dumps(
        {"os": "\x1b[2Jlinux", "architecture": "x" * 999, "rootfs": {"type": "layers", "diff_ids": []}}
    ).encode()
    with pytest.raises(IntegrityError) as caught:
        parse_config(content, "amd64", 0, "demo")
    assert caught.value.message.isprintable() and len(caught.value.message) < 200
