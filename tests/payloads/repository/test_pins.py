"""What a lock pins of repositories, and what is found of an archive that holds something else."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from bundler.errors import IntegrityError, LockError, UnreachableError
from bundler.model.bundle import Entry, File, Link
from bundler.model.contents import Contents, ListedFile
from bundler.payloads.repository.checkout import entries_of
from bundler.payloads.repository.pins import (
    LockedAddition,
    LockedCopy,
    LockedFiles,
    LockedPack,
    LockedRepositories,
    LockedRepository,
)
from bundler.progress import Silent
from bundler.session import Session
from tests.git_objects import Objects, files

Files = dict[str, ListedFile]


@pytest.fixture
def made(tmp_path: Path) -> tuple[LockedRepositories, tuple[Entry, ...], Path]:
    """Pins of one repository, its entries, and its pack."""
    objects = Objects()
    run = objects.tree(("100755", b"run.sh", objects.blob(b"#!/bin/sh\n")), ("120000", b"to", objects.blob(b"run.sh")))
    commit = objects.commit(objects.tree(("100644", b"a", objects.blob(b"1")), ("40000", b"s", run)))
    pack = objects.pack(tmp_path / "p.pack")
    first = LockedRepository(
        "demo", "https://example.org/demo.git", "main", commit, "0" * 40, LockedPack(pack.size, pack.sha256),
        LockedFiles(1, "0" * 64), copies=(LockedCopy("s/run.sh", "scripts/run.sh"),),
        additions=(LockedAddition("n", "text"),),
    )  # fmt: skip
    with (tmp_path / "spool").open("wb") as spool:
        entries = entries_of(first.chosen, commit, pack.path, spool)
    pins = replace(first, files=LockedFiles.of_entries(entries, "repos/demo"))
    return LockedRepositories((pins,)), entries, pack.path


def listed(entries: tuple[Entry, ...]) -> Files:
    found = {}
    for entry in entries:
        if isinstance(entry, File):
            found[entry.path] = ListedFile(entry.path, entry.size, entry.sha256, entry.executable)
        elif isinstance(entry, Link):
            found[entry.path] = ListedFile(entry.path, link=entry.target)
    return found


def findings(pins: LockedRepositories, found: Files) -> list[str]:
    contents = Contents("top", found, frozenset(), {}, (), "0" * 64, 1, {})
    return [finding.message for finding in pins.findings(contents)]


def test_an_archive_that_holds_the_checkout_is_fine(
    made: tuple[LockedRepositories, tuple[Entry, ...], Path],
) -> None:
    pins, entries, _ = made
    assert findings(pins, listed(entries)) == []
    assert pins.versions() == {"demo": pins.checkouts[0].commit}
    assert pins.pins() == ()
    # Other collections' files are none of ours.
    more = {path: ListedFile(path, 1, "1" * 64) for path in ("packages/bin/vault", "metadata/x/a.commit", "metadata/a")}
    assert findings(pins, {**listed(entries), **more}) == []


def change(path: str, **what: object) -> Callable[[Files], None]:
    def changing(found: Files) -> None:
        found[path] = replace(found[path], **what)  # type: ignore[arg-type]

    return changing


def surplus(path: str) -> Callable[[Files], None]:
    def adding(found: Files) -> None:
        found[path] = ListedFile(path, 1, "1" * 64)

    return adding


def without(path: str) -> Callable[[Files], None]:
    def removing(found: Files) -> None:
        del found[path]

    return removing


@pytest.mark.parametrize(
    ("harm", "finding"),
    [
        (change("repos/demo/a", sha256="1" * 64), "repos/demo: its files are not those"),
        (change("repos/demo/a", executable=True), "repos/demo: its files are not those"),
        (change("repos/demo/a", link="s/run.sh"), "repos/demo: its files are not those"),
        (change("repos/demo/s/to", link="../a"), "repos/demo: its files are not those"),
        (change("repos/demo/.git/config", sha256="1" * 64), "repos/demo: its files are not those"),
        (change("repos/demo/n", sha256="1" * 64), "repos/demo: its files are not those"),
        (without("repos/demo/a"), "repos/demo: its files are not those"),
        (without("repos/demo/.git/index"), "repos/demo: its files are not those"),
        (surplus("repos/demo/.git/hooks/post-checkout"), "repos/demo: its files are not those"),
        (surplus("repos/demo/more"), "repos/demo: its files are not those"),
        (surplus("repos/other/a"), "surplus: repos/other/a"),
        (surplus("repos/a"), "surplus: repos/a"),
        (surplus("repos/demo2/a"), "surplus: repos/demo2/a"),
        (surplus("scripts/evil.sh"), "surplus: scripts/evil.sh"),
        (surplus("metadata/other.commit"), "surplus: metadata/other.commit"),
        (without("scripts/run.sh"), "missing: scripts/run.sh"),
        (change("scripts/run.sh", executable=False), "scripts/run.sh: it is not repos/demo/s/run.sh"),
        (change("scripts/run.sh", sha256="1" * 64), "scripts/run.sh: it is not repos/demo/s/run.sh"),
        (without("metadata/demo.commit"), "missing: metadata/demo.commit"),
        (change("metadata/demo.commit", sha256="1" * 64), "metadata/demo.commit: it does not name commit"),
    ],
)
def test_whatever_is_otherwise_is_found(
    made: tuple[LockedRepositories, tuple[Entry, ...], Path], harm: Callable[[Files], None], finding: str
) -> None:
    pins, entries, _ = made
    found = listed(entries)
    harm(found)
    (said,) = findings(pins, found)
    assert said.startswith(finding)


def test_a_checkout_that_is_missing_is_told(made: tuple[LockedRepositories, tuple[Entry, ...], Path]) -> None:
    pins, _, _ = made
    assert findings(pins, {})[0] == "missing: the checkout repos/demo"


def test_the_list_is_that_of_its_documentation() -> None:
    text = "100755 22 a\n100644 11 b c\n"
    made = LockedFiles.of({"b c": ("100644", "11"), "a": ("100755", "22")})
    assert made == LockedFiles(2, hashlib.sha256(text.encode()).hexdigest())


def test_files_that_this_program_would_make_otherwise_are_a_lock_to_make_anew(
    made: tuple[LockedRepositories, tuple[Entry, ...], Path], tmp_path: Path
) -> None:
    pins, entries, pack = made
    with (tmp_path / "again").open("wb") as spool:
        again = {entry.path for entry in pins.entries(lambda sha256: pack, spool)}
        assert again == {entry.path for entry in entries}
        other = replace(pins.checkouts[0], files=LockedFiles(1, "0" * 64))
        with pytest.raises(LockError, match="other files of the same commit"):
            other.entries(lambda sha256: pack, spool)


def test_a_lock_says_all_of_it(made: tuple[LockedRepositories, tuple[Entry, ...], Path]) -> None:
    pins, _, _ = made
    adapter = TypeAdapter(LockedRepositories)
    document = adapter.dump_python(pins, by_alias=True, mode="json")
    assert adapter.validate_python(document) == pins
    assert hash(pins) == hash(adapter.validate_python(document))
    for key, value in (("name", ".."), ("commit", "x"), ("address", "file:///x"), ("more", 1), ("copies", [{}])):
        with pytest.raises(ValidationError):
            adapter.validate_python({"checkouts": [{**document["checkouts"][0], key: value}]})


def test_a_lock_has_no_two_at_one_place(made: tuple[LockedRepositories, tuple[Entry, ...], Path]) -> None:
    (one,) = made[0].checkouts
    for other in (replace(one, name="Demo", copies=()), replace(one, name="other")):
        with pytest.raises(ValueError, match="the same"):
            LockedRepositories((one, other))


def test_without_network_a_pack_that_is_not_there_cannot_be_had(
    made: tuple[LockedRepositories, tuple[Entry, ...], Path], tmp_path: Path
) -> None:
    class Bench:
        session, network = Session(None, tmp_path, {}, Silent()), None

        def at(self, sha256: str) -> Path:
            raise AssertionError

    (one,) = made[0].made()
    assert one.pin.name == f"demo at {made[0].checkouts[0].commit[:12]}"
    with (tmp_path / "out").open("wb") as file, pytest.raises(UnreachableError, match="not in the store"):
        one.write(Bench(), file)


def test_a_pack_that_is_damaged_is_refused(
    made: tuple[LockedRepositories, tuple[Entry, ...], Path], tmp_path: Path
) -> None:
    pins, _, pack = made
    pack.write_bytes(pack.read_bytes()[:-1] + b"\0")
    with (tmp_path / "again").open("wb") as spool, pytest.raises(IntegrityError, match="checksum"):
        list(pins.entries(lambda sha256: pack, spool))


def test_an_empty_commit_can_be_locked(tmp_path: Path) -> None:
    objects = Objects()
    commit = files(objects)
    pack = objects.pack(tmp_path / "p")
    choice = LockedRepository(
        "demo",
        "https://example.org/d",
        "main",
        commit,
        "0" * 40,
        LockedPack(pack.size, pack.sha256),
        LockedFiles(1, "0" * 64),
    ).chosen
    with (tmp_path / "spool").open("wb") as spool:
        made = entries_of(choice, commit, pack.path, spool)
    assert LockedFiles.of_entries(made, "repos/demo").number == 8


def test_a_lock_of_more_repositories_than_anybody_bundles_is_refused() -> None:
    digests = {"commit": "0" * 40, "tree": "0" * 40, "pack": {"size": 1, "sha256": "0" * 64}}
    files = {"number": 1, "sha256": "0" * 64}
    one = {"address": "https://example.org/demo", "ref": "main", **digests, "files": files}
    with pytest.raises(ValidationError, match="at most 100"):
        TypeAdapter(LockedRepositories).validate_python({"checkouts": [{"name": f"r{n}", **one} for n in range(101)]})
