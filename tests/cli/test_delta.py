"""`delta` and `apply`: folders in, folders out, as the signed list says; nothing over anything, nothing half."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.transfer.wheels import archive, noise, wheel
from tests.world import World

_KEPT = {"k-1-py3-none-any.whl": wheel("k", {"k": noise("k", 90_000)})}


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def steps(unlocked: World) -> World:
    """A world with two archives of before in `old`, and of after in `new`, which has a SHA256SUMS."""
    for folder, version in (("old", "1"), ("new", "2")):
        for name in ("x", "y"):
            files = {f"a-{version}-py3-none-any.whl": wheel("a", {"m": noise(name + version, 500)}, version)}
            archive(unlocked.root / folder / f"{name}.tar.gz", {**_KEPT, **files, name: noise(name, 9000)})
        shutil.rmtree(unlocked.root / folder / "store")
    listed = [f"{_sha256(path)}  {path.name}\n" for path in sorted((unlocked.root / "new").iterdir())]
    (unlocked.root / "new/SHA256SUMS").write_text("".join(listed))
    return unlocked


def names(folder: Path) -> list[str]:
    """What is in a folder."""
    return sorted(path.name for path in folder.iterdir())


def test_folders_of_archives_become_those_of_the_next_release(steps: World) -> None:
    """With the words of docs/delta.md."""
    told = steps.run("--json", "delta", "old", "new")
    assert told.code == 0, told.err
    document = json.loads(told.out)
    assert [Path(one["new"]).name for one in document["archives"]] == ["x.tar.gz", "y.tar.gz"]
    first = f"x.tar.gz.from-{_sha256(steps.root / 'old/x.tar.gz')[:12]}.delta"
    assert Path(document["archives"][0]["delta"]["path"]).name == first
    assert {first, "apply-delta.sh", "SHA256SUMS"} < {*names(steps.root / "deltas")}
    done = steps.run("apply", "old", "deltas", "--out", "made")
    assert done.code == 0, done.err
    assert "as SHA256SUMS lists it" in done.err
    assert names(steps.root / "made") == ["SHA256SUMS", "x.tar.gz", "y.tar.gz"]
    assert (steps.root / "made/SHA256SUMS").read_bytes() == (steps.root / "new/SHA256SUMS").read_bytes()
    for name in ("x.tar.gz", "y.tar.gz"):
        assert (steps.root / "made" / name).read_bytes() == (steps.root / "new" / name).read_bytes()
    delta = steps.root / "deltas" / first
    words = ["sh", "deltas/apply-delta.sh", "old/x.tar.gz", str(delta), "--sums", "deltas/SHA256SUMS"]
    subprocess.run(words, cwd=steps.root, check=True, capture_output=True)
    assert _sha256(steps.root / "x.tar.gz") == _sha256(steps.root / "new/x.tar.gz")
    again = steps.run("apply", "old", "deltas", "--out", "made")
    assert (again.code, "is there already" in again.err) == (2, True)
    one = steps.run("--json", "apply", "old/x.tar.gz", "deltas", "--out", "one")
    assert (one.code, json.loads(one.out)["archives"][0]["listed"]) == (0, True)
    plain = steps.run("delta", "old/x.tar.gz", "new/x.tar.gz", "--out", "plain", "--plain")
    assert plain.code == 0
    assert steps.run("apply", "old", "plain", "--out", "p").code == 0
    assert _sha256(steps.root / "p/x.tar.gz") == _sha256(steps.root / "new/x.tar.gz")


def test_the_list_of_the_old_archives_is_not_replaced(steps: World) -> None:
    (steps.root / "old/SHA256SUMS").write_text("theirs")
    for old, out in (("old", "old"), ("old/x.tar.gz", "new/../old")):
        done = steps.run("delta", old, "new", "--out", out)
        assert (done.code, "choose another place" in done.err) == (2, True)
    assert names(steps.root / "old") == ["SHA256SUMS", "x.tar.gz", "y.tar.gz"]
    assert (steps.root / "old/SHA256SUMS").read_text() == "theirs"
    assert steps.run("delta", "old", "new", "--out", "new").code == 0
    assert steps.run("verify", "new", "--ignore-missing").code != 2


def test_what_is_no_file_is_told_so(steps: World) -> None:
    os.mkfifo(steps.root / "pipe")
    for words in (("delta", "pipe", "new"), ("delta", "old", "pipe"), ("apply", "old", "pipe"), ("emit", "pipe")):
        done = steps.run("--json", *words)
        assert (done.code, "pipe is not a regular file" in done.out) == (2, True), done


def test_small_sizes_are_told_in_small_units(steps: World) -> None:
    delta = steps.run("delta", "old/x.tar.gz", "new/x.tar.gz", "--out", "d")
    said = delta.out + steps.run("apply", "old", "d", "--out", "made").out
    (made,) = (steps.root / "d").glob("*.delta")
    size = (steps.root / "new/x.tar.gz").stat().st_size
    assert f"{size / 1e6:.1f} MB  {made.stat().st_size / 1e3:.1f} kB" in delta.out
    said += steps.run("inspect", str(made)).out
    assert "0.0 MB" not in said
    assert said.count(f"{size / 1e6:.1f} MB") == 4


def test_what_is_not_as_listed_or_of_another_file_is_refused(steps: World) -> None:
    assert steps.run("delta", "old", "new").code == 0
    delta = next(name for name in names(steps.root / "deltas") if name.startswith("x."))
    other = steps.run("apply", "old/y.tar.gz", f"deltas/{delta}", "--out", "made")
    assert (other.code, "it is for a file of" in other.err) == (3, True)
    assert not (steps.root / "made").exists()
    (steps.root / "SUMS").write_text(f"{'0' * 64}  x.tar.gz\n")
    unlisted = steps.run("apply", "old", f"deltas/{delta}", "--out", "made", "--sums", "SUMS")
    assert (unlisted.code, "lists no x.tar.gz with SHA-256" in unlisted.err) == (3, True)
    content = bytearray((steps.root / "deltas" / delta).read_bytes())
    content[-9] ^= 1
    (steps.root / "deltas" / delta).write_bytes(content)
    damaged = steps.run("apply", "old", f"deltas/{delta}", "--out", "made")
    assert damaged.code == 3
    assert not (steps.root / "made").exists()
    nothing = steps.run("apply", "new", "deltas", "--out", "made")
    assert (nothing.code, "no delta of deltas is for new" in nothing.err) == (2, True)
    keys = steps.root / "allowed_signers"
    keys.write_text("")
    assert steps.run("apply", "old", "deltas", "--trusted", "allowed_signers").code == 2


def test_of_several_archives_all_appear_or_none(steps: World) -> None:
    assert steps.run("delta", "old", "new").code == 0
    last = next((steps.root / "deltas").glob("y.*"))
    last.write_bytes(last.read_bytes()[:-1])
    assert steps.run("apply", "old", "deltas", "--out", "made").code == 3
    assert not (steps.root / "made").exists()
    (steps.root / "made").mkdir()
    (steps.root / "made/SHA256SUMS").write_text("mine")
    last.unlink()
    assert steps.run("apply", "old", "deltas", "--out", "made").code == 0
    assert (steps.root / "made/SHA256SUMS").read_text() == "mine"


def test_the_list_beside_deltas_is_verified_without_archives(steps: World) -> None:
    """As docs/delta.md says to before the script is run with it."""
    assert steps.run("delta", "old", "new").code == 0
    told = steps.run("verify", "deltas", "--ignore-missing")
    assert (told.code, "who made it is not proven" in told.out) == (0, True), told.err
    (steps.root / "deltas/SHA256SUMS").write_text(f"{'0' * 64}  z.tar.gz\n")
    assert steps.run("verify", "deltas", "--ignore-missing").code == 2


def test_what_does_not_go_together_is_told(steps: World) -> None:
    (steps.root / "empty").mkdir()
    assert steps.run("delta", "old", "empty").code == 2
    (steps.root / "old/x.tar.gz").rename(steps.root / "old/z.tar.gz")
    told = json.loads(steps.run("--json", "delta", "old", "new").out)
    assert told["alone"] == ["x.tar.gz"]
    same = steps.run("delta", "new/x.tar.gz", "new/x.tar.gz", "--out", "none")
    assert (same.code, "nothing changed" in same.out) == (0, True)
    assert not list((steps.root / "none").glob("*.delta"))
    (steps.root / "other").mkdir()
    (steps.root / "other/y.tar.gz").write_bytes(noise("other", 200_000))
    worthless = steps.run("delta", "old/y.tar.gz", "other/y.tar.gz", "--out", "none")
    assert (worthless.code, "carry the archive" in worthless.err) == (0, True)


@pytest.mark.parametrize("plain", [False, True])
def test_what_a_delta_makes_is_shown(steps: World, plain: bool) -> None:
    assert steps.run("delta", "old/x.tar.gz", "new/x.tar.gz", *(["--plain"] if plain else [])).code == 0
    (delta,) = (steps.root / "deltas").glob("*.delta")
    told = steps.run("--json", "inspect", str(delta))
    assert told.code == 0, told.err
    document = json.loads(told.out)
    new = (steps.root / "new/x.tar.gz").stat().st_size
    assert document["new"] == {"name": "x.tar.gz", "size": new, "sha256": _sha256(steps.root / "new/x.tar.gz")}
    assert document["old"]["sha256"] == _sha256(steps.root / "old/x.tar.gz")
    assert (document["plain"], document["size"]) == (plain, delta.stat().st_size)
    assert document["copied"] > 80_000
    if plain:
        assert document["copied"] + document["stored"] == new
    else:
        given = document["copied"] + document["stored"] + document["text"] + document["differing"]
        assert 0.9 * new < given <= new
    shown = steps.run("inspect", str(delta))
    assert ("dd and sha256sum" in shown.out, "Python 3.9" in shown.out) == (plain, not plain)
    assert "x.tar.gz" in shown.out
    assert steps.run("inspect", str(delta), "--provenance").code == 2
    delta.write_bytes(delta.read_bytes()[:-1])
    cut = steps.run("inspect", str(delta))
    assert cut.code == 3, cut.err
