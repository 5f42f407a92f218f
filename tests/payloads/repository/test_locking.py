"""From a section of a manifest to entries: locked and made with the real git, from a real server."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import pytest

from bundler.adapters.http import Http
from bundler.bench import Bench
from bundler.errors import IntegrityError, LockError, UnreachableError
from bundler.model.manifest_values import adapter_of
from bundler.model.target import Target
from bundler.payloads import repository
from bundler.payloads.repository.pins import LockedPack, LockedRepositories
from bundler.progress import Silent
from bundler.session import Network, Session
from tests.git_objects import Objects, files, git_server

ADDRESS = "https://example.org/demo.git"
TARGET = Target("debian", "12", "amd64", 36, "3.11.2")
pytestmark = pytest.mark.slow


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "served").mkdir()
    with git_server(tmp_path / "served") as (address, _):
        yield f"{address}/demo.git"


@pytest.fixture
def session(tmp_path: Path, address: str) -> Session:
    cache = tmp_path / "cache"
    cache.mkdir(mode=0o700)
    return Session(None, cache, {"PATH": os.environ["PATH"], "AIWS_MIRRORS": f"{ADDRESS}={address}"}, Silent())


@pytest.fixture
def network() -> Iterator[Network]:
    http = Http()
    yield Network(lambda: http, Future[str]().result, lambda: "")
    http.close()


def locked(
    session: Session, network: Network, ref: str = "main", additions: Mapping[str, str] = {}
) -> LockedRepositories:
    copies = {"a": "packages/bin/a"}
    section = [{"name": "demo", "address": ADDRESS, "ref": ref, "copies": copies, "additions": additions}]
    made = repository.lock(adapter_of(repository.CHOICE).validate_python(section), TARGET, session, network)
    assert isinstance(made, LockedRepositories)
    return made


def paths(session: Session, network: Network | None, pins: LockedRepositories, folder: Path) -> set[str]:
    """What goes into an archive."""
    folder.mkdir()
    bench = Bench(session, network, session.store(), folder)
    for made in pins.made():
        bench.make(pins, made)
    return {entry.path for entry in bench.entries(pins)}


def test_a_locked_commit_is_built_though_its_branch_moved(tmp_path: Path, session: Session, network: Network) -> None:
    objects = Objects()
    old, new = files(objects, a=b"1"), files(objects, a=b"1", b=b"2")
    source = objects.repository(tmp_path / "served/demo.git", {"heads/main": old, "heads/kept": old})
    pins = locked(session, network)
    assert pins.versions() == {"demo": old}
    assert pins.checkouts[0].tree == objects.found[bytes.fromhex(old)][1][5:45].decode()
    (source / "refs/heads/main").write_text(f"{new}\n")
    assert "repos/demo/b" not in paths(session, None, pins, tmp_path / "warm")
    session.store().discard(pins.checkouts[0].pack.sha256)
    with pytest.raises(UnreachableError, match="not in the store"):
        paths(session, None, pins, tmp_path / "offline")
    again = paths(session, network, pins, tmp_path / "cold")
    assert {"repos/demo/a", "packages/bin/a", "metadata/demo.commit", "repos/demo/.git/index"} <= again
    assert locked(session, network, old) == LockedRepositories((replace(pins.checkouts[0], ref=old),))
    assert locked(session, network).versions() == {"demo": new}


def test_a_locked_commit_that_is_gone_is_told(tmp_path: Path, session: Session, network: Network) -> None:
    objects, others = Objects(), Objects()
    source = objects.repository(tmp_path / "served/demo.git", {"heads/main": files(objects, a=b"1")})
    pins = locked(session, network)
    source.rename(tmp_path / "old.git")
    others.repository(source, {"heads/main": files(others, a=b"2")})
    session.store().discard(pins.checkouts[0].pack.sha256)
    with pytest.raises(UnreachableError, match="does not have it") as caught:
        paths(session, network, pins, tmp_path / "x")
    assert caught.value.exit_code == 4


def test_a_commit_that_makes_another_pack_than_locked_is_refused(
    tmp_path: Path, session: Session, network: Network
) -> None:
    objects = Objects()
    objects.repository(tmp_path / "served/demo.git", {"heads/main": files(objects, a=b"1")})
    pins = locked(session, network)
    other = replace(pins.checkouts[0], pack=LockedPack(pins.checkouts[0].pack.size, "0" * 64))
    with pytest.raises(IntegrityError, match="0000"):
        paths(session, network, LockedRepositories((other,)), tmp_path / "x")
    assert not session.store().path("0" * 64).exists()


def test_an_addition_that_a_gitignore_takes_back_in_is_not_locked(
    tmp_path: Path, session: Session, network: Network
) -> None:
    objects = Objects()
    ignore = objects.blob(b"*\n!*.yml\n!.gitignore\n")
    root = objects.tree(("100644", b".gitignore", ignore), ("100644", b"a", objects.blob(b"1")))
    objects.repository(tmp_path / "served/demo.git", {"heads/main": objects.commit(root)})
    with pytest.raises(LockError, match=r"not find its checkout clean: \?\? x.yml"):
        locked(session, network, additions={"x.yml": "1"})
    assert locked(session, network, additions={"x.txt": "1"}).checkouts[0].additions[0].path == "x.txt"


@pytest.mark.parametrize("harm", ["link", "submodule", "missing copy"])
def test_what_cannot_be_checked_out_is_not_locked(
    tmp_path: Path, session: Session, network: Network, harm: str
) -> None:
    objects = Objects()
    one = objects.blob(b"../../etc/passwd")
    root = {
        "link": [("100644", b"a", one), ("120000", b"b", one)],
        "submodule": [("100644", b"a", one), ("160000", b"sub", bytes(19) + b"\1")],
        "missing copy": [("100644", b"b", one)],
    }[harm]
    objects.repository(tmp_path / "served/demo.git", {"heads/main": objects.commit(objects.tree(*root))})
    with pytest.raises(IntegrityError) as caught:
        locked(session, network)
    assert caught.value.exit_code == 3
    assert not list(session.store().entries())
