"""What a lock pins of packages: what is fetched, what is put into an archive, and what must be found of it."""

from __future__ import annotations

import gzip
import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from bundler.errors import IntegrityError
from bundler.model.bundle import Entry, File
from bundler.model.contents import Contents, ListedFile
from bundler.model.deb822 import parse_stanza, stanzas
from bundler.model.pin import InArchive
from bundler.payloads.apt import PINS
from bundler.payloads.apt.index import digest_of, packages_gz, stanza_of
from bundler.payloads.apt.pins import INDEX, LockedArchive, LockedDeb, LockedIndex, LockedPackages, LockedSet
from tests.debs import control, deb, sha256

TEXTS = {
    "aa": control("aa", "1:2.0+x", Depends="bb (>= 1),\n c | d"),
    "bb": control("bb", "1.0", "amd64", Section="misc", Multi_Arch="same"),
}


def stanza(text: str, one: LockedDeb) -> str:
    return stanza_of(parse_stanza(text), one.filename, one.size, one.sha256)


def locked_deb(text: str, archive: str = "debian") -> LockedDeb:
    content, said = deb(text), parse_stanza(text)
    name, version, arch = said["Package"], said["Version"], said["Architecture"]
    path = f"pool/main/{name}_{version.rpartition(':')[2]}_{arch}.deb"
    one = LockedDeb(name, version, arch, archive, path, len(content), sha256(content), "0" * 64)
    return replace(one, control=digest_of(stanza(text, one)))


def locked(texts: Mapping[str, str] = TEXTS) -> LockedPackages:
    debs = tuple(locked_deb(text) for text in texts.values())
    index = packages_gz(stanza(text, one) for text, one in zip(texts.values(), debs, strict=True))
    return LockedPackages(
        LockedIndex(len(index), sha256(index)), (LockedSet("base", ("aa",)), LockedSet("browser", ())), debs
    )


@pytest.fixture
def store(tmp_path: Path) -> Path:
    for text in TEXTS.values():
        (tmp_path / sha256(deb(text))).write_bytes(deb(text))
    return tmp_path


def entries(payload: LockedPackages, store: Path) -> list[Entry]:
    with tempfile.TemporaryFile() as spool:
        return list(payload.entries(store.__truediv__, spool))


def contents(files: Mapping[str, ListedFile]) -> Contents:
    return Contents("top", files, frozenset(), {}, (), "", 0, {})


def listed(payload: LockedPackages, store: Path) -> dict[str, ListedFile]:
    return {
        one.path: ListedFile(one.path, one.size, one.sha256, one.executable)
        for one in entries(payload, store)
        if isinstance(one, File)
    }


def test_a_package_of_the_distribution_has_no_address_and_another_one_has() -> None:
    payload = locked()
    assert [pin.origin for pin in payload.pins()] == [
        InArchive("debian", "pool/main/aa_2.0+x_all.deb"),
        InArchive("debian", "pool/main/bb_1.0_amd64.deb"),
    ]
    debs = (replace(payload.debs[0], archive="more"), payload.debs[1])
    further = replace(payload, debs=debs, archives=(LockedArchive("more", "https://more.test/apt/"),))
    assert next(iter(further.pins())).origin == "https://more.test/apt/pool/main/aa_2.0%2Bx_all.deb"
    first = next(iter(payload.pins()))
    assert (first.name, first.size, first.sha256) == (
        "aa_1%3a2.0+x_all.deb",
        payload.debs[0].size,
        payload.debs[0].sha256,
    )


def test_entries_are_the_packages_their_index_and_lists(store: Path) -> None:
    found = {entry.path: entry for entry in entries(locked(), store) if isinstance(entry, File)}
    assert sorted(found) == [
        "metadata/apt/base-deb-packages.txt",
        "metadata/apt/deb-files.txt",
        "packages/apt/Packages.gz",
        "packages/apt/aa_1%3a2.0+x_all.deb",
        "packages/apt/bb_1.0_amd64.deb",
    ]
    assert found["metadata/apt/base-deb-packages.txt"].content == b"aa\n"
    assert found["metadata/apt/deb-files.txt"].content == b"aa_1%3a2.0+x_all.deb\nbb_1.0_amd64.deb\n"
    packed = found["packages/apt/Packages.gz"].content
    assert isinstance(packed, bytes)
    first, second = stanzas(gzip.decompress(packed).decode())
    assert (first["Depends"], first["Filename"], first["Description"]) == (
        "bb (>= 1), c | d",
        "./aa_1%3a2.0+x_all.deb",
        "a test",
    )
    assert second["Multi-Arch"] == "same" and "Section" not in second


@pytest.mark.parametrize("length", [0, 1, 0xFFFF, 0x10000, 200_001])
def test_the_index_is_gzip_whatever_its_length(length: int) -> None:
    assert gzip.decompress(packages_gz(["x" * length])) == b"x" * length


def test_the_bytes_of_an_index_are_the_same_everywhere() -> None:
    assert packages_gz(["Package: a\n", "Package: b\n"]).hex() == (
        "1f8b08000000000000ff0117 00e8ff".replace(" ", "")
        + b"Package: a\n\nPackage: b\n".hex()
        + gzip.compress(b"Package: a\n\nPackage: b\n")[-8:].hex()
    )


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"name": "other"}, "it is another package: aa 1:2.0\\+x all"),
        ({"version": "3"}, "it is another package"),
        ({"arch": "amd64"}, "it is another package"),
        ({"control": "1" * 64}, "says other things than the archive's index"),
    ],
)
def test_a_package_that_is_another_one_is_refused(store: Path, change: dict[str, str], why: str) -> None:
    payload = locked()
    wrong = replace(payload, debs=(replace(payload.debs[0], **change), payload.debs[1]))  # type: ignore[arg-type]
    with pytest.raises(IntegrityError, match=why):
        entries(wrong, store)


def test_another_index_than_was_locked_is_refused(store: Path) -> None:
    with pytest.raises(IntegrityError, match="another index"):
        entries(replace(locked(), index=LockedIndex(1, "0" * 64)), store)


def test_a_file_that_is_no_package_is_refused(store: Path) -> None:
    payload = locked()
    (store / payload.debs[1].sha256).write_bytes(b"<html>")
    with pytest.raises(IntegrityError, match=r"bb_1\.0_amd64\.deb: not a Debian package"):
        entries(payload, store)


def test_what_was_put_in_has_no_findings(store: Path) -> None:
    payload = locked()
    assert list(payload.findings(contents(listed(payload, store)))) == []


@pytest.mark.parametrize(
    "path", ["packages/apt/Packages.gz", "packages/apt/bb_1.0_amd64.deb", "metadata/apt/deb-files.txt"]
)
@pytest.mark.parametrize("how", ["missing", "another", "longer", "executable", "link"])
def test_each_file_that_is_not_as_locked_is_found(store: Path, path: str, how: str) -> None:
    payload = locked()
    files = listed(payload, store)
    if how == "missing":
        del files[path]
    else:
        change = {
            "another": {"sha256": "0" * 64},
            "longer": {"size": 1},
            "executable": {"executable": True},
            "link": {"link": "elsewhere"},
        }[how]
        files[path] = replace(files[path], **change)  # type: ignore[arg-type]
    (finding,) = payload.findings(contents(files))
    assert path in finding.message


@pytest.mark.parametrize(
    "path", ["packages/apt/c_1_all.deb", "packages/apt/x/a.deb", "metadata/apt/browser-deb-packages.txt"]
)
def test_a_file_that_nobody_locked_is_found(store: Path, path: str) -> None:
    payload = locked()
    files = {**listed(payload, store), path: ListedFile(path, 1, "0" * 64)}
    assert [one.message for one in payload.findings(contents(files))] == [
        f"surplus: {path}; the lock inside does not know it"
    ]


def test_versions_are_told_by_name() -> None:
    payload = locked()
    more = replace(payload.debs[1], version="2.0")
    assert replace(payload, debs=(*payload.debs, more)).versions() == {"aa": "1:2.0+x", "bb": "1.0, 2.0"}


def dumped(payload: LockedPackages) -> dict[str, object]:
    found = TypeAdapter(PINS).dump_python(payload, by_alias=True, mode="json")
    assert isinstance(found, dict)
    return found


def test_a_lock_is_read_as_it_was_written() -> None:
    assert TypeAdapter(PINS).validate_python(dumped(locked())) == locked()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", "../a"),
        ("name", "A"),
        ("version", "1/2"),
        ("version", "../1"),
        ("arch", "i386"),
        ("archive", "nowhere"),
        ("path", "../../etc/passwd"),
        ("path", "/pool/a.deb"),
        ("size", 0),
        ("size", 1 << 40),
        ("sha256", "0" * 63),
        ("more", 1),
    ],
)
def test_a_lock_with_an_odd_value_is_refused(key: str, value: object) -> None:
    document = dumped(locked())
    debs = document["debs"]
    assert isinstance(debs, list | tuple)
    with pytest.raises(ValidationError):
        TypeAdapter(PINS).validate_python({**document, "debs": [{**debs[0], key: value}, *debs[1:]]})


def test_two_packages_in_one_file_are_refused() -> None:
    payload = locked()
    with pytest.raises(ValueError, match="is there twice"):
        replace(payload, debs=(payload.debs[0], payload.debs[0]))


def test_digests_are_of_the_stanza_alone() -> None:
    assert digest_of("x") == hashlib.sha256(b"x").hexdigest()


def index_of(*texts: str) -> Contents:
    content = packages_gz(texts)
    return replace(contents({}), texts={INDEX: content})


def told(payload: LockedPackages, there: Contents) -> list[str]:
    return [one.message for one in payload.findings(there) if not one.message.startswith("missing")]


def test_an_index_that_leads_elsewhere_is_found_though_its_digest_is_the_locked_one() -> None:
    payload = locked()
    good = [stanza(text, one) for text, one in zip(TEXTS.values(), payload.debs, strict=True)]
    assert told(payload, index_of(*good)) == []
    evil = good[1].replace("./bb_1.0_amd64.deb", "../../../tmp/evil.deb")
    assert told(payload, index_of(good[0], evil)) == [f"{INDEX}: names other files than the lock inside"]
    assert told(payload, index_of(good[0])) == [f"{INDEX}: names other files than the lock inside"]
    other = good[1].replace(payload.debs[1].sha256, "0" * 64)
    assert told(payload, index_of(good[0], other)) == [
        f"{INDEX}: tells of another bb_1.0_amd64.deb than the lock inside"
    ]
    more = good[1].replace("Filename:", "Depends: evil\nFilename:")
    assert "says other things" in told(payload, index_of(good[0], more))[0]
    assert told(payload, replace(contents({}), texts={INDEX: gzip.compress(b"x", mtime=0)})) == [
        f"{INDEX}: not as aiws-bundle writes one"
    ]


def test_a_set_of_packages_that_are_not_there_is_found() -> None:
    empty = packages_gz([])
    payload = LockedPackages(LockedIndex(len(empty), sha256(empty)), (LockedSet("base", ("aa",)),), ())
    assert told(payload, index_of()) == ["metadata/apt: aa is listed, and no package of the lock inside is it"]
