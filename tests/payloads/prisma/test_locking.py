"""From a database choice to exact pins, with a server that serves engines and a registry."""

from __future__ import annotations

import base64
import gzip
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from bundler.adapters.http import Http, Mirror
from bundler.adapters.npm import Resolved
from bundler.adapters.store import Store
from bundler.errors import IntegrityError, LockError, UnreachableError
from bundler.payloads.prisma.choice import EngineName
from bundler.payloads.prisma.locking import lock_engines, lock_packages
from bundler.payloads.prisma.pins import LockedEngine, NpmPackage
from tests.payloads.prisma.test_pins import ENGINES, PLATFORM, TARGET
from tests.server import Reply, Server, serving

PROGRAM = b"a program"
CONTENT = gzip.compress(PROGRAM, mtime=0)
DIGEST = hashlib.sha256(CONTENT).hexdigest()
INTEGRITY = "sha512-" + base64.b64encode(hashlib.sha512(CONTENT).digest()).decode()
RESOLVED = Resolved("@x/y", "1.0.0", "node_modules/@x/y", "@x/y/-/y-1.0.0.tgz", INTEGRITY, "MIT")


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as made:
        yield made


def path(engine: str) -> str:
    return ENGINES.address_of(PLATFORM, engine).removeprefix("https://engines.test")


def publish(server: Server, **listed: str) -> None:
    for engine in ("query-engine", "schema-engine"):
        server.script(path(engine), Reply(CONTENT))
        text = listed.get(engine.partition("-")[0], f"{DIGEST}  {engine}.gz\n")
        server.script(f"{path(engine)}.sha256", Reply(text.encode()))


def locked(server: Server, folder: Path) -> tuple[LockedEngine, ...]:
    with closing(Http([Mirror("https://engines.test/", f"{server.address}/")])) as http:
        return lock_engines(TARGET, ENGINES, http, Store(folder), lambda programs: None)


def test_engines_are_pinned_by_address_size_and_digest(server: Server, tmp_path: Path) -> None:
    publish(server, schema=DIGEST.upper())
    inside = hashlib.sha256(PROGRAM).hexdigest()
    addresses = [ENGINES.address_of(PLATFORM, name) for name in ("query-engine", "schema-engine")]
    assert locked(server, tmp_path) == (  # the mirror is not recorded
        LockedEngine("query-engine", addresses[0], len(CONTENT), DIGEST, inside),
        LockedEngine("schema-engine", addresses[1], len(CONTENT), DIGEST, inside),
    )


def test_the_programs_are_checked_before_they_are_pinned(server: Server, tmp_path: Path) -> None:
    publish(server)
    seen = {}

    def check(programs: Mapping[EngineName, Path]) -> None:
        seen.update({name: path.read_bytes() for name, path in programs.items()})
        raise LockError("no program")

    with (
        closing(Http([Mirror("https://engines.test/", f"{server.address}/")])) as http,
        pytest.raises(LockError, match="no program"),
    ):
        lock_engines(TARGET, ENGINES, http, Store(tmp_path), check)
    assert seen == {"query-engine": PROGRAM, "schema-engine": PROGRAM}


def test_a_digest_that_disagrees_is_told(server: Server, tmp_path: Path) -> None:
    publish(server, query="0" * 64)
    with pytest.raises(IntegrityError, match="query-engine: SHA-256 mismatch"):
        locked(server, tmp_path)


@pytest.mark.parametrize("text", ["", "<html>no</html>", "abc", f"x{DIGEST}"])
def test_a_checksum_file_without_a_checksum_is_told(text: str, server: Server, tmp_path: Path) -> None:
    publish(server, query=text)
    with pytest.raises(IntegrityError, match="holds no SHA-256"):
        locked(server, tmp_path)


def test_a_platform_without_engines_is_named(server: Server, tmp_path: Path) -> None:
    with pytest.raises(LockError, match=r"debian-12-amd64: .* platform debian-openssl-3\.0\.x") as caught:
        locked(server, tmp_path)
    assert "openssl" in caught.value.hint


def test_a_folder_as_mirror_without_the_platform_is_the_same(tmp_path: Path) -> None:
    with (
        closing(Http([Mirror("https://engines.test/", f"file://{tmp_path}/")])) as http,
        pytest.raises(LockError, match=r"debian-openssl-3\.0\.x"),
    ):
        lock_engines(TARGET, ENGINES, http, Store(tmp_path / "store"), lambda programs: None)


@pytest.mark.parametrize("status", [403, 503])
def test_a_server_that_refuses_is_out_of_reach(status: int, server: Server, tmp_path: Path) -> None:
    server.script(f"{path('query-engine')}.sha256", Reply(status=status))
    with pytest.raises(UnreachableError, match=str(status)):
        locked(server, tmp_path)
    assert len(server.requests) <= 2, "it is given up soon"


def test_npm_packages_are_pinned_by_size_and_digest() -> None:
    (package,) = lock_packages([RESOLVED], lambda path: {RESOLVED.path: CONTENT}[path])
    facts = (RESOLVED.at, RESOLVED.path, len(CONTENT), DIGEST, INTEGRITY)
    assert package == NpmPackage("@x/y", "1.0.0", "MIT", *facts)
    (unsaid,) = lock_packages([replace(RESOLVED, license="")], lambda path: CONTENT)
    assert unsaid == NpmPackage("@x/y", "1.0.0", "not said", *facts)


def test_npms_integrity_decides() -> None:
    with pytest.raises(IntegrityError, match=r"npm package @x/y 1\.0\.0: SHA-512 mismatch"):
        lock_packages([RESOLVED], lambda path: CONTENT + b"!")


@pytest.mark.parametrize(
    "change",
    [
        {"path": "https://elsewhere.test/y.tgz"},
        {"path": "../y.tgz"},
        {"at": "node_modules/../../x"},
        {"at": "elsewhere/x"},
        {"name": "Not A Name"},
        {"version": ""},
        {"integrity": "sha1-x"},
        {"integrity": ""},
        {"license": "MIT\nsha256: 0"},
    ],
)
def test_words_of_npm_that_make_no_sense_are_refused_before_anything_is_fetched(change: dict[str, str]) -> None:
    def read(path: str) -> bytes:
        raise AssertionError("fetched")

    with pytest.raises(IntegrityError, match="what is no package"):
        lock_packages([replace(RESOLVED, **change)], read)  # type: ignore[arg-type]
