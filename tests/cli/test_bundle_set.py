"""`bundle-set`, `emit`, and what `verify` and `inspect` say of a set: whole commands, and the script for hosts."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from bundler.cli.bundle_set import _bytes, _named, _share
from bundler.commands.emit import _chosen
from bundler.errors import UsageError
from tests.cli.releasing import REPO, Releasing
from tests.world import World

AMD64 = "litellm-runtime-debian-12-amd64.tar.gz"


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("", 0),
        ("4.7GB", 4_700_000_000),
        ("4.7 gb", 4_700_000_000),
        ("4GiB", 4 << 30),
        ("650M", 650_000_000),
        ("1.5KiB", 1536),
        ("2048", 2048),
        ("2TB", 2 * 10**12),
    ],
)
def test_sizes_are_read_as_people_write_them(text: str, size: int) -> None:
    assert _bytes(text) == size


@pytest.mark.parametrize("text", ["4,7GB", "GB", "-1GB", "1e9", "0", "1000", "4 parsecs", "1" * 16])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no size"):
        _bytes(text)


def test_percentages() -> None:
    assert [_share(text) for text in ("", "5%", "7.5", "100 %")] == [0, 5, 7.5, 100]
    for text in ("0", "101%", "-5%", "5%%", "nan", "5e1"):
        with pytest.raises(UsageError, match="no percentage"):
            _share(text)


@pytest.mark.parametrize("name", ["a.set", "a", "a.set.0011", "001"])
def test_a_set_s_name(name: str) -> None:
    assert _named(Path(name)) == Path(name)


@pytest.mark.parametrize(
    "name", ["a set", "a.set.001", "a.240", "a.sha256", "a.par2", "a.set.sh", "-a", "ö", "a" * 250]
)
def test_what_is_no_set_s_name_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=r"is no name for a set|is called as a file of another set"):
        _named(Path(name))


def test_what_can_be_chosen_is_told() -> None:
    names = [f"x-runtime-{one}.tar.gz" for one in ("debian-12-amd64", "debian-13-arm64")]
    for words in (["debian"], ["12"], ["debian-12-amd64", "debian-13-arm64"], [names[0]], ["all"], []):
        assert _chosen([*names, "x"], words, Path("a b"))
    with pytest.raises(UsageError, match="nothing in a b is called windows") as refused:
        _chosen([*names, "x"], ["windows"], Path("a b"))
    assert refused.value.hint.startswith("choose among debian-12-amd64, debian-13-arm64; words of these; all; or")
    assert refused.value.hint.endswith("`aiws-bundle inspect 'a b'` lists them")
    for few, told in ((names[:1], "debian-12-amd64; words"), (["x"], "all; or a file's name")):
        with pytest.raises(UsageError) as refused:
            _chosen(few, ["windows"], Path("a"))
        assert refused.value.hint.startswith(f"choose among {told}")


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.slow
def test_a_folder_becomes_a_set_and_comes_back(locked: World, dist_of: Callable[[str], Path]) -> None:
    shutil.copytree(dist_of("all"), locked.dist)
    held = _contents(locked.dist)
    made = locked.run("--json", "bundle-set", "dist", "--volume", "10kB", "--parity", "40%")
    assert made.code == 0, made.err
    told = made.json()
    volumes = [one["name"] for one in told["volumes"]]
    assert (told["set"], told["files"], told["unpacked"]) == ("dist.set", len(held), sum(map(len, held.values())))
    assert told["size"] < told["unpacked"]
    assert told["parity"]["repairs_volume"] and max(one["size"] for one in told["volumes"]) == 10_000
    first = {name: (locked.root / name).read_bytes() for name in [*volumes, "dist.set.sha256", "dist.set.sh"]}
    assert "is there already" in locked.run("bundle-set", "dist").err
    again = locked.run("bundle-set", "dist", "--volume", "10kB", "--out", "again/dist.set")
    assert "aiws-bundle verify again/dist.set" in again.err
    assert first == _contents(locked.root / "again")

    shown = locked.run("--json", "inspect", "dist.set").json()
    assert {one["name"]: one["size"] for one in shown["files"]} == {name: len(one) for name, one in held.items()}
    assert 0 < shown["shared"] < shown["size"] == told["size"]
    assert locked.run("inspect", "dist.set", "--provenance").code == 2
    proven = locked.run("verify", "dist.set")
    assert proven.code == 0, proven.err
    assert f"dist.set/{AMD64}: litellm" in proven.out and str(locked.root) not in proven.out

    out = locked.run("emit", "dist.set.001", "debian-12-amd64", "--out", "some", "--sums", "dist/SHA256SUMS")
    assert out.code == 0, out.err
    beside = {name for name in held if name.startswith((AMD64, "SHA256SUMS"))}
    assert _contents(locked.root / "some") == {name: held[name] for name in beside}
    assert "verify some --ignore-missing" in out.err
    assert locked.run("verify", "some", "--ignore-missing").code == 0
    assert locked.run("emit", "dist.set", "SHA256SUMS", "--out", "one").code == 0
    assert list(_contents(locked.root / "one")) == ["SHA256SUMS"]
    assert locked.run("emit", "dist.set", "windows", "--out", "none").code == 2
    taken = locked.run("emit", "dist.set", AMD64, "--out", "some")
    assert (taken.code, "nothing is overwritten" in taken.err) == (2, True)
    (locked.root / "other").write_text(f"{'0' * 64}  {AMD64}\n")
    assert locked.run("emit", "dist.set", AMD64, "--out", "none", "--sums", "other").code == 3

    lost, damaged = locked.root / volumes[1], locked.root / volumes[-1]
    lost.unlink()
    damaged.write_bytes(b"!" + first[volumes[-1]][1:])
    for words in (("emit", "dist.set", "--out", "none"), ("verify", "dist.set")):
        refused = locked.run(*words)
        assert refused.code == 3, refused.err
        assert f"{lost.name} is missing" in refused.err and "--repair" in refused.err
    assert f"{damaged.name} is damaged" in refused.err
    repaired = locked.run("emit", "dist.set", "--repair", "--out", "whole")
    assert repaired.code == 0, repaired.err
    assert _contents(locked.root / "whole") == held
    assert not lost.exists() and damaged.read_bytes()[:1] == b"!"
    for name in volumes[2:-1:2]:
        (locked.root / name).unlink()
    hopeless = locked.run("emit", "dist.set", "--repair", "--out", "none")
    assert (hopeless.code, "more is damaged than" in hopeless.err) == (3, True)
    assert not (locked.root / "none").exists()
    assert not list((locked.root / "cache" / "tmp").iterdir())


@pytest.mark.slow
def test_a_host_takes_files_out_with_the_script(locked: World, dist_of: Callable[[str], Path]) -> None:
    shutil.copytree(dist_of("debian-12"), locked.dist)
    assert locked.run("-q", "bundle-set", "dist", "--volume", "10kB").code == 0
    (locked.root / "dist.set.sh").rename(locked.root / "apply-delta.sh")

    def taken(*words: str) -> subprocess.CompletedProcess[str]:
        argv = ["sh", "apply-delta.sh", *words]
        return subprocess.run(argv, cwd=locked.root, capture_output=True, text=True, check=False)

    for name in ("dist.set", "dist.set.001"):
        (locked.root / f"of-{name}").mkdir()
        assert taken(name, "--out", f"of-{name}", "--sums", "dist/SHA256SUMS").returncode == 0
        assert _contents(locked.root / f"of-{name}") == _contents(locked.dist)
    (locked.root / "half").mkdir()
    kept = locked.root / "half" / sorted(path.name for path in locked.dist.iterdir())[-1]
    kept.write_text("mine")
    half = taken("dist.set", "--out", "half")
    assert (half.returncode, "exists" in half.stderr, half.stdout) == (3, True, "")
    assert [path.name for path in kept.parent.iterdir()] == [kept.name]
    (locked.root / "other").write_bytes((locked.dist / "SHA256SUMS").read_bytes() + b"\n")
    other = taken("dist.set", "--sums", "other")
    assert (other.returncode, "does not list SHA256SUMS" in other.stderr) == (3, True)
    (locked.root / "dist.set.002").unlink()
    missing = taken("dist.set", AMD64)
    assert (missing.returncode, "dist.set.002 is missing" in missing.stderr) == (3, True)
    assert not (locked.root / AMD64).exists()


@pytest.mark.slow
def test_a_folder_that_is_not_whole_becomes_no_set(locked: World, dist_of: Callable[[str], Path]) -> None:
    shutil.copytree(dist_of("debian-12"), locked.dist)
    (locked.dist / AMD64).write_bytes((locked.dist / AMD64).read_bytes()[:-1])
    refused = locked.run("bundle-set", "dist")
    assert refused.code == 3
    assert "no set is made of it" in refused.err
    assert not list(locked.root.glob("*.set*"))
    assert locked.run("bundle-set", "manifests").code == 2
    assert locked.run("bundle-set", "dist", "--out", "a set").code == 2


@pytest.mark.slow
def test_a_release_becomes_a_set(published: Releasing) -> None:
    made = published.run("--json", "bundle-set", f"{REPO}@{published.tag}")
    assert made.code == 0, made.err
    name = f"{published.tag}.set"
    assert published.run("emit", name, "--out", "assets").code == 0
    release = published.hub.published(published.tag)
    assert release is not None
    assert set(_contents(published.world.root / "assets")) == {asset.name for asset in release.assets.values()}
    assert published.run("verify", name).code == 0
