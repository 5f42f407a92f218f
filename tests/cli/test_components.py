"""Components that other repositories release: locked from a server that behaves like GitHub, fetched and checked."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import ssl
import struct
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from bundler.adapters.store import Store
from bundler.sizes import size_text
from tests.github import Fault, GitHub, github
from tests.mach_o import PROGRAM, thin
from tests.world import Ran, World

# Whole commands, or waits: with all others in a minute there is no room for them.
pytestmark = pytest.mark.slow

REPO = "example/console"
MANIFEST = """\
kind: release-asset
component: xworkspace-console
repository: example/console
tag: latest-runtime
asset: xworkspace-console-runtime-{os}-{arch}.tar.gz
targets: [linux-amd64, linux-arm64, darwin-arm64]
"""
AMD64 = "xworkspace-console-runtime-linux-amd64.tar.gz"
ELF = {"linux-amd64": 62, "linux-arm64": 183}


def program(platform: str) -> bytes:
    """The beginning of a program for a platform, and something behind it."""
    if platform in ELF:
        return b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HH", 2, ELF[platform]) + bytes(100)
    return thin(kind=PROGRAM)


def archive(
    platform: str,
    *,
    component: str = "xworkspace-console",
    top: str = "xworkspace-console",
    says: str = "",
    code: bytes | None = None,
    mode: int = 0o755,
    more: dict[str, bytes] | None = None,
    link: tuple[str, str] | None = None,
) -> bytes:
    """A component's archive as its repository releases it."""
    os, _, arch = (says or platform).partition("-")
    manifest = {"component": component, "commit": "c" * 40, "os": os, "arch": arch, "apiBinary": "bin/xworkspace-api"}
    files = {
        "manifest.json": json.dumps(manifest).encode(),
        "bin/xworkspace-api": program(platform) if code is None else code,
        "dashboard/dist/index.html": b"<html>",
        **(more or {}),
    }
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", mtime=0) as packed, tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(f"{top}/{name}")
            info.size, info.mode = len(content), mode if name.startswith("bin/") else 0o644
            tar.addfile(info, io.BytesIO(content))
        if link:
            info = tarfile.TarInfo(f"{top}/{link[0]}")
            info.type, info.linkname = tarfile.SYMTYPE, link[1]
            tar.addfile(info)
    return out.getvalue()


def release_of(files: dict[str, bytes]) -> dict[str, bytes]:
    """The assets of a release: the files, and SHA256SUMS."""
    lines = [f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(files.items())]
    return {**files, "SHA256SUMS": "".join(lines).encode()}


def archives() -> dict[str, bytes]:
    platforms = ("linux-amd64", "linux-arm64", "darwin-arm64")
    return {f"xworkspace-console-runtime-{platform}.tar.gz": archive(platform) for platform in platforms}


@dataclass(frozen=True)
class Console:
    """A checkout with a component to lock, and the repository that releases it."""

    world: World
    hub: GitHub
    certificate: Path

    @property
    def lock(self) -> Path:
        return self.world.root / "manifests" / "locks" / "assets.console.toml"

    def run(self, *words: str) -> Ran:
        return self.world.run(*words, GITHUB_API_URL=self.hub.api, SSL_CERT_FILE=str(self.certificate))

    def release(self, tag: str, files: dict[str, bytes] | None = None) -> None:
        self.hub.add_release(tag, release_of(archives() if files is None else files))

    def locked(self) -> None:
        """Release the archives, and lock them."""
        self.release("runtime-000000000001")
        done = self.run("lock", "--component", "console")
        assert done.code == 0, done.err


@pytest.fixture
def console(unlocked: World, tmp_path: Path, impatient: None) -> Iterator[Console]:
    authority = trustme.CA()
    certificate = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(certificate))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(tls)
    unlocked.write("console.yaml", MANIFEST)
    with github(tmp_path / "hub", repo=REPO, tls=tls) as hub:
        yield Console(unlocked, hub, certificate)


def test_a_lock_names_one_release_and_every_archive_in_full(console: Console) -> None:
    console.release("runtime-000000000001")
    console.release("v9")
    done = console.run("lock", "--component", "console")
    assert done.code == 0, done.err
    text = console.lock.read_text()
    assert 'tag = "runtime-000000000001"' in text
    assert "latest" not in text.replace("latest-runtime-x", "")
    assert f'commit = "{console.hub.head}"' in text
    for name, content in archives().items():
        assert hashlib.sha256(content).hexdigest() in text
        assert f'/releases/download/runtime-000000000001/{name}"' in text
    assert "console" in done.out
    assert f"{REPO}@runtime-000000000001" in done.out


def test_a_lock_is_left_alone_until_an_upgrade_is_asked_for(console: Console) -> None:
    console.locked()
    before = console.lock.read_text()
    console.release("runtime-000000000002")
    console.hub.seen.clear()
    assert console.run("lock", "--component", "console").code == 0
    assert console.hub.seen == []
    assert console.lock.read_text() == before
    assert console.run("lock", "--component", "console", "--upgrade").code == 0
    assert "runtime-000000000002" in console.lock.read_text()


def test_an_exact_tag_and_deep(console: Console) -> None:
    console.world.write("console.yaml", MANIFEST.replace("latest-runtime", "v1.2"))
    console.release("v1.2")
    console.release("runtime-000000000001")
    done = console.run("lock", "--component", "console", "--deep")
    assert done.code == 0, done.err
    assert 'tag = "v1.2"' in console.lock.read_text()
    assert len([seen for seen in console.hub.seen if seen.role == "objects"]) == 4


def test_locking_one_component_touches_no_other_lock(console: Console) -> None:
    console.locked()
    console.world.write("other.yaml", MANIFEST.replace("xworkspace-console", "other"))
    before = {path: path.read_bytes() for path in console.lock.parent.iterdir()}
    assert console.run("lock", "--component", "other").code == 2  # its archives are not there
    assert console.run("lock", "--component", "console", "--upgrade").code == 0
    assert {path: path.read_bytes() for path in console.lock.parent.iterdir()} == before


def test_a_tag_that_was_moved_since_it_was_locked(console: Console) -> None:
    console.locked()
    before = console.lock.read_text()
    console.hub.tags["runtime-000000000001"] = "f" * 40
    done = console.run("lock", "--component", "console", "--upgrade")
    assert done.code == 3
    assert "the tag was moved since it was locked" in done.err
    assert console.lock.read_text() == before


def test_many_pages_and_digests_that_are_not_told(console: Console) -> None:
    console.hub.per_page_limit = 1
    console.hub.add_release("runtime-000000000001", release_of(archives()), digests=False)
    for number in range(3):
        console.release(f"v{number}", {})
    console.hub.faults.append(Fault("api", "GET", "/assets", status=429, headers={"Retry-After": "0"}, times=2))
    done = console.run("lock", "--component", "console", "--deep")
    assert done.code == 0, done.err


@pytest.mark.parametrize(
    ("files", "code", "message"),
    [
        ({}, 3, "SHA256SUMS: missing"),
        ({**archives(), "SHA256SUMS": b"nonsense\n"}, 3, "not 64 hex digits"),
        (
            {k: v for k, v in release_of(archives()).items() if "arm64" not in k},
            2,
            "has no xworkspace-console-runtime-linux-arm64",
        ),
        ({**archives(), **release_of({"other.tar.gz": b"x"})}, 3, "3 of 4 assets have no line in SHA256SUMS: xwork"),
        ({**release_of(archives()), AMD64: b"other bytes"}, 3, "SHA256SUMS and GitHub disagree"),
    ],
)
def test_a_release_that_cannot_be_locked(console: Console, files: dict[str, bytes], code: int, message: str) -> None:
    console.hub.add_release("runtime-000000000001", files)
    done = console.run("lock", "--component", "console")
    assert done.code == code, done.err
    assert message in done.err
    assert not console.lock.exists()


def partly(*listed: str) -> dict[str, bytes]:
    """A release whose SHA256SUMS covers some of its archives only."""
    files = archives()
    return {**files, "SHA256SUMS": release_of({name: files[name] for name in listed})["SHA256SUMS"]}


def test_a_release_that_is_listed_in_part_is_told_with_one_that_is_whole(console: Console) -> None:
    """As those of the bridge were, whose jobs overwrote each other's SHA256SUMS."""
    console.release("runtime-000000000001")
    console.release("runtime-000000000002", {AMD64: archive("linux-amd64")})  # whole, but without what is wanted
    console.hub.add_release("runtime-000000000003", partly(AMD64))
    console.hub.add_release("latest-runtime", release_of(archives()))  # it moves, so it can be locked by nobody
    console.hub.add_release("runtime-000000000004", partly(AMD64))
    done = console.run("lock", "--component", "console")
    assert done.code == 3
    without = "xworkspace-console-runtime-darwin-arm64.tar.gz, xworkspace-console-runtime-linux-arm64.tar.gz"
    where = f"{REPO}@runtime-000000000004"
    assert f"{where}: 2 of 3 assets have no line in SHA256SUMS: {without}" in done.err.replace("\n", " ")
    assert "runtime-000000000001 is whole: lock it with `tag: runtime-000000000001` in console.yaml" in done.err
    assert not console.lock.exists()
    console.world.write("console.yaml", MANIFEST.replace("latest-runtime", "runtime-000000000001"))
    assert console.run("lock", "--component", "console").code == 0


def test_where_no_release_is_whole_that_is_told(console: Console) -> None:
    console.hub.add_release("runtime-000000000001", partly(AMD64))
    console.hub.add_release("runtime-000000000002", partly(AMD64))
    done = console.run("lock", "--component", "console")
    assert done.code == 3
    assert "2 of 3 assets have no line" in done.err
    assert "none of the newest other releases is whole; ask who releases it" in done.err


def test_what_is_not_locked_needs_no_line(console: Console) -> None:
    files = release_of(archives()) | {"notes.txt": b"x"}
    console.hub.add_release("runtime-000000000001", files)
    assert console.run("lock", "--component", "console").code == 0


def test_a_tag_that_does_not_exist(console: Console) -> None:
    done = console.run("lock", "--component", "console")
    assert done.code == 4
    assert "no published runtime release" in done.err
    console.world.write("console.yaml", MANIFEST.replace("latest-runtime", "v7"))
    assert "no published release v7" in console.run("lock", "--component", "console").err


def test_an_unknown_component(console: Console) -> None:
    for command in (["lock"], ["build", "all"]):
        done = console.run(*command, "--component", "consol")
        assert done.code == 2
        assert "unknown component 'consol'" in done.err


def test_a_lock_that_moves_is_no_lock(console: Console) -> None:
    console.locked()
    console.lock.write_text(console.lock.read_text().replace('"runtime-000000000001"', '"latest-runtime"'))
    done = console.run("build", "linux-amd64", "--component", "console")
    assert done.code == 2
    assert "locks nothing" in done.err


def test_build_brings_the_locked_archives_under_their_names(console: Console) -> None:
    console.locked()
    done = console.run("build", "all", "--component", "console")
    assert done.code == 0, done.err
    held = {path.name: path.read_bytes() for path in console.world.dist.iterdir()}
    sums = held.pop("SHA256SUMS").decode()
    assert held == archives()
    assert sums == release_of(archives())["SHA256SUMS"].decode()
    assert console.run("verify", "dist").code == 0
    console.hub.seen.clear()
    again = console.run("build", "all", "--component", "console")
    assert "unchanged" in again.out
    assert console.hub.seen == []


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("linux-amd64", {"linux-amd64"}),
        ("debian-12", {"linux-amd64", "linux-arm64"}),
        ("debian-13-arm64", {"linux-arm64"}),
        ("arm64", {"linux-arm64", "darwin-arm64"}),
        ("darwin", {"darwin-arm64"}),
        ("macos", {"darwin-arm64"}),
        ("macOS-arm64", {"darwin-arm64"}),
    ],
)
def test_a_selector_means_platforms(console: Console, selector: str, names: set[str]) -> None:
    console.locked()
    assert console.run("build", selector, "--component", "console").code == 0
    held = {path.name for path in console.world.dist.glob("*.tar.gz")}
    assert held == {f"xworkspace-console-runtime-{name}.tar.gz" for name in names}


def test_offline_the_store_is_all_there_is(console: Console) -> None:
    console.locked()
    done = console.run("build", "all", "--component", "console", "--offline")
    assert done.code == 4
    assert "not in the store" in done.out + done.err
    assert console.run("lock", "--component", "console", "--deep").code == 0
    assert console.run("build", "all", "--component", "console", "--offline").code == 0


def test_an_asset_that_was_replaced_since_it_was_locked(console: Console) -> None:
    console.locked()
    assert console.run("build", "linux-arm64", "--component", "console").code == 0
    release = console.hub.published("runtime-000000000001")
    assert release is not None
    asset = release.named(AMD64)
    assert asset is not None
    other = archive("linux-amd64", more={"new": b"x"})
    asset.path.write_bytes(other)
    asset.size, asset.sha256 = len(other), hashlib.sha256(other).hexdigest()
    done = console.run("build", "all", "--component", "console")
    assert done.code == 3
    assert "size mismatch" in done.err
    held = {path.name for path in console.world.dist.glob("*.tar.gz")}
    assert AMD64 not in held
    assert "xworkspace-console-runtime-linux-arm64.tar.gz" in held
    before = console.lock.read_text()
    sums = release.named("SHA256SUMS")
    assert sums is not None
    content = release_of({**archives(), AMD64: other})["SHA256SUMS"]
    sums.path.write_bytes(content)
    sums.size, sums.sha256 = len(content), hashlib.sha256(content).hexdigest()
    refused = console.run("lock", "--component", "console", "--upgrade")
    assert refused.code == 3
    assert f"{AMD64} was replaced since it was locked" in refused.err
    assert console.lock.read_text() == before


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (archive("linux-amd64", code=program("linux-arm64")), "a program for another platform"),
        (archive("linux-amd64", code=b"MZ"), "a program for another platform"),
        (archive("linux-amd64", code=b""), "a program for another platform"),
        (archive("linux-amd64", component="qmd"), "names another component"),
        (archive("linux-amd64", says="linux-arm64"), "names another platform"),
        (archive("linux-amd64", top="console"), "the top folder is console"),
        (archive("linux-amd64", mode=0o644), "an executable file"),
        (archive("linux-amd64", more={"../../evil": b"x"}), "climbs with '..'"),
        (archive("linux-amd64", link=("bin/x", "/etc/passwd")), "refused member"),
        (archive("linux-amd64", link=("bin/x", "../../../etc")), "refused member"),
        (archive("linux-amd64")[:-20], "not a whole archive"),
        (b"\x1f\x8bnot gzip", "not a whole archive"),
    ],
)
def test_hostile_archives_never_reach_dist(console: Console, content: bytes, message: str) -> None:
    console.release("runtime-000000000001", {**archives(), AMD64: content})
    assert console.run("lock", "--component", "console").code == 0
    done = console.run("build", "linux-amd64", "--component", "console")
    assert done.code == 3
    assert message in done.err
    assert not list(console.world.dist.glob("*.tar.gz"))
    deep = console.run("lock", "--component", "console", "--deep")
    assert deep.code == 3
    assert message in deep.err


def test_parts_are_joined(console: Console) -> None:
    files = archives()
    whole = files.pop(AMD64)
    cut = len(whole) // 2
    parts = {f"{AMD64}.part-000": whole[:cut], f"{AMD64}.part-001": whole[cut:]}
    listing = {f"{AMD64}.parts": "".join(f"{name}\n" for name in parts).encode()}
    assets = {**files, **parts, **listing}
    sums = release_of({**assets, AMD64: whole})["SHA256SUMS"]
    console.hub.add_release("runtime-000000000001", {**assets, "SHA256SUMS": sums})
    done = console.run("lock", "--component", "console")
    assert done.code == 0, done.err
    assert f"{AMD64}.part-001" in console.lock.read_text()
    assert console.run("build", "linux-amd64", "--component", "console").code == 0
    assert (console.world.dist / AMD64).read_bytes() == whole
    # One part is there already: the size told is that of the other one.
    Store(console.world.root / "cache").discard(hashlib.sha256(whole[:cut]).hexdigest())
    Store(console.world.root / "cache").discard(hashlib.sha256(whole).hexdigest())
    (console.world.dist / AMD64).unlink()
    done = console.run("build", "linux-amd64", "--component", "console")
    assert done.code == 0
    assert f"fetching 1 of 2 files: {size_text(cut)} in " in done.err, "and not: stopped at"


def test_check_and_targets_tell_what_is_locked(console: Console) -> None:
    assert "aiws-bundle lock --component console" in console.run("check").out
    console.locked()
    words = console.run("targets").out
    assert f"{REPO}@runtime-000000000001" in words
    document = console.run("--json", "targets").json()
    (component,) = document["components"]
    assert component["tag"] == "runtime-000000000001"
    assert component["commit"] == console.hub.head
    console.world.write("console.yaml", MANIFEST.replace("example/console", "example/elsewhere"))
    stale = console.run("check")
    assert stale.code == 2
    assert "assets.console.toml" in stale.out + stale.err
    assert "aiws-bundle lock --component console" in stale.out + stale.err


def test_lock_check_asks_no_network(console: Console) -> None:
    missing = console.run("lock", "--check", "--component", "console")
    assert missing.code == 2
    console.locked()
    console.hub.seen.clear()
    assert console.run("lock", "--check", "--component", "console").code == 0
    assert console.hub.seen == []


@pytest.mark.parametrize("name", ["console", "xworkspace-console"])
def test_a_component_is_named_by_its_files_stem_or_by_what_its_manifest_calls_it(console: Console, name: str) -> None:
    console.release("runtime-000000000001")
    assert console.run("lock", "--component", name).code == 0
    assert console.run("lock", "--check", "--component", name).code == 0
    assert console.lock.is_file()
    assert console.run("build", "linux-amd64", "--component", name).code == 0
    assert (console.world.dist / AMD64).is_file()


def test_advice_for_both_kinds_is_a_command_for_each(console: Console) -> None:
    both = ("--component", "litellm", "--component", "console")
    done = console.run("build", "debian-12-amd64", *both)
    assert done.code == 2
    assert "run `aiws-bundle lock debian-12-amd64 && aiws-bundle lock --component console`" in done.err


def test_a_lock_that_is_malformed_is_told_with_what_to_do(console: Console) -> None:
    console.locked()
    console.lock.write_text("nonsense")
    done = console.run("check")
    assert done.code == 2
    assert "run `aiws-bundle lock --component console`" in done.out


def test_two_names_of_one_component_mean_it_once(console: Console) -> None:
    console.locked()
    both = ("--component", "console", "--component", "xworkspace-console")
    done = console.run("--json", "build", "linux-amd64", *both)
    assert done.code == 0, done.err
    assert [one["asset"] for one in done.json()["archives"]] == [AMD64]


def test_what_dist_holds_is_known_though_nothing_is_remembered_of_it(console: Console) -> None:
    console.locked()
    assert console.run("build", "all", "--component", "console").code == 0
    before = {path.name: path.stat().st_mtime_ns for path in console.world.dist.glob("*.tar.gz")}
    remembered = list((console.world.root / "cache" / "dist").glob("*.json"))
    assert remembered
    for path in remembered:
        path.unlink()
    assert console.run("cache", "prune", "--all").code == 0
    console.hub.seen.clear()
    done = console.run("build", "all", "--component", "console", "--offline")
    assert done.code == 0, done.err
    assert "brought" not in done.err
    assert done.out.count("unchanged") == 3
    assert {path.name: path.stat().st_mtime_ns for path in console.world.dist.glob("*.tar.gz")} == before


def test_what_locks_of_components_name_is_kept_in_the_store(console: Console) -> None:
    console.locked()
    assert console.run("build", "all", "--component", "console").code == 0
    stray = Store(console.world.root / "cache").path("0" * 64)
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(b"stray")
    done = console.run("cache", "prune")
    assert done.code == 0, done.err
    assert "removed 2 files, " in done.out, "the stray, and the SHA256SUMS that it was locked by"
    assert "named by 1 lock of console: 3 files" in done.out
    assert not stray.exists()
    console.hub.seen.clear()
    assert console.run("build", "all", "--component", "console", "--offline", "--force").code == 0
    assert console.hub.seen == []


def test_inspect_tells_what_another_repositorys_archive_says_of_itself(console: Console) -> None:
    console.locked()
    assert console.run("build", "linux-amd64", "--component", "console").code == 0
    shown = console.run("inspect", f"dist/{AMD64}")
    assert shown.code == 0, shown.err
    for words in ("xworkspace-console", "c" * 40, "linux-amd64", "bin/xworkspace-api", "dashboard/dist/index.html"):
        assert words in shown.out
    document = console.run("--json", "inspect", f"dist/{AMD64}").json()
    assert document["component"] == "xworkspace-console"
    assert document["commit"] == "c" * 40
    assert (document["os"], document["arch"]) == ("linux", "amd64")
    assert document["program"] == "bin/xworkspace-api"
    assert document["packages"] == []
    assert {one["path"] for one in document["biggest"]} == {
        "manifest.json",
        "bin/xworkspace-api",
        "dashboard/dist/index.html",
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (archive("linux-amd64", says="linux-sparc"), "manifest.json"),
        (archive("linux-amd64")[:-20], "not a whole archive"),
    ],
)
def test_inspect_refuses_what_it_cannot_read(console: Console, content: bytes, message: str) -> None:
    path = console.world.root / AMD64
    path.write_bytes(content)
    done = console.run("inspect", AMD64)
    assert done.code == 3
    assert message in done.err


def test_both_kinds_in_one_run(console: Console, locks: Path) -> None:
    console.locked()
    for path in locks.iterdir():
        (console.lock.parent / path.name).write_bytes(path.read_bytes())
    done = console.run("build", "linux-amd64", "--component", "litellm", "--component", "console")
    assert done.code == 0, done.err
    assert {path.name for path in console.world.dist.glob("*.tar.gz")} == {
        AMD64,
        "litellm-runtime-debian-12-amd64.tar.gz",
        "litellm-runtime-debian-13-amd64.tar.gz",
    }
    verified = console.run("verify", "dist")
    assert verified.code == 0, verified.out
