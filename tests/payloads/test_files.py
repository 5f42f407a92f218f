"""Pinned files: from a manifest's section to pins, to entries, and back to findings, with a server that lies."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import tomli_w
from pydantic import TypeAdapter, ValidationError

from bundler.errors import BundleError, IntegrityError, LockError, UnreachableError
from bundler.model.bundle import File, Link, text_file
from bundler.model.manifest_schema import Schema
from bundler.model.target import Target
from bundler.model.toml import parse_toml
from bundler.payloads import files
from bundler.payloads.files import Files, LockedFiles
from bundler.session import Network
from tests.payloads.downloads import (
    AMD64,
    ARM64,
    DARWIN,
    HOST,
    Told,
    content_of,
    contents_of,
    elf,
    network_to,
    session_in,
)
from tests.server import Reply, Server, redirect, serving

VAULT: Mapping[str, object] = {
    "name": "vault",
    "version": "1.21.4",
    "address": f"{HOST}/vault/{{version}}/vault_{{version}}_linux_{{arch}}.zip",
    "sums": f"{HOST}/vault/{{version}}/vault_{{version}}_SHA256SUMS",
    "path": "packages/bin/vault_{version}_linux_{arch}.zip",
    "contains": "vault",
}
TTYD: Mapping[str, object] = {
    "name": "ttyd",
    "version": "1.7.7",
    "address": f"{HOST}/ttyd/{{version}}/ttyd.{{machine}}",
    "path": "packages/bin/ttyd.{machine}",
    "executable": True,
}
ZIP_PATH, SUMS_PATH = "/vault/1.21.4/vault_1.21.4_linux_amd64.zip", "/vault/1.21.4/vault_1.21.4_SHA256SUMS"
TTYD_PATH = "/ttyd/1.7.7/ttyd.x86_64"


def zip_of(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


ZIP = zip_of(vault=elf(62), LICENSE=b"words")
DIGEST = hashlib.sha256(ZIP).hexdigest()
PROGRAM = elf(62, b"ttyd")


def section(*entries: Mapping[str, object]) -> Files:
    return TypeAdapter(Files).validate_python(list(entries))


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as made:
        made.script(ZIP_PATH, Reply(ZIP))
        made.script(SUMS_PATH, Reply(f"{'0' * 64}  other.zip\n{DIGEST}  vault_1.21.4_linux_amd64.zip\n".encode()))
        made.script(TTYD_PATH, Reply(PROGRAM))
        yield made


@pytest.fixture
def network(server: Server) -> Iterator[Network]:
    with network_to(server.address) as made:
        yield made


def lock(folder: Path, network: Network, *entries: Mapping[str, object], target: Target = AMD64) -> LockedFiles:
    return files.lock(section(*entries), target, session_in(folder), network)


def test_files_are_pinned_by_address_size_and_digest(network: Network, tmp_path: Path) -> None:
    locked = lock(tmp_path, network, VAULT, TTYD)
    ttyd, vault = locked.file
    assert (vault.path, vault.executable) == ("packages/bin/vault_1.21.4_linux_amd64.zip", False)
    assert (vault.address, vault.size, vault.sha256) == (f"{HOST}{ZIP_PATH}", len(ZIP), DIGEST)  # no mirror's
    assert (ttyd.path, ttyd.executable) == ("packages/bin/ttyd.x86_64", True)
    assert locked.versions() == {"ttyd": "1.7.7", "vault": "1.21.4"}
    assert [(pin.sha256, pin.size, pin.origin) for pin in locked.pins()] == [
        (ttyd.sha256, len(PROGRAM), f"{HOST}{TTYD_PATH}"),
        (DIGEST, len(ZIP), f"{HOST}{ZIP_PATH}"),
    ]


def test_a_lock_is_written_to_toml_and_read_again(network: Network, tmp_path: Path) -> None:
    locked = lock(tmp_path, network, VAULT, TTYD)
    adapter = TypeAdapter(LockedFiles)
    text = tomli_w.dumps({"files": adapter.dump_python(locked, by_alias=True, mode="json")})
    assert adapter.validate_python(parse_toml(text)["files"]) == locked
    assert str(tmp_path) not in text
    assert len({locked, lock(tmp_path, network, TTYD, VAULT)}) == 1


def test_entries_are_the_files_and_nothing_is_found_wrong_with_them(network: Network, tmp_path: Path) -> None:
    locked = lock(tmp_path, network, VAULT, TTYD)
    entries = list(locked.entries(session_in(tmp_path).store().path, io.BytesIO()))
    assert [content_of(entry) for entry in entries] == [PROGRAM, ZIP]
    assert [(e.path, e.executable) for e in entries if isinstance(e, File)] == [
        ("packages/bin/ttyd.x86_64", True),
        ("packages/bin/vault_1.21.4_linux_amd64.zip", False),
    ]
    assert list(locked.findings(contents_of(entries))) == []


def test_each_difference_from_the_lock_is_found(network: Network, tmp_path: Path) -> None:
    locked = lock(tmp_path, network, VAULT, TTYD)
    ttyd, vault = locked.entries(session_in(tmp_path).store().path, io.BytesIO())
    assert isinstance(ttyd, File)
    for changed, told in (
        ([ttyd], "missing: packages/bin/vault_1.21.4_linux_amd64.zip"),
        ([ttyd, vault, text_file("packages/bin/sh", b"")], "surplus: packages/bin/sh"),
        ([replace(ttyd, executable=False), vault], "executable: False"),
        ([replace(ttyd, sha256="0" * 64), vault], "ttyd.x86_64: the lock says"),
        ([replace(ttyd, size=1), vault], "ttyd.x86_64: the lock says"),
        ([Link(ttyd.path, "vault"), vault], "a link to vault"),
    ):
        found = [one.message for one in locked.findings(contents_of(changed))]
        assert len(found) == 1 and told in found[0], found


def test_a_file_without_a_digest_is_locked_as_found_and_that_is_said_once(
    network: Network, server: Server, tmp_path: Path
) -> None:
    said = Told()
    for target in (AMD64, replace(AMD64, version="13")):
        files.lock(section(TTYD), target, session_in(tmp_path, said), network)
    digest = hashlib.sha256(PROGRAM).hexdigest()
    assert said.lines == [f"ttyd 1.7.7: nothing says what {HOST}{TTYD_PATH} must be; locked as found, {digest}"]
    assert len(server.asked(TTYD_PATH)) == 1
    left = [path.name for path in (tmp_path / "cache" / "partial").iterdir() if path.suffix != ".lock"]
    assert left == []


def test_what_all_targets_share_is_fetched_once_though_they_are_locked_at_once(
    network: Network, server: Server, tmp_path: Path
) -> None:
    targets = [replace(AMD64, version=str(number)) for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda target: lock(tmp_path, network, VAULT, TTYD, target=target), targets))
    assert len(made) == 1
    assert [len(server.asked(path)) for path in (ZIP_PATH, SUMS_PATH, TTYD_PATH)] == [1, 1, 1]


def test_every_field_is_filled_in_for_the_target(network: Network, server: Server, tmp_path: Path) -> None:
    server.script("/1.7.7/debian/12/arm64/aarch64", Reply(elf(183)))
    address = f"{HOST}/{{version}}/{{distro}}/{{distro-version}}/{{arch}}/{{machine}}"
    path = "packages/bin/{distro}-{distro-version}-{arch}-{machine}-{version}"
    (one,) = lock(tmp_path, network, {**TTYD, "address": address, "path": path}, target=ARM64).file
    assert one.path == "packages/bin/debian-12-arm64-aarch64-1.7.7"


def test_a_target_has_what_is_meant_for_it(network: Network, tmp_path: Path) -> None:
    assert lock(tmp_path, network, {**TTYD, "targets": ["arm64"]}) == LockedFiles(())


@pytest.mark.parametrize(
    ("sums", "told"),
    [
        (f"{DIGEST}  vault_1.21.4_linux_arm64.zip\n", "does not list it"),
        ("", "does not list it"),
        (f"{DIGEST}  vault_1.21.4_linux_amd64.zip\n{'0' * 64}  vault_1.21.4_linux_amd64.zip\n", "differently"),
        (f"{'0' * 64}  vault_1.21.4_linux_amd64.zip\n", "SHA-256 mismatch"),
        ("\0" * 100, "does not list it"),
    ],
)
def test_a_list_that_does_not_vouch_for_the_file_locks_nothing(
    sums: str, told: str, network: Network, server: Server, tmp_path: Path
) -> None:
    server.script(SUMS_PATH, Reply(sums.encode()))
    with pytest.raises(IntegrityError, match=told):
        lock(tmp_path, network, VAULT)


@pytest.mark.parametrize(
    "line",
    [
        f"{DIGEST.upper()} *vault_1.21.4_linux_amd64.zip\r\n",
        f"{DIGEST}  ./vault_1.21.4_linux_amd64.zip\n" * 2,
    ],
)
def test_lists_are_read_as_sha256sum_and_others_write_them(
    line: str, network: Network, server: Server, tmp_path: Path
) -> None:
    server.script(SUMS_PATH, Reply(line.encode()))
    assert lock(tmp_path, network, VAULT).file[0].sha256 == DIGEST


def test_a_list_may_not_be_huge(network: Network, server: Server, tmp_path: Path) -> None:
    server.script(SUMS_PATH, Reply(bytes(5 << 20)))
    with pytest.raises(IntegrityError, match="larger than"):
        lock(tmp_path, network, VAULT)
    assert server.asked(ZIP_PATH) == []


def test_the_manifests_digest_decides(network: Network, server: Server, tmp_path: Path) -> None:
    assert lock(tmp_path, network, {**TTYD, "sha256": {"amd64": hashlib.sha256(PROGRAM).hexdigest()}}).file
    with pytest.raises(IntegrityError, match="SHA-256 mismatch"):
        lock(tmp_path, network, {**TTYD, "sha256": {"amd64": "0" * 64}})
    before = len(server.asked(ZIP_PATH))
    with pytest.raises(IntegrityError, match="disagree"):
        lock(tmp_path, network, {**VAULT, "sha256": {"amd64": "0" * 64}})
    assert len(server.asked(ZIP_PATH)) == before


@pytest.mark.parametrize(
    ("content", "target"), [(elf(183), AMD64), (PROGRAM, DARWIN), (b"#!/bin/sh\n", AMD64), (b"<html>", AMD64)]
)
def test_a_program_for_another_platform_is_refused(
    content: bytes, target: Target, network: Network, server: Server, tmp_path: Path
) -> None:
    server.script(TTYD_PATH, Reply(content))
    server.script("/ttyd/1.7.7/ttyd.arm64", Reply(content))
    with pytest.raises(LockError, match="no program for"):
        lock(tmp_path, network, TTYD, target=target)


@pytest.mark.parametrize(
    ("content", "error", "told"),
    [
        (zip_of(other=b""), LockError, "holds no file vault"),
        (zip_of(**{"bin/vault": b""}), LockError, "holds no file vault"),
        (zip_of(**{"vault/x": b""}), LockError, "holds no file vault"),
        (zip_of(**{"../vault": b"", "vault": b""}), IntegrityError, "climbs"),
        (zip_of(vault=b"") + b"more", IntegrityError, "not a readable ZIP"),
        (b"no zip", IntegrityError, "not a readable ZIP"),
    ],
)
def test_a_zip_must_hold_what_it_is_for(
    content: bytes, error: type[BundleError], told: str, network: Network, server: Server, tmp_path: Path
) -> None:
    server.script(ZIP_PATH, Reply(content))
    with pytest.raises(error, match=told):
        lock(tmp_path, network, {**VAULT, "sums": None})


@pytest.mark.parametrize(
    ("reply", "error", "told"),
    [
        (Reply(b""), IntegrityError, "is empty"),
        (redirect("file:///etc/passwd"), UnreachableError, "no web address"),
        (Reply(status=404), UnreachableError, "404"),
    ],
)
def test_what_cannot_be_had_locks_nothing_and_leaves_nothing_half_written(
    reply: Reply, error: type[BundleError], told: str, network: Network, server: Server, tmp_path: Path
) -> None:
    server.script(TTYD_PATH, reply)
    with pytest.raises(error, match=told):
        lock(tmp_path, network, TTYD)
    partial = tmp_path / "cache" / "partial"
    assert [path.name for path in partial.iterdir() if path.suffix != ".lock"] == []


def test_a_file_larger_than_the_limit_is_refused(
    network: Network, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bundler.payloads.download.LARGEST", len(PROGRAM) - 1)
    with pytest.raises(IntegrityError, match="larger than"):
        lock(tmp_path, network, TTYD)


def test_a_download_that_breaks_off_begins_anew(network: Network, server: Server, tmp_path: Path) -> None:
    server.script(TTYD_PATH, Reply(PROGRAM, drop_after=30), Reply(PROGRAM))
    assert lock(tmp_path, network, TTYD).file[0].size == len(PROGRAM)


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("path", "packages/pip/x", "a path below packages/bin/"),
        ("path", "packages/bin/{arch:>9}", "cannot be filled in"),
        ("path", "packages/bin/{oops}", "cannot be filled in"),
        ("path", "packages/bin/{version.__class__}", "cannot be filled in"),
        ("path", "packages/bin/{", "not a template"),
        ("address", "http://files.test/x", "https"),
        ("address", "https://me:secret@files.test/x", "no user and password"),
        ("address", "https://{arch}.test/x", "https"),
        ("version", "../1", "version"),
        ("sha256", {"mips": "0" * 64}, "amd64"),
        ("surplus", "x", "Unexpected"),
    ],
)
def test_a_manifest_is_refused_for_what_it_may_not_say(key: str, value: object, told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        section({**TTYD, key: value})


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        ([TTYD, {**TTYD, "name": "again"}], "packages/bin/ttyd.x86_64 is there twice"),
        ([TTYD, {**TTYD, "name": "again", "path": "packages/bin/ttyd.{machine}/x"}], "ttyd.x86_64 is there twice"),
        ([TTYD, {**TTYD, "path": "packages/bin/other"}], "ttyd is there twice"),
        ([{**TTYD, "targets": ["sparc"]}], "'sparc' means none"),
        ([{**TTYD, "sha256": {"amd64": "0" * 64}}], "sha256 says nothing of arm64"),
        ([{**TTYD, "path": "packages/bin/../{arch}"}], "makes 'packages/bin/../amd64'"),
    ],
)
def test_problems_that_only_targets_show_are_told(entries: list[Mapping[str, object]], told: str) -> None:
    assert any(told in problem for problem in section(*entries).problems([AMD64, ARM64]))


def test_a_good_section_has_no_problems_and_a_schema_that_explains_it() -> None:
    assert list(section(VAULT, TTYD).problems([AMD64, ARM64])) == []
    schema = Schema.of(TypeAdapter(Files))
    assert schema.root["type"] == "array"
    keys = schema.keys((0,))
    assert {"name", "version", "address", "sums", "sha256", "path", "executable", "contains", "targets"} == set(keys)
    assert all("description" in schema.at((0, key)) for key in keys)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("path", "packages/bin/../x"),
        ("path", "etc/passwd"),
        ("sha256", "../" * 21 + "x"),
        ("size", 0),
        ("size", 1 << 40),
        ("address", "file:///etc/passwd"),
        ("address", "https://me:pw@files.test/x"),
        ("other", "x"),
    ],
)
def test_a_lock_that_was_tampered_with_is_refused(key: str, value: object) -> None:
    good = {
        "name": "ttyd", "version": "1", "address": f"{HOST}/x", "size": 1, "sha256": "0" * 64,
        "path": "packages/bin/x", "executable": True,
    }  # fmt: skip
    adapter = TypeAdapter(LockedFiles)
    adapter.validate_python({"file": [good]})
    for bad in ({"file": [{**good, key: value}]}, {"file": [good, good]}):
        with pytest.raises(ValidationError):
            adapter.validate_python(bad)
