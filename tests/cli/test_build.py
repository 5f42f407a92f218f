from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from bundler.kinds.prebuilt.component import PrebuiltComponent
from tests.world import World, make_wheel

# Whole commands, or other programs: each takes a good part of a second.
pytestmark = pytest.mark.slow

ASSET = "litellm-runtime-debian-12-amd64.tar.gz"


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def members(archive: Path) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(archive) as tar:
        return {info.name: info for info in tar}


def test_build_leaves_exactly_the_archive_and_its_checksums(locked: World) -> None:
    done = locked.run("build", "debian-12-amd64")
    assert done.code == 0, done.err
    names = [ASSET, f"{ASSET}.cdx.json"]
    assert sorted(path.name for path in locked.dist.iterdir()) == ["SHA256SUMS", *names]
    lines = "".join(f"{digest(locked.dist / name)}  {name}\n" for name in names)
    assert (locked.dist / "SHA256SUMS").read_text() == lines
    checked = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=locked.dist, capture_output=True, check=False)
    assert checked.returncode == 0


def test_the_archive_is_laid_out_as_the_consumers_expect(locked: World) -> None:
    locked.run("build", "debian-12-amd64")
    with tarfile.open(locked.dist / ASSET) as tar:
        names = tar.getnames()
        manifest = json.loads(tar.extractfile("litellm-runtime/manifest.json").read())  # type: ignore[union-attr]
        runtime_env = tar.extractfile("litellm-runtime/metadata/runtime.env").read()  # type: ignore[union-attr]
    assert {"litellm-runtime", "litellm-runtime/packages/python", "litellm-runtime/packages/pip"} <= set(names)
    assert {k: manifest[k] for k in ("component", "distro", "version", "arch")} == {
        "component": "litellm", "distro": "debian", "version": "12", "arch": "amd64",
    }  # fmt: skip
    lock = locked.root / "manifests" / "locks" / "pylock.litellm-debian-12-amd64.toml"
    assert manifest["commit"] == digest(lock)[:40]
    assert runtime_env.decode().splitlines()[0] == "LITELLM_PACKAGE_SPEC=litellm[proxy]==1.0"
    listed = {f"litellm-runtime/{file['path']}" for file in manifest["files"]}
    files = {name for name, info in members(locked.dist / ASSET).items() if not info.isdir()}
    assert files - listed == {"litellm-runtime/manifest.json"}


def test_each_distinct_wheel_is_fetched_once_with_one_look_up(locked: World) -> None:
    locked.run("build", "all")
    fetched = [path for path in locked.index.requests if path.startswith("/packages/")]
    assert len(fetched) == len(set(fetched)) == 9
    assert len([path for path in locked.index.requests if path.startswith("/simple/")]) == 1


def test_a_finished_target_is_not_rebuilt_and_asks_no_network(locked: World) -> None:
    locked.run("build", "all")
    before = {path.name: path.stat().st_mtime_ns for path in locked.dist.iterdir()}
    locked.index.requests.clear()
    done = locked.run("--json", "build", "all")
    states = [archive["state"] for archive in done.json()["archives"]]
    assert states == ["unchanged"] * 4
    assert {path.name: path.stat().st_mtime_ns for path in locked.dist.iterdir()} == before
    assert locked.index.requests == []


def test_checksums_cover_every_archive_however_many_builds_filled_the_folder(locked: World) -> None:
    for selector in ("debian-13-arm64", "debian-12-amd64", "debian-13-amd64"):
        assert locked.run("build", selector).code == 0
    names = [line.split("  ")[1] for line in (locked.dist / "SHA256SUMS").read_text().splitlines()]
    assert names == sorted(path.name for path in locked.dist.glob("*.tar.gz*"))
    assert len(names) == 6


def test_an_archive_changed_by_somebody_is_rebuilt(locked: World) -> None:
    locked.run("build", "debian-12-amd64")
    archive = locked.dist / ASSET
    whole = archive.read_bytes()
    archive.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert locked.run("build", "debian-12-amd64").code == 0
    assert archive.read_bytes() == whole


def test_offline_builds_from_the_store_alone(locked: World) -> None:
    done = locked.run("build", "debian-12-amd64", "--offline")
    assert done.code == 4
    assert "is not in the store" in done.err
    locked.run("build", "debian-12-amd64")
    locked.index.requests.clear()
    assert locked.run("build", "debian-12-amd64", "--offline", "--force").code == 0
    assert locked.index.requests == []


def test_a_target_whose_files_cannot_be_had_does_not_stop_the_others(locked: World) -> None:
    for wheel in locked.index.folder.glob("orjson-*-cp311-*_x86_64.whl"):
        wheel.unlink()
    done = locked.run("build", "all")
    assert done.code == 4
    assert "debian-12-amd64 failed" in done.err
    assert len(list(locked.dist.glob("*.tar.gz"))) == 3
    assert len((locked.dist / "SHA256SUMS").read_text().splitlines()) == 6


def test_where_nothing_can_be_had_one_error_stands_for_all_targets(locked: World) -> None:
    done = locked.run("build", "all", "--offline")
    assert done.code == 4
    assert done.err.count("failed:") == done.err.count("hint:") == 1
    assert "debian-12-amd64, debian-12-arm64, debian-13-amd64, debian-13-arm64 failed:\n" in done.err
    assert "none of the files could be had; the first: " in done.err


def test_a_replaced_wheel_is_an_integrity_error_naming_both_digests(locked: World) -> None:
    wheel = locked.index.folder / "prisma-0.15.0-py3-none-any.whl"
    expected = digest(wheel)
    make_wheel(locked.index.folder, "prisma", "0.15.0", payload=b"other")
    done = locked.run("build", "debian-12-amd64")
    assert done.code == 4
    assert expected in done.err
    assert digest(wheel) in done.err
    assert not list(locked.dist.glob("*.tar.gz"))


def test_a_wheel_whose_metadata_needs_more_fails_the_proof_with_the_chain(unlocked: World) -> None:
    assert unlocked.run("lock", "debian-12-amd64").code == 0
    lock = unlocked.root / "manifests" / "locks" / "pylock.litellm-debian-12-amd64.toml"
    hungry = make_wheel(unlocked.root / "other", "aiohttp", "3.0", ["left-pad>=1", "async-timeout"])
    polite = unlocked.index.folder / hungry.name
    text = lock.read_text().replace(digest(polite), digest(hungry))
    text = text.replace(f"size = {polite.stat().st_size}\n", f"size = {hungry.stat().st_size}\n")
    lock.write_text(text)
    hungry.replace(polite)
    done = unlocked.run("build", "debian-12-amd64")
    assert done.code == 1
    assert "missing: no wheel of left-pad; needed by litellm[proxy]==1.0 -> aiohttp -> left-pad>=1" in done.err
    assert not list(unlocked.dist.glob("*.tar.gz"))


@pytest.mark.parametrize("offset", [20, -10])
def test_a_damaged_copy_in_the_store_is_noticed_removed_and_fetched_anew(locked: World, offset: int) -> None:
    locked.run("build", "debian-12-amd64")
    wheel = locked.index.folder / "prisma-0.15.0-py3-none-any.whl"
    copy = locked.root / "cache" / "sha256" / digest(wheel)[:2] / digest(wheel)
    content = bytearray(copy.read_bytes())
    content[offset] ^= 1
    copy.write_bytes(content)
    done = locked.run("build", "debian-12-amd64", "--force")
    assert done.code == 3
    assert "damaged" in done.err
    assert locked.run("build", "debian-12-amd64", "--force").code == 0


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("build", "debain-12"), 2, "did you mean debian-12"),
        (("build", "debian-12", "--component", "nope"), 2, "unknown component 'nope'"),
        (("build",), 2, "Missing argument"),
        (("build", "all", "--mirror", "nonsense"), 2, "is not FROM=TO"),
        (("--manifests", "nowhere", "build", "all"), 2, "nowhere is not there"),
        (("bild", "all"), 2, "Did you mean 'build'?"),
    ],
)
def test_wrong_usage_says_what_to_do(locked: World, words: tuple[str, ...], code: int, message: str) -> None:
    done = locked.run(*words)
    assert done.code == code
    assert message in done.err
    assert done.out == ""


def test_missing_and_stale_locks_are_refused_before_anything_is_written(locked: World) -> None:
    locks = locked.root / "manifests" / "locks"
    (locks / "pylock.litellm-debian-13-arm64.toml").unlink()
    done = locked.run("build", "all")
    assert (done.code, "not locked: debian-13-arm64" in done.err) == (2, True)
    targets = (locked.root / "manifests" / "targets.yaml").read_text()
    locked.write("targets.yaml", targets.replace("3.11.2", "3.11.4"))
    done = locked.run("build", "debian-12")
    assert done.code == 2
    assert done.err.count("is stale: the manifests changed: Python was 3.11.2, is 3.11.4") == 2
    assert not list(locked.dist.glob("*")) if locked.dist.exists() else True


def test_an_unwritable_output_folder_is_named(locked: World) -> None:
    (locked.root / "a-file").write_text("")
    done = locked.run("build", "debian-12-amd64", "--out", "a-file/dist")
    assert done.code == 1
    assert "a-file/dist: Not a directory" in done.err


@pytest.mark.usefixtures("impatient")
def test_an_unreachable_index_is_one_clear_error(locked: World) -> None:
    done = locked.run("build", "debian-12-amd64", PIP_INDEX_URL="http://user:secret@127.0.0.1:9/simple/")
    assert done.code == 4
    assert "127.0.0.1:9" in done.err
    assert "secret" not in done.err


def test_json_is_one_document_and_nothing_else(locked: World) -> None:
    done = locked.run_process("--json", "build", "debian-12")
    assert done.err == ""
    assert [a["state"] for a in done.json()["archives"]] == ["built", "built"]


def test_the_same_inputs_give_the_same_bytes_whoever_builds(locked: World, tmp_path: Path) -> None:
    locked.run("build", "debian-12-amd64")
    script = 'umask 077; exec "$@"'
    elsewhere = tmp_path / "some where" / "else"
    elsewhere.mkdir(parents=True)
    (elsewhere / "manifests").symlink_to(locked.root / "manifests")
    argv = ["sh", "-c", script, "sh", sys.executable, "-m", "bundler", "build", "debian-12-amd64"]
    env = locked.env(TZ="Asia/Kathmandu", LC_ALL="C", AIWS_CACHE_DIR=str(elsewhere / "cache"), PYTHONHASHSEED="7")
    subprocess.run(argv, cwd=elsewhere, env=env, check=True, capture_output=True)
    assert (elsewhere / "dist" / ASSET).read_bytes() == (locked.dist / ASSET).read_bytes()


def test_source_date_epoch_sets_every_time(locked: World) -> None:
    locked.run("build", "debian-12-amd64", SOURCE_DATE_EPOCH="1700000000")
    assert {info.mtime for info in members(locked.dist / ASSET).values()} == {1700000000}
    assert locked.run("build", "debian-12-amd64", SOURCE_DATE_EPOCH="soon").code == 2


def test_a_change_to_a_readme_or_a_comment_changes_no_archive(locked: World) -> None:
    locked.run("build", "debian-12-amd64")
    before = digest(locked.dist / ASSET)
    (locked.root / "README.md").write_text("new")
    text = (locked.root / "manifests" / "litellm.yaml").read_text()
    locked.write("litellm.yaml", f"# a comment\n{text}")
    assert "unchanged" in locked.run("build", "debian-12-amd64").out
    locked.run("build", "debian-12-amd64", "--force")
    assert digest(locked.dist / ASSET) == before


QMD = """\
kind: prebuilt
component: qmd
repository: example/qmd
tag: v1
asset: qmd-{os}-{arch}.tar.gz
targets: [linux-amd64]
"""
BROKEN = QMD + "colour: red\n"


def test_what_is_wrong_with_a_manifest_of_another_kind_is_told_and_nothing_is_written(locked: World) -> None:
    locked.write("qmd.yaml", BROKEN)
    for words in ((), ("--offline",), ("--component", "litellm")):
        done = locked.run("build", "debian-12-amd64", *words)
        assert done.code == 2
        assert "qmd.yaml:7:1: colour" in done.err
        assert not locked.dist.exists() or list(locked.dist.iterdir()) == []


def test_it_is_told_where_all_is_finished_too(locked: World) -> None:
    assert locked.run("build", "debian-12-amd64").code == 0
    before = sorted((path.name, digest(path)) for path in locked.dist.iterdir())
    locked.write("qmd.yaml", BROKEN)
    assert locked.run("build", "debian-12-amd64").code == 2
    assert sorted((path.name, digest(path)) for path in locked.dist.iterdir()) == before


def test_what_another_kind_knows_to_be_bad_is_not_built(locked: World, monkeypatch: pytest.MonkeyPatch) -> None:
    locked.write("qmd.yaml", QMD)
    lock = (locked.root / "manifests" / "locks" / "pylock.litellm-debian-12-amd64.toml").read_text()
    [sha256, *_] = re.findall('sha256 = "([0-9a-f]{64})"', lock)
    monkeypatch.setattr(PrebuiltComponent, "known_bad", {sha256: "it was stolen"})
    done = locked.run("build", "debian-12-amd64")
    assert done.code == 2
    assert "it was stolen" in done.err
    assert not locked.dist.exists() or list(locked.dist.iterdir()) == []
