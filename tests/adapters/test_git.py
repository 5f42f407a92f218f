"""Fetching with the real git, from repositories and servers that nobody should trust."""

from __future__ import annotations

import os
import random
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import trustme

from bundler.adapters import git as adapter
from bundler.adapters.git import changes, fetched
from bundler.adapters.git_tree import walk
from bundler.adapters.mirror import Mirror
from bundler.adapters.process import Completed, run
from bundler.errors import IntegrityError, UnreachableError, UsageError, WorkError
from tests.git_objects import Objects, files, git, git_server
from tests.server import Reply, Server

ADDRESS = "https://example.org/demo.git"
ENV = {"PATH": os.environ["PATH"]}
REFS = "/demo.git/info/refs?service=git-upload-pack"
pytestmark = pytest.mark.slow


@pytest.fixture
def objects() -> Objects:
    return Objects()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "source" / "demo.git"


@pytest.fixture
def served(source: Path) -> Iterator[tuple[str, list[str]]]:
    source.parent.mkdir()
    with git_server(source.parent) as (address, asked):
        yield f"{address}/demo.git", asked


def names(address: str, ref: str, *, env: Mapping[str, str] = ENV) -> tuple[str, list[str]]:
    """The commit at a ref, and the paths that it holds; asked for at `address`."""
    with fetched(ADDRESS, ref, [Mirror(ADDRESS, address)], env, run) as found:
        return found.commit, [file.path for file in walk(found.pack, found.commit).files]


def test_a_branch_a_tag_and_a_commit_are_found(objects: Objects, source: Path, served: tuple[str, list[str]]) -> None:
    old, new = files(objects, a=b"1"), files(objects, a=b"2", b=b"3")
    tag = objects.add("tag", f"object {old}\ntype commit\ntag v1\ntagger a <a> 1 +0000\n\nm\n".encode()).hex()
    objects.repository(source, {"heads/main": new, "tags/v1": tag, "heads/both": new, "tags/both": old})
    address, _ = served
    assert names(address, "main") == (new, ["a", "b"])
    assert names(address, "v1") == (old, ["a"])
    assert names(address, old) == (old, ["a"])
    assert names(address, "both") == (old, ["a"])
    assert names(f"file://{source}", new) == (new, ["a", "b"])


def test_only_the_one_commit_comes_and_nothing_stays(objects: Objects, source: Path, tmp_path: Path) -> None:
    old = files(objects, secret=b"1")
    root = objects.tree(("100644", b"a", objects.blob(b"2")))
    objects.repository(source, {"heads/main": objects.commit(root, bytes.fromhex(old)), "heads/old": old})
    (tmp_path / "t").mkdir()
    env = {**ENV, "TMPDIR": str(tmp_path / "t")}
    with fetched(ADDRESS, "main", [Mirror(ADDRESS, f"file://{source}")], env, run) as found:
        assert len(found.pack.objects) == 3
        assert found.pack.path.is_file()
    assert not found.pack.path.exists()


def test_the_pinned_commit_is_had_though_the_branch_moved_and_told_when_it_is_gone(
    objects: Objects, source: Path, served: tuple[str, list[str]]
) -> None:
    pinned, other = files(objects, a=b"1"), files(objects, a=b"2")
    objects.repository(source, {"heads/main": other, "heads/kept": pinned})
    assert names(served[0], pinned)[0] == pinned
    with pytest.raises(UnreachableError, match=r"example.org/demo.git: 0{40}.*does not have it") as caught:
        names(served[0], "0" * 40)
    assert "Lock again" in caught.value.hint
    with pytest.raises(UnreachableError, match=r"missing.*does not have it"):
        names(served[0], "missing")


def test_a_tag_of_something_else_is_no_commit(objects: Objects, source: Path) -> None:
    objects.repository(source, {"tags/v1": objects.blob(b"x").hex()})
    with pytest.raises(IntegrityError, match="no commit"):
        names(f"file://{source}", "v1")


@pytest.mark.parametrize("name", [b".GIT", b"git~1", b"..", b".git"])
def test_git_itself_refuses_what_its_fsck_knows(objects: Objects, source: Path, name: bytes) -> None:
    root = objects.tree(("40000", name, objects.tree(("100755", b"post-checkout", objects.blob(b"#!/bin/sh\n")))))
    objects.repository(source, {"heads/main": objects.commit(root)})
    with pytest.raises(IntegrityError, match="malformed"):
        names(f"file://{source}", "main")


def test_a_gitmodules_of_an_evil_address_is_refused(objects: Objects, source: Path) -> None:
    module = objects.blob(
        b'[submodule "a"]\n\tpath = a\n\turl = ext::touch% /tmp/ran\n[submodule "b"]\n\turl = -u./x\n'
    )
    root = objects.tree(("100644", b".gitmodules", module), ("160000", b"a", bytes(19) + b"\1"))
    objects.repository(source, {"heads/main": objects.commit(root)})
    with pytest.raises(IntegrityError, match=r"malformed|submodule"):
        names(f"file://{source}", "main")


def test_nothing_of_the_person_or_the_repository_runs_or_leads_elsewhere(
    objects: Objects, source: Path, served: tuple[str, list[str]], tmp_path: Path
) -> None:
    commit = files(objects, a=b"1")
    objects.repository(source, {"heads/main": commit})
    home, hook = tmp_path / "person", tmp_path / "hooks"
    home.mkdir()
    (source / "hooks").mkdir()
    hook.mkdir()
    script = f"#!/bin/sh\n: >{tmp_path}/ran\ncat\n"
    for folder in (hook, source / "hooks"):
        for name in ("reference-transaction", "post-checkout", "post-update", "pre-auto-gc", "helper"):
            (folder / name).write_text(script)
            (folder / name).chmod(0o755)
    config = (
        f'[core]\n\thooksPath = {hook}\n\tfsmonitor = {hook}/helper\n[credential]\n\thelper = "!{hook}/helper"\n'
        f'[url "https://127.0.0.1:9/"]\n\tinsteadOf = {served[0]}\n[uploadpack]\n\tpackObjectsHook = {hook}/helper\n'
        f"[init]\n\ttemplateDir = {hook}\n[http]\n\tproxy = http://127.0.0.1:9/\n"
    )
    (home / ".gitconfig").write_text(config)
    (source / "config").write_text((source / "config").read_text() + config)
    (home / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
    env = {
        **ENV, "HOME": str(home), "GIT_DIR": str(home), "GIT_SSH_COMMAND": f"{hook}/helper", "GIT_TRACE": "1",
        "GIT_ASKPASS": f"{hook}/helper", "SSH_ASKPASS": f"{hook}/helper", "GIT_EXEC_PATH": str(hook),
        "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.hooksPath", "GIT_CONFIG_VALUE_0": str(hook),
        "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"), "GIT_TEMPLATE_DIR": str(hook), "GIT_PROXY_COMMAND": "false",
    }  # fmt: skip
    assert names(served[0], "main", env=env)[0] == commit
    assert names(f"file://{source}", "main", env=env)[0] == commit
    assert not (tmp_path / "ran").exists()
    assert not any("Basic" in line for line in served[1])


def test_a_server_that_asks_who_is_there_is_told_nothing(server: Server, tmp_path: Path) -> None:
    server.script(REFS, Reply(status=401, headers={"WWW-Authenticate": 'Basic realm="x"'}))
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
    with pytest.raises(UnreachableError, match="wants to know who asks"):
        names(f"{server.address}/demo.git", "main", env={**ENV, "HOME": str(tmp_path)})


def test_the_password_of_a_mirror_goes_to_it_alone_and_is_never_shown(
    objects: Objects, source: Path, served: tuple[str, list[str]], server: Server
) -> None:
    commit = files(objects, a=b"1")
    objects.repository(source, {"heads/main": commit})
    seen: list[str] = []

    def watching(argv: object, env: Mapping[str, str], timeout: float) -> Completed:
        assert isinstance(argv, list)
        seen.extend((*argv, *env.values()))
        return run(argv, env, timeout)

    address = served[0].replace("://", "://me:se%40cret@")
    with fetched(ADDRESS, "main", [Mirror(ADDRESS, address)], ENV, watching) as found:
        assert found.commit == commit
    assert any("Basic bWU6c2VAY3JldA==" in line for line in served[1])
    assert not [word for word in seen if "cret" in word]
    with pytest.raises(UnreachableError) as caught:
        names(address.replace("demo", "none"), "main")
    assert "cret" not in caught.value.message + caught.value.hint
    # A server that leads elsewhere is not followed with a password.
    server.script(REFS, Reply(status=302, headers={"Location": f"{served[0]}/info/refs?x"}))
    served[1].clear()
    with pytest.raises(UnreachableError):
        names(server.address.replace("://", "://me:secret@") + "/demo.git", "main")
    assert served[1] == []


@pytest.mark.parametrize("scheme", ["file://", "ext::sh -c touch% ", "git://127.0.0.1:9", "ssh://127.0.0.1:9"])
def test_a_server_cannot_lead_to_another_protocol(
    server: Server, objects: Objects, source: Path, scheme: str, tmp_path: Path
) -> None:
    objects.repository(source, {"heads/main": files(objects, a=b"1")})
    server.script(REFS, Reply(status=302, headers={"Location": f"{scheme}{source}/info/refs"}))
    with pytest.raises(UnreachableError):
        names(f"{server.address}/demo.git", "main")


def test_no_other_protocol_is_asked_for(tmp_path: Path) -> None:
    for address in (f"ext::sh -c 'touch {tmp_path}/ran'", "ssh://h/x", "-u/x", "git://h/x", "file:///a\n[core]"):
        with pytest.raises(UsageError):
            names(address, "main")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"001e# service=git-upload-pack\n0000", b"ffff", b"0032" + b"0" * 40 + b" refs/heads/x\n"]
)
def test_a_server_that_talks_nonsense_is_no_repository(server: Server, body: bytes) -> None:
    kind = {"Content-Type": "application/x-git-upload-pack-advertisement"}
    server.script(REFS, Reply(body, headers=kind))
    with pytest.raises((UnreachableError, IntegrityError)):
        names(f"{server.address}/demo.git", "main")


def test_what_comes_is_bounded(
    objects: Objects, source: Path, served: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    objects.repository(source, {"heads/main": files(objects, a=random.Random(1).randbytes(300_000))})
    monkeypatch.setattr(adapter, "LARGEST_PACK", 100_000)
    with pytest.raises(IntegrityError, match="larger than 100000 bytes"):
        names(served[0], "main")


def test_silence_ends(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "_FETCH_SECONDS", 1.0)
    server.script(REFS, Reply(silent=True))
    with pytest.raises(UnreachableError, match=r"git fetch: .*did not end within 1 s"):
        names(f"{server.address}/demo.git", "main")


def test_a_certificate_is_checked_with_the_authorities_that_the_person_trusts(
    objects: Objects, source: Path, tmp_path: Path
) -> None:
    commit = files(objects, a=b"1")
    objects.repository(source, {"heads/main": commit})
    authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with git_server(source.parent, tls) as (address, _):
        trusting = {**ENV, "SSL_CERT_FILE": str(tmp_path / "ca.pem")}
        assert names(f"{address}/demo.git", "main", env=trusting)[0] == commit
        with pytest.raises(UnreachableError, match="certificate"):
            names(f"{address}/demo.git", "main")


def test_a_server_that_stumbles_is_asked_again(
    objects: Objects, source: Path, served: tuple[str, list[str]], server: Server
) -> None:
    commit = files(objects, a=b"1")
    objects.repository(source, {"heads/main": commit})
    led = Reply(status=302, headers={"Location": f"{served[0]}/info/refs?service=git-upload-pack"})
    server.script(REFS, Reply(status=503), led)
    assert names(f"{server.address}/demo.git", "main")[0] == commit


def test_changes_are_told_and_what_is_no_checkout_is_an_error(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    with pytest.raises(WorkError, match="not a git repository"):
        changes(work, ENV, run)
    git(work, "init", "-q")
    assert changes(work, ENV, run) == []
    (work / "a").write_text("x")
    assert changes(work, {**ENV, "GIT_DIR": "/nonexistent"}, run) == ["?? a"]


def test_without_git_it_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="git is not installed"):
        names("file:///x", "main", env={"PATH": str(tmp_path)})


def test_deltas_of_the_server_are_resolved(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    git(work, "init", "-q", "-b", "main")
    text = b"".join(b"line %d\n" % number for number in range(5000))
    for number in range(5):
        (work / f"f{number}").write_bytes(text + b"end %d\n" % number)
    git(work, "add", ".")
    git(work, "commit", "-qm", "m")
    git(work, "repack", "-adfq")
    commit = git(work, "rev-parse", "HEAD").strip()
    assert names(f"file://{work}", "main") == (commit, [f"f{number}" for number in range(5)])
