"""What a release shall hold: archives whole or in parts, SHA256SUMS over all of it and after all of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bundler.errors import IntegrityError
from bundler.model.inventory import Inventory
from bundler.model.release import PART_SIZE, TOO_LARGE
from bundler.model.sidecar import NOTHING_TOLD, Held, Place
from bundler.release.content import Content, content_of, files_of
from bundler.release.parts import Cut
from bundler.sidecars import channel, parts, provenance, sums
from bundler.sidecars.table import SIDECARS
from tests.model.keys import SIGNER

PLACE = Place("o/r", "runtime-1", "c" * 40)


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def others(*archives: str) -> set[str]:
    """The names of what stands beside archives, lists of parts apart."""
    beside = [sidecar for sidecar in SIDECARS if sidecar.OF == "archive" and sidecar is not parts]
    return {sidecar.name(archive) for sidecar in beside for archive in archives}


def planned(folder: Path, cut: Cut, **files: bytes) -> Content:
    listed = {}
    for word, content in files.items():
        name = f"{word}.tar.gz"
        (folder / name).write_bytes(content)
        listed[name] = sha(content)
    held = {name: Inventory("demo", "1.0", "debian 12 amd64") for name in listed}
    return content_of(folder, sorted(listed), listed, cut, replace(NOTHING_TOLD, inventories=held))


def test_the_checksums_cover_parts_their_list_and_the_whole_and_come_last(tmp_path: Path) -> None:
    content = planned(tmp_path, Cut(10, 4), a=b"abcdefghi", b=b"abcdefghij")
    pieces = content.pieces(PLACE)
    names = [piece.name for piece in pieces]
    of_b = [f"b.tar.gz.part-00{number}" for number in range(3)]
    beside = others("a.tar.gz", "b.tar.gz")
    assert [name for name in names if name not in beside] == ["a.tar.gz", *of_b, "b.tar.gz.parts", "SHA256SUMS"]
    turns = {piece.name: piece.turn for piece in pieces}
    assert {turns[name] for name in ("a.tar.gz", *of_b)} == {0}
    assert {turns[name] for name in ("b.tar.gz.parts", *(beside & turns.keys()))} == {1}
    assert turns["SHA256SUMS"] == max(turns.values()) > 1
    listed = sums.parse(pieces[-1].content.decode())
    assert listed == {piece.name: piece.sha256 for piece in pieces[:-1]} | {"b.tar.gz": sha(b"abcdefghij")}
    assert content.split == ("b.tar.gz",)
    assert content.names == {*names[:-1], "b.tar.gz"}


def test_a_channel_tells_of_all_that_it_follows_and_is_covered_too(tmp_path: Path) -> None:
    content = planned(tmp_path, Cut(), a=b"abc")
    followed = Held(PLACE, files_of(content.pieces(PLACE)))
    *archives, said, checksums = content.pieces(Place("o/r", "latest-runtime", "c" * 40), followed)
    names = {piece.name for piece in archives}
    assert names - others("a.tar.gz") == {"a.tar.gz"}
    told = channel.parse(said.content)
    assert (told.channel, told.tag, set(told.assets)) == ("latest-runtime", "runtime-1", {*names, "SHA256SUMS"})
    assert set(sums.parse(checksums.content.decode())) == {*names, "channel.json"}
    assert max(piece.turn for piece in archives) < said.turn < checksums.turn


def test_a_large_file_that_changed_is_noticed_while_it_is_cut(tmp_path: Path) -> None:
    (tmp_path / "a.tar.gz").write_bytes(b"abcdef")
    with pytest.raises(IntegrityError, match=r"a\.tar\.gz: SHA-256 mismatch"):
        content_of(tmp_path, ["a.tar.gz"], {"a.tar.gz": "0" * 64}, Cut(2, 2))


def test_only_what_github_does_not_take_is_cut_and_into_what_consumers_append(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (TOO_LARGE, PART_SIZE) == (2147483648, 1900 * 1024 * 1024)
    cuts: list[int] = []

    def split(name: str, path: Path, part_size: int) -> tuple[str, tuple[()]]:
        cuts.append(part_size)
        return "0" * 64, ()

    monkeypatch.setattr("bundler.release.content.split", split)
    for size in (TOO_LARGE - 1, TOO_LARGE):
        with (tmp_path / "a.tar.gz").open("wb") as file:
            file.truncate(size)  # no block of it is written, nor read
        found = content_of(tmp_path, ["a.tar.gz"], {"a.tar.gz": "0" * 64})
        assert found.split == (("a.tar.gz",) if size == TOO_LARGE else ())
    assert cuts == [PART_SIZE]


def test_the_provenance_of_an_archive_in_parts_is_of_the_whole(dist_of: Callable[[str], Path]) -> None:
    name = "litellm-runtime-debian-12-amd64.tar.gz"
    archive = dist_of("debian-12-amd64") / name
    whole = sha(archive.read_bytes())
    size = archive.stat().st_size
    content = content_of(
        archive.parent, [name], {name: whole}, Cut(size, size // 2), replace(NOTHING_TOLD, signer=SIGNER)
    )
    pieces = {piece.name: piece for piece in content.pieces(PLACE)}
    assert name not in pieces and f"{name}.part-001" in pieces
    _, statement = provenance.parse(pieces[provenance.name(name)].content, name)
    assert (statement.name, statement.sha256) == (name, whole)
    assert provenance.name(name) in sums.parse(pieces["SHA256SUMS"].content.decode())
