from __future__ import annotations

import gzip
import io
import json
import re
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from bundler.model.bundle import Entry, File, Folder, Link, text_file
from tests.archives import Entries, content_of, relist, repack
from tests.world import World

# Whole commands, or other programs: each takes a good part of a second.
pytestmark = pytest.mark.slow

ASSET = "litellm-runtime-debian-12-amd64.tar.gz"
TOP = "litellm-runtime"
Change = Callable[[Entries], object]


@pytest.fixture
def built(locked: World, dist_of: Callable[[str], Path]) -> World:
    shutil.copytree(dist_of("debian-12-amd64"), locked.dist)
    return locked


def rewrite(archive: Path, change: Change, *, listed: bool = False) -> None:
    """Write an archive anew, as `build` would, with entries changed; its SHA256SUMS goes."""
    repack(archive, change, listed=listed)
    (archive.parent / "SHA256SUMS").unlink(missing_ok=True)


def without(part: str) -> Change:
    def change(entries: Entries) -> None:
        for path in [path for path in entries if part in path]:
            del entries[path]

    return change


def replaced(part: str, old: bytes, new: bytes) -> Change:
    def change(entries: Entries) -> None:
        for path, entry in entries.items():
            if part in path and isinstance(entry, File):
                entries[path] = text_file(path, content_of(entry).replace(old, new), executable=entry.executable)

    return change


def added(*more: Entry) -> Change:
    return lambda entries: entries.update({entry.path: entry for entry in more})


def test_a_fresh_archive_verifies(built: World) -> None:
    done = built.run("verify", "dist", f"dist/{ASSET}")
    assert done.code == 0
    assert "6 wheels close on debian 12 amd64 (system Python 3.11.2)" in done.out
    assert built.run("--json", "verify", "dist").json()["ok"] is True


@pytest.mark.parametrize("offset", [0, 3, 12, 200, 5000, -1, -6])
def test_a_flipped_bit_anywhere_is_found(built: World, offset: int) -> None:
    archive = built.dist / ASSET
    content = bytearray(archive.read_bytes())
    content[offset] ^= 1
    archive.write_bytes(content)
    done = built.run("verify", "dist")
    assert done.code == 3
    assert "SHA-256 differs" in done.out


def test_a_damaged_archive_is_found_without_checksums(built: World) -> None:
    archive = built.dist / ASSET
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 1
    archive.write_bytes(content)
    (built.dist / "SHA256SUMS").unlink()
    assert built.run("verify", f"dist/{ASSET}").code == 3


def test_the_file_that_is_damaged_is_named_though_only_the_trailer_tells(built: World) -> None:
    """A stored byte is written again as it is read; the checksum at the end is not."""
    archive = built.dist / ASSET
    content = bytearray(archive.read_bytes())
    content[content.rindex(b"PK\x03\x04") + 10] ^= 1
    archive.write_bytes(content)
    (built.dist / "SHA256SUMS").unlink()
    done = built.run("verify", f"dist/{ASSET}")
    assert done.code == 3
    assert f"not as aiws-bundle writes archives, from byte {len(content) - 8} of the file on" in done.out
    assert re.findall(r"^ +(\S+): sha256 differs from metadata/files.sha256$", done.out, re.MULTILINE) == [
        "packages/pip/prisma-0.15.0-py3-none-any.whl"
    ]


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (without("orjson"), "missing: packages/pip/orjson-3.1-cp311"),
        (without("orjson"), "missing: no wheel of orjson; needed by litellm[proxy]==1.0 -> orjson>=3"),
        (without("pip-26"), "missing: no wheel of pip; needed by pip>=25.1"),
        (without("metadata/runtime.env"), "missing: metadata/runtime.env"),
        (without("packages/python"), "missing: the folder packages/python"),
        (without("install.sh"), "missing: install.sh"),
        (without("manifest.json"), "manifest.json"),
        (replaced("runtime.env", b"1.0", b"1.1"), "metadata/runtime.env: sha256 differs"),
        (replaced("runtime.env", b"litellm[", b"$(id)["), "is not a plain requirement"),
        (replaced("manifest.json", b'"distro": "debian"', b'"distro": "ubuntu"'), "name does not say what is inside"),
        (
            replaced("manifest.json", b'"database": {', b'"databasf": {'),
            "manifest.json says nothing of database support",
        ),
        (replaced("manifest.json", b'"3.11.2"', b'"3.12.2"'), "wrong platform: orjson"),
    ],
)
def test_what_is_missing_or_disagrees_is_named(built: World, change: Change, finding: str) -> None:
    rewrite(built.dist / ASSET, change)
    done = built.run("verify", f"dist/{ASSET}")
    assert done.code in (1, 3)
    assert finding in done.out


WHEEL = "packages/pip/evil-1-py3-none-any.whl"


@pytest.mark.parametrize(
    ("change", "findings"),
    [
        (
            added(text_file("packages/pip/evil.txt", b"x")),
            ["surplus: packages/pip/evil.txt; packages/pip holds wheels"],
        ),
        (added(text_file("extra.txt", b"x")), ["surplus: extra.txt has no place in such an archive"]),
        (added(text_file("metadata/x.env", b"x")), ["surplus: metadata/x.env has no place in such an archive"]),
        (added(Folder("packages/more")), ["surplus: the folder packages/more is empty"]),
        (added(Folder("packages/pip/sub.whl")), ["surplus: the folder packages/pip/sub.whl is empty"]),
        (added(Link("packages/prisma", "python")), ["surplus: packages/prisma is a link"]),
        (added(Link(WHEEL, "../../metadata/runtime.env")), [f"surplus: {WHEEL} is a link"]),
        (replaced("install.sh", b"set -eu", b"exit 1"), ["install.sh: is not what this aiws-bundle writes"]),
        (replaced("README.md", b"Verify", b"Trust"), ["README.md: is not what this aiws-bundle writes"]),
        (replaced("probe.py", b"200", b"500"), ["metadata/probe.py: is not what this aiws-bundle writes"]),
        (without("probe.py"), ["missing: metadata/probe.py"]),
        (added(text_file("metadata/runtime.env", b"", executable=True)), ["metadata/runtime.env: it is executable"]),
        (added(text_file("install.sh", b"")), ["install.sh: it is not executable"]),
        (added(text_file("packages/python/x", b"")), ["surplus: packages/python/x; packages/python holds CPython"]),
    ],
)
def test_what_has_no_place_is_named_also_where_the_archive_lists_it(
    built: World, change: Change, findings: list[str]
) -> None:
    rewrite(built.dist / ASSET, change, listed=True)
    done = built.run("verify", f"dist/{ASSET}")
    assert done.code == 3
    for finding in findings:
        assert finding in done.out


LOCK, MANIFEST = "metadata/pylock.toml", "manifest.json"


@pytest.mark.parametrize(
    ("part", "old", "new"),
    [
        (LOCK, b'path = "../packages/pip/prisma-', b'url = "https://elsewhere.example/prisma-'),
        (LOCK, b'path = "../packages/pip/prisma-', b'path = "../../../tmp/prisma-'),
        (LOCK, b'name = "prisma"\n', b'name = "prisma"\nmarker = "os_name == \\"nt\\""\n'),
        (LOCK, b'name = "prisma"\n', b'name = "prisma"\nindex = "https://elsewhere.example/simple"\n'),
        (LOCK, b'sys_platform == \\"linux\\"', b'sys_platform == \\"win32\\"'),
        (LOCK, b"# Written", b"# \xff Written"),
        (MANIFEST, b"{", b'{"component": "other",'),
        (MANIFEST, b"{", b'{"post-install": "sh",'),
        (MANIFEST, b'"supported": false', b'"supported": "no"'),
        (MANIFEST, b'"path": "install.sh"', b'"sha256": "' + b"0" * 64 + b'", "path": "install.sh"'),
    ],
)
def test_what_other_readers_could_read_otherwise_is_no_file_of_ours(
    built: World, part: str, old: bytes, new: bytes
) -> None:
    def change(entries: Entries) -> None:
        content = content_of(entries[part])
        assert old in content
        entries[part] = text_file(part, content.replace(old, new, 1))
        if part == LOCK:
            relist(entries)

    rewrite(built.dist / ASSET, change)
    done = built.run("verify", f"dist/{ASSET}")
    assert done.code == 3
    assert f"{part}: is not as aiws-bundle writes" in done.out


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        (b'target = "debian-12-amd64"', b'target = "debian-13-arm64"', "target"),
        (b'python = "3.11.2"', b'python = "3.11.1"', "Python"),
        (b"portable = false", b"portable = true", "source of Python"),
        (b'glibc = "2.36"', b'glibc = "2.17"', "glibc"),
        (b'requirement = "litellm[proxy]==1.0"', b'requirement = "litellm==1.0"', "requirement"),
        (b'"pip>=25.1"', b'"pip>=1"', "list of requirements"),
    ],
)
def test_the_lock_inside_and_the_manifest_are_for_the_same(built: World, old: bytes, new: bytes, what: str) -> None:
    rewrite(built.dist / ASSET, replaced("pylock.toml", old, new), listed=True)
    done = built.run("verify", f"dist/{ASSET}")
    assert done.code == 3
    assert f"metadata/pylock.toml: is for another {what}" in done.out


def test_a_file_that_is_listed_twice_is_told(built: World) -> None:
    def change(entries: Entries) -> None:
        listed = json.loads(content_of(entries[MANIFEST]))
        listed["files"].insert(0, {**listed["files"][0], "sha256": "0" * 64})
        entries[MANIFEST] = text_file(MANIFEST, f"{json.dumps(listed, indent=1)}\n".encode())

    rewrite(built.dist / ASSET, change)
    assert "manifest.json: is not as aiws-bundle writes it" in built.run("verify", f"dist/{ASSET}").out


def test_of_very_many_findings_the_first_are_told(built: World) -> None:
    rewrite(built.dist / ASSET, added(*(text_file(f"packages/pip/{n}", b"", executable=True) for n in range(600))))
    (built.dist / "SHA256SUMS").unlink(missing_ok=True)
    done = built.run("--json", "verify", f"dist/{ASSET}")
    (archive,) = done.json()["archives"]
    assert len(archive["integrity"]) == 1001
    assert archive["integrity"][-1] == "… and more"


def test_what_is_surplus_is_named(built: World) -> None:
    rewrite(built.dist / ASSET, added(text_file("packages/pip/evil.txt", b"x")))
    done = built.run("verify", f"dist/{ASSET}")
    assert done.code == 3
    assert "surplus: packages/pip/evil.txt is there, but not listed" in done.out


@pytest.mark.parametrize("name", ["../evil", "/evil", f"{TOP}/../../evil", "other/file"])
def test_a_member_that_leaves_the_top_folder_is_refused(built: World, name: str) -> None:
    tar = bytearray(gzip.decompress((built.dist / ASSET).read_bytes()))
    with tarfile.open(fileobj=io.BytesIO(tar)) as opened:
        info = next(info for info in opened if info.name.endswith("runtime.env"))
    info.name = name
    tar[info.offset : info.offset + 512] = info.tobuf(tarfile.USTAR_FORMAT)
    (built.dist / ASSET).write_bytes(gzip.compress(bytes(tar), 1))
    assert built.run("verify", f"dist/{ASSET}").code == 3


def test_a_folder_says_what_is_missing_and_what_is_surplus(built: World) -> None:
    (built.dist / "stray.txt").write_text("x")
    sums = built.dist / "SHA256SUMS"
    sums.write_text(sums.read_text() + f"{'0' * 64}  zzz.tar.gz\n")
    done = built.run("verify", "dist")
    assert done.code == 3
    assert "stray.txt: surplus" in done.out
    assert "zzz.tar.gz: missing" in done.out


def test_a_signature_beside_an_archive_is_told_then_listed_then_checked(built: World) -> None:
    signature = built.dist / f"{ASSET}.sig"
    for path in (signature, built.dist / "SHA256SUMS.asc", built.dist / "notes.txt"):
        path.write_text("x")
    done = built.run("verify", "dist")
    assert done.code == 0, done.out
    for name in (signature.name, "notes.txt"):
        assert f"note    dist/{name}: surplus: not listed in SHA256SUMS" in done.out
    assert "note    dist/SHA256SUMS.asc: surplus: no signature is called so" in done.out
    told = built.run("--json", "verify", "dist").json()
    assert (told["ok"], len(told["notes"]), told["folders"]) == (True, 4, [])

    assert built.run("build", "debian-12-amd64").code == 0
    done = built.run("verify", "dist")
    assert done.code == 0
    assert signature.name not in done.out
    signature.write_text("y")
    done = built.run("verify", "dist")
    assert done.code == 3
    assert f"NOT ok  dist/{signature.name}: SHA-256 differs" in done.out
    signature.unlink()
    assert f"NOT ok  dist/{signature.name}: missing" in built.run("verify", "dist").out


def test_an_archive_that_is_not_listed_is_a_fault(built: World) -> None:
    (built.dist / "stray.tar.gz").write_bytes((built.dist / ASSET).read_bytes())
    done = built.run("verify", "dist")
    assert done.code == 3
    assert "NOT ok  dist/stray.tar.gz: surplus: not listed in SHA256SUMS" in done.out


@pytest.mark.parametrize("words", [["verify", "nowhere"], ["inspect", "nowhere"], ["rehearse", "nowhere"]], ids=str)
def test_a_file_that_is_not_here_is_wrong_usage(unlocked: World, words: list[str]) -> None:
    done = unlocked.run(*words)
    assert done.code == 2, "4 is for what had to be reached"
    assert "nowhere is not " in done.err
    assert "hint: " in done.err


def test_a_folder_that_is_no_root_is_wrong_usage(built: World, tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    done = built.run("rehearse", f"dist/{ASSET}", "--root", str(tmp_path / "root"))
    assert done.code == 2
    assert "it has no os-release" in done.err


def test_an_empty_folder_cannot_be_verified(built: World) -> None:
    (built.root / "empty").mkdir()
    assert built.run("verify", "empty").code == 2


def test_inspect_shows_what_is_inside(built: World) -> None:
    done = built.run("inspect", f"dist/{ASSET}")
    assert done.code == 0
    for expected in ("litellm[proxy]==1.0", "glibc 2.36", "3.11.2, system", "async-timeout", "6 packages"):
        assert expected in done.out
    found = built.run("--json", "inspect", f"dist/{ASSET}").json()
    import hashlib

    tar = hashlib.sha256(gzip.decompress((built.dist / ASSET).read_bytes())).hexdigest()
    assert found["tar"]["sha256"] == tar
    assert tar in done.out
