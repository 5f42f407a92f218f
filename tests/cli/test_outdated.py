"""`outdated` against a real index: which newer releases close on which targets, and what holds the others back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.world import WHEELHOUSE, World, make_wheel

# Whole commands, or other programs: each takes a good part of a second.
pytestmark = pytest.mark.slow

NEEDS = ["orjson>=3; extra == 'proxy'", "aiohttp"]


def files_of(world: World) -> dict[Path, bytes]:
    """Every file of the checkout."""
    return {path: path.read_bytes() for path in sorted((world.root / "manifests").rglob("*")) if path.is_file()}


def told(world: World, *words: str) -> Mapping[str, Any]:
    done = world.run("--json", "outdated", *words)
    assert done.code == 0, done.err
    return {one["target"]: one for one in done.json()["targets"]}


def test_the_newest_that_closes_is_told_for_each_target_and_nothing_is_written(locked: World) -> None:
    make_wheel(locked.index.folder, "litellm", "1.2", NEEDS, requires_python=">=3.13")
    before = files_of(locked)
    done = locked.run("outdated", "debian-12-amd64", "debian-13-amd64")
    assert done.code == 0, done.err
    lines = [line.split() for line in done.out.splitlines()]
    assert ["debian-12-amd64", "1.0", "1.2", "1.1", "6", "proven"] in lines
    assert ["debian-13-amd64", "1.0", "1.2", "1.2", "5", "proven"] in lines
    assert "held back on debian-12-amd64:\n  1.2: it requires Python >=3.13\n" in done.out
    assert files_of(locked) == before
    assert not [path for path in locked.index.requests if path.endswith(".whl")], "no wheel is fetched"


def test_each_reason_is_told_in_one_line(locked: World) -> None:
    index = locked.index.folder
    make_wheel(index, "litellm", "1.6", NEEDS, tag="cp310-abi3-win_amd64")
    make_wheel(index, "litellm", "1.5", [*NEEDS, "nonsuch==3"])
    make_wheel(index, "litellm", "1.4", [*NEEDS, "aiohttp>=9"])
    make_wheel(index, "litellm", "1.3", [*NEEDS, "only-windows"])
    make_wheel(index, "only-windows", "1", tag="cp311-cp311-win_amd64")
    make_wheel(index, "litellm", "1.2", [*NEEDS, "capped"])
    make_wheel(index, "capped", "1", requires_python=">=3.9,<3.11")
    reasons = {one["version"]: one["reason"] for one in told(locked, "debian-12-amd64")["debian-12-amd64"]["tried"]}
    assert reasons["1.6"] == "it has no wheel for the target"
    assert reasons["1.5"] == "nonsuch is not on the index"
    assert "aiohttp" in reasons["1.4"]
    assert "only-windows" in reasons["1.3"]
    assert reasons["1.2"].startswith("wrong Python: capped-1-py3-none-any.whl wants >=3.9,<3.11")
    assert reasons["1.1"] == ""
    assert not any("\n" in reason for reason in reasons.values())


def test_prereleases_yanked_and_late_ones_do_not_count(locked: World) -> None:
    for version in ("1.2", "1.3rc1", "1.4"):
        make_wheel(locked.index.folder, "litellm", version, NEEDS)
    locked.index.yanked.add("litellm-1.4-py3-none-any.whl")
    assert told(locked, "debian-12-amd64")["debian-12-amd64"]["newer"] == ["1.2", "1.1"]
    assert told(locked, "debian-12-amd64", "--exclude-newer", "2025-01-01")["debian-12-amd64"]["newer"] == []
    assert locked.run("outdated", "--exclude-newer", "soon").code == 2
    assert locked.run("outdated", "--exclude-newer", "0001-01-01T00:00:00+14:00").code == 2


def test_what_is_known_to_be_bad_is_not_chosen(locked: World) -> None:
    bad = "known-bad: [{requirements: [litellm==1.1], reason: an attacker made it}]\n"
    locked.write("litellm.yaml", WHEELHOUSE + bad)
    (tried,) = told(locked, "debian-12-amd64")["debian-12-amd64"]["tried"]
    assert (tried["version"], tried["closes"]) == ("1.1", None)
    assert tried["reason"] == "litellm 1.1 is known to be bad: an attacker made it"


def test_all_looks_at_every_one(locked: World) -> None:
    make_wheel(locked.index.folder, "litellm", "1.2", NEEDS)
    assert [one["version"] for one in told(locked, "debian-12-amd64")["debian-12-amd64"]["tried"]] == ["1.2"]
    every = told(locked, "debian-12-amd64", "--all")["debian-12-amd64"]
    assert [(one["version"], one["closes"]) for one in every["tried"]] == [("1.2", "proven"), ("1.1", "proven")]
    shown = locked.run("outdated", "debian-12-amd64", "--all").out
    assert "newer on debian-12-amd64:\n  1.2 … 1.1: closes (proven)\n" in shown


def test_where_the_index_serves_no_metadata_it_is_resolved_but_not_proven(locked: World) -> None:
    locked.index.metadata_for = "uv/"
    one = told(locked, "debian-12-amd64")["debian-12-amd64"]
    assert (one["closes"], one["tried"][0]["closes"]) == ("1.1", "resolved")


def test_nothing_newer_is_said_so(locked: World) -> None:
    (locked.index.folder / "litellm-1.1-py3-none-any.whl").unlink()
    one = told(locked, "debian-12-amd64")["debian-12-amd64"]
    assert (one["newer"], one["closes"], one["tried"]) == ([], None, [])


def test_an_index_that_cannot_be_reached_is_an_error_of_each_target(locked: World, impatient: None) -> None:
    done = locked.run("outdated", "debian-12", PIP_INDEX_URL="http://user:secret@127.0.0.1:9/simple/")
    assert done.code == 4
    assert "debian-12-amd64, debian-12-arm64 failed:" in done.err
    assert "secret" not in done.out + done.err


def test_a_version_younger_than_the_lock_can_be_locked_with_one_edit(locked: World) -> None:
    lock = locked.root / "manifests" / "locks" / "pylock.litellm-debian-12-amd64.toml"
    text = lock.read_text()
    date = next(line for line in text.splitlines() if line.startswith("exclude-newer"))
    lock.write_text(text.replace(date, 'exclude-newer = "2025-01-01T00:00:00Z"'))
    locked.write("litellm.yaml", WHEELHOUSE.replace("litellm[proxy]==1.0", "litellm[proxy]==1.1"))
    assert locked.run("lock", "debian-12-amd64").code == 0
