"""The tar of a container image: the documented members, the same bytes everywhere, and layers as they inflate."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from bundler.adapters.image_tar import Part, inflated_sha256, write_image
from bundler.errors import IntegrityError


def part(folder: Path, content: bytes) -> Part:
    sha256 = hashlib.sha256(content).hexdigest()
    (folder / sha256).write_bytes(content)
    return Part(sha256, len(content), folder / sha256)


def written(config: Part, *layers: Part) -> bytes:
    out = io.BytesIO()
    write_image("demo/app:v1", config, layers, out)
    return out.getvalue()


def test_the_members_are_what_the_specification_names(tmp_path: Path) -> None:
    config, layer = part(tmp_path, b"{}"), part(tmp_path, b"layer" * 1000)
    with tarfile.open(fileobj=io.BytesIO(written(config, layer, layer))) as tar:
        assert tar.getnames() == ["manifest.json", f"{config.sha256}.json", f"{layer.sha256}.tar"]
        file = tar.extractfile("manifest.json")
        assert file is not None
        names = [f"{layer.sha256}.tar"] * 2
        assert json.load(file) == [{"Config": f"{config.sha256}.json", "RepoTags": ["demo/app:v1"], "Layers": names}]
        assert {(one.mtime, one.uid, one.gid, one.uname, one.mode) for one in tar} == {(0, 0, 0, "", 0o644)}


@pytest.mark.parametrize("size", [*range(6100, 6700, 73), 10240 - 512 * 6, 10240 - 512 * 5, 10240 - 512 * 7])
def test_the_end_is_two_empty_blocks_and_whole_records(size: int, tmp_path: Path) -> None:
    content = written(part(tmp_path, b"{}"), part(tmp_path, bytes([1]) * size))
    assert len(content) % tarfile.RECORDSIZE == 0
    assert content.endswith(bytes(1024))


def test_the_bytes_are_these(tmp_path: Path) -> None:
    """Every lock has the digest of such a tar: whoever changes how it is written makes all of them useless."""
    content = written(part(tmp_path, b"{}"), part(tmp_path, b"layer"))
    assert hashlib.sha256(content).hexdigest() == "95441ffd18150e1497f9b3df826dd8fc15b99ff410e4d194b9fa386c7078d953"


def test_a_part_of_another_size_is_refused(tmp_path: Path) -> None:
    config, layer = part(tmp_path, b"{}"), part(tmp_path, b"layer")
    for content in (b"laye", b"layers"):
        layer.path.write_bytes(content)
        with pytest.raises(IntegrityError, match="where 5 are pinned"):
            written(config, layer)


def inflated(folder: Path, content: bytes, *, gzip: bool = True) -> str:
    return inflated_sha256(part(folder, content).path, "a layer", gzip=gzip)


@pytest.mark.parametrize("members", [1, 2, 5])
def test_gzip_of_any_number_of_members_inflates(members: int, tmp_path: Path) -> None:
    piece = bytes(range(256)) * 3000
    compressed = gzip.compress(piece, mtime=0) * members
    assert inflated(tmp_path, compressed) == hashlib.sha256(piece * members).hexdigest()


def test_members_that_end_where_a_piece_was_read_are_all_found(tmp_path: Path) -> None:
    """A member may end with the 256 KiB that are read at a time, or close to it."""
    around = 0
    for size in range((1 << 18) - 60, (1 << 18) + 20):
        first, second = gzip.compress(b"y" * size, 0, mtime=0), gzip.compress(b"x" * 1000, mtime=0)
        around |= len(first) == 1 << 18
        expected = hashlib.sha256(b"y" * size + b"x" * 1000).hexdigest()
        assert inflated(tmp_path, first + second) == expected
    assert around


def test_what_is_not_compressed_is_taken_as_it_is(tmp_path: Path) -> None:
    assert inflated(tmp_path, b"tar", gzip=False) == hashlib.sha256(b"tar").hexdigest()


@pytest.mark.parametrize(
    "content",
    [b"", b"tar", gzip.compress(b"x" * 999)[:-1], gzip.compress(b"x") + b"y", gzip.compress(b"x")[:-8] + bytes(8)],
    ids=["empty", "plain", "cut short", "something behind", "wrong checksum"],
)
def test_damaged_gzip_is_refused(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(IntegrityError):
        inflated(tmp_path, content)
