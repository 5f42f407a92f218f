"""Browsers: archives of every form, unpacked into an archive of ours; and those that may not be."""

from __future__ import annotations

import io
import lzma
import stat
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import tomli_w
from pydantic import TypeAdapter, ValidationError

from bundler.errors import BundleError, IntegrityError, LockError
from bundler.model.bundle import Entry, File, Link, text_file
from bundler.model.manifest_schema import Schema
from bundler.model.target import Target
from bundler.model.toml import parse_toml
from bundler.payloads import browsers
from bundler.payloads.browsers import Browsers, LockedBrowsers
from bundler.session import Network
from tests.payloads.downloads import AMD64, ARM64, HOST, content_of, contents_of, elf, network_to, session_in
from tests.server import Reply, Server, serving

CHROMIUM: Mapping[str, object] = {
    "name": "chromium",
    "version": "1200",
    "address": f"{HOST}/chromium-{{version}}-{{arch}}",
    "folder": "chromium-1200",
    "program": "chrome-linux/chrome",
    "markers": ["INSTALLATION_COMPLETE"],
    "targets": ["arm64"],
}
PATH = "/chromium-1200-arm64"
PLACE = "packages/playwright-browsers/chromium-1200"
MEMBERS = (("chrome-linux/chrome", elf(183), 0o755), ("chrome-linux/locales/de.pak", b"words" * 999, 0o644))
Members = Sequence[tuple[str, bytes, int]]


def zip_of(members: Members = MEMBERS) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content, mode in members:
            info = zipfile.ZipInfo(path)
            info.external_attr = (mode if stat.S_IFMT(mode) else stat.S_IFREG | mode) << 16
            archive.writestr(info, content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def tar_of(members: Members = MEMBERS, form: str = "w:gz", links: Sequence[tarfile.TarInfo] = ()) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=form, format=tarfile.USTAR_FORMAT) as tar:  # type: ignore[call-overload]
        for path, content, mode in members:
            info = tarfile.TarInfo(path)
            info.size, info.mode, info.mtime = len(content), mode, int(time.time())
            tar.addfile(info, io.BytesIO(content))
        for info in links:
            tar.addfile(info)
    return out.getvalue()


def link(path: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(path)
    info.type, info.linkname = kind, target
    return info


def section(*entries: Mapping[str, object]) -> Browsers:
    return TypeAdapter(Browsers).validate_python(list(entries))


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as made:
        made.script(PATH, Reply(zip_of()))
        yield made


@pytest.fixture
def network(server: Server) -> Iterator[Network]:
    with network_to(server.address) as made:
        yield made


def lock(
    folder: Path, network: Network, choice: Mapping[str, object] = CHROMIUM, target: Target = ARM64
) -> LockedBrowsers:
    return browsers.lock(section(choice), target, session_in(folder), network)


def entries_of(locked: LockedBrowsers, folder: Path) -> list[Entry]:
    with (folder / "spool").open("wb") as spool:
        return list(locked.entries(session_in(folder).store().path, spool))


@pytest.mark.parametrize(
    "archive",
    [zip_of(), tar_of(), tar_of(form="w:xz"), tar_of(tuple(reversed(MEMBERS)))],
    ids=["zip", "tar.gz", "tar.xz", "tar.gz backwards"],
)
def test_any_archive_is_unpacked_into_its_folder(
    archive: bytes, network: Network, server: Server, tmp_path: Path
) -> None:
    server.script(PATH, Reply(archive))
    locked = lock(tmp_path, network)
    made = sorted(entries_of(locked, tmp_path), key=lambda entry: entry.path)
    assert [(one.path, content_of(one), one.executable) for one in made if isinstance(one, File)] == [
        (f"{PLACE}/INSTALLATION_COMPLETE", b"", False),
        (f"{PLACE}/chrome-linux/chrome", MEMBERS[0][1], True),
        (f"{PLACE}/chrome-linux/locales/de.pak", MEMBERS[1][1], False),
    ]
    assert len(made) == locked.browser[0].files == 3
    assert list(locked.findings(contents_of(made))) == []
    assert list(locked.findings(contents_of(reversed(made)))) == []


def test_the_tree_is_the_same_whatever_the_archive_is(network: Network, server: Server, tmp_path: Path) -> None:
    trees = set()
    for number, archive in enumerate((zip_of(), tar_of(), tar_of(tuple(reversed(MEMBERS)), "w:xz"))):
        server.script(f"/{number}", Reply(archive))
        trees.add(lock(tmp_path, network, {**CHROMIUM, "address": f"{HOST}/{number}"}).browser[0].tree_sha256)
    assert len(trees) == 1


def test_a_lock_is_written_to_toml_and_read_again(network: Network, tmp_path: Path) -> None:
    locked = lock(tmp_path, network)
    adapter = TypeAdapter(LockedBrowsers)
    text = tomli_w.dumps({"browsers": adapter.dump_python(locked, by_alias=True, mode="json")})
    assert adapter.validate_python(parse_toml(text)["browsers"]) == locked
    assert "tree-sha256" in text
    assert locked.versions() == {"chromium": "1200"}
    assert [pin.origin for pin in locked.pins()] == [f"{HOST}{PATH}"]


def test_targets_that_need_none_have_none(network: Network, server: Server, tmp_path: Path) -> None:
    locked = lock(tmp_path, network, target=AMD64)
    assert locked == LockedBrowsers(()) and server.requests == []
    assert list(locked.findings(contents_of([]))) == []
    found = [one.message for one in locked.findings(contents_of([text_file(f"{PLACE}/x", b"")]))]
    assert found == [f"surplus: {PLACE}/x; the lock has no such browser"]


def test_targets_of_one_platform_share_the_work(network: Network, server: Server, tmp_path: Path) -> None:
    locked = {lock(tmp_path, network, target=replace(ARM64, version=version)) for version in ("12", "13")}
    assert len(locked) == 1 and len(server.asked(PATH)) == 1


def test_each_difference_from_the_lock_is_found(network: Network, tmp_path: Path) -> None:
    locked = lock(tmp_path, network)
    chrome, pak, marker = entries_of(locked, tmp_path)
    assert isinstance(chrome, File) and isinstance(pak, File)
    for changed, told in (
        ([], "missing: packages/playwright-browsers/chromium-1200/, the browser chromium 1200"),
        ([chrome, pak], "other files"),
        ([pak, marker], "missing: the program"),
        ([replace(chrome, executable=False), pak, marker], "missing: the program"),
        ([chrome, replace(pak, executable=True), marker], "other files"),
        ([chrome, replace(pak, sha256="0" * 64), marker], "other files"),
        ([chrome, replace(pak, path=f"{PLACE}/x"), marker], "other files"),
        ([chrome, pak, marker, text_file(f"{PLACE}/x", b"")], "other files"),
        ([chrome, pak, marker, Link(f"{PLACE}/x", "chrome-linux")], "a link"),
        ([chrome, pak, marker, text_file(f"{PLACE}1/x", b"")], "surplus"),
    ):
        assert any(told in one.message for one in locked.findings(contents_of(changed))), told


UNSAFE: Mapping[str, Callable[[], bytes]] = {
    "zip that climbs": lambda: zip_of([("../chrome", elf(183), 0o755), *MEMBERS]),
    "zip with an absolute path": lambda: zip_of([("/chrome", elf(183), 0o755), *MEMBERS]),
    "zip with a file as a folder": lambda: zip_of([("chrome-linux", b"", 0o644), *MEMBERS]),
    "zip with a setuid program": lambda: zip_of([*MEMBERS, ("sandbox", elf(183), 0o4755)]),
    "zip with a link": lambda: zip_of([*MEMBERS, ("link", b"/etc/passwd", stat.S_IFLNK | 0o777)]),
    "zip cut short": lambda: zip_of()[:-20],
    "tar that climbs": lambda: tar_of([("../chrome", elf(183), 0o755), *MEMBERS]),
    "tar with a setuid program": lambda: tar_of([*MEMBERS, ("sandbox", elf(183), 0o4755)]),
    "tar with a file twice": lambda: tar_of([*MEMBERS, MEMBERS[0]]),
    "tar with a link to outside": lambda: tar_of(links=[link("passwd", "/etc/passwd")]),
    "tar with a link to inside": lambda: tar_of(links=[link("chrome", "chrome-linux/chrome")]),
    "tar with a hard link": lambda: tar_of(links=[link("chrome", "chrome-linux/chrome", tarfile.LNKTYPE)]),
    "tar with a device": lambda: tar_of(links=[link("null", "", tarfile.CHRTYPE)]),
    "gzip cut short": lambda: tar_of()[:-20],
    "xz cut short": lambda: tar_of(form="w:xz")[:-20],
    "xz with something behind it": lambda: tar_of(form="w:xz") + b"more",
    "two xz": lambda: tar_of(form="w:xz") * 2,
    "xz of zeros": lambda: lzma.compress(bytes(96 << 20), preset=0),
    "xz that is none": lambda: b"\xfd7zXZ\0" + bytes(100),
    "tar that is not compressed": lambda: tar_of(form="w"),
    "text": lambda: b"no archive",
}


@pytest.mark.parametrize("unsafe", UNSAFE)
def test_an_unsafe_or_damaged_archive_is_refused(unsafe: str, network: Network, server: Server, tmp_path: Path) -> None:
    server.script(PATH, Reply(UNSAFE[unsafe]()))
    with pytest.raises(IntegrityError):
        lock(tmp_path, network)


@pytest.mark.parametrize(
    ("archive", "told"),
    [
        (zip_of([("chrome-linux/chrome", elf(62), 0o755)]), "no executable program"),
        (zip_of([("chrome-linux/chrome", elf(183), 0o644)]), "no executable program"),
        (zip_of([("chrome/chrome", elf(183), 0o755)]), "no executable program"),
        (zip_of([*MEMBERS, ("INSTALLATION_COMPLETE", b"", 0o644)]), "holds INSTALLATION_COMPLETE already"),
    ],
)
def test_an_archive_that_is_not_the_browser_locks_nothing(
    archive: bytes, told: str, network: Network, server: Server, tmp_path: Path
) -> None:
    server.script(PATH, Reply(archive))
    with pytest.raises(LockError, match=told):
        lock(tmp_path, network)


@pytest.mark.parametrize(("limit", "value"), [("_MOST_FILES", 1), ("_LARGEST_TREE", 1000)])
def test_what_unpacks_to_too_much_is_refused(
    limit: str, value: int, network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browsers, limit, value)
    with pytest.raises(IntegrityError, match="unpacks to more"):
        lock(tmp_path, network)


def test_the_digest_is_checked_before_the_archive_is_opened(network: Network, tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match="SHA-256 mismatch"):
        lock(tmp_path, network, {**CHROMIUM, "sha256": {"arm64": "0" * 64}})


def test_problems_that_only_targets_show_are_told() -> None:
    other = {**CHROMIUM, "name": "other"}
    assert list(section(CHROMIUM, other).problems([AMD64, ARM64])) == [
        "debian-12-arm64: two browsers are unpacked into chromium-1200"
    ]
    assert list(section(CHROMIUM).problems([AMD64])) == ["chromium: 'arm64' means none of the targets"]
    assert list(section(CHROMIUM, {**other, "folder": "other"}).problems([AMD64, ARM64])) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [("folder", ".."), ("folder", "a/b"), ("folder", ""), ("program", "../chrome"), ("markers", ["../X"])],
)
def test_a_manifest_is_refused_for_what_it_may_not_say(key: str, value: object) -> None:
    with pytest.raises(ValidationError):
        section({**CHROMIUM, key: value})


def test_each_key_is_described() -> None:
    schema = Schema.of(TypeAdapter(Browsers))
    assert all("description" in schema.at((0, key)) for key in schema.keys((0,)))


def test_the_spool_is_flushed_before_it_is_read(network: Network, tmp_path: Path) -> None:
    locked = lock(tmp_path, network)
    with (tmp_path / "spool").open("wb", buffering=1 << 20) as spool:
        made = list(locked.entries(session_in(tmp_path).store().path, spool))
        assert content_of(made[0]) == MEMBERS[0][1]
        assert Path(spool.name).stat().st_size == sum(len(content) for _, content, _ in MEMBERS)


def test_errors_of_an_archive_say_which_it_is(network: Network, server: Server, tmp_path: Path) -> None:
    server.script(PATH, Reply(b"PK no zip"))
    with pytest.raises(BundleError, match="chromium 1200"):
        lock(tmp_path, network)
