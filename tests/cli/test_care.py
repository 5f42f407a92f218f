"""Care at lock time, against a real index: what is young, yanked or signed by somebody else; and what is told of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bundler.kinds.wheelhouse.lock import Lock
from bundler.model.locked_wheel import LockedWheel
from bundler.model.publisher import Publisher
from tests.world import WHEELHOUSE, World, make_wheel

# Whole commands, each of which takes a good part of a second.
pytestmark = pytest.mark.slow

TARGET = "debian-12-amd64"
NEEDS = ["orjson>=3; extra == 'proxy'", "aiohttp"]
NEWER = WHEELHOUSE.replace("litellm[proxy]==1.0", "litellm[proxy]==1.1")


NOW = datetime.now(UTC).replace(microsecond=0)


def ago(days: float) -> str:
    return f"{NOW - timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}"


def put(world: World, name: str, version: str, *requires: str, days: float = 100, **more: Any) -> Path:
    """A wheel on the index, uploaded so many days ago."""
    wheel = make_wheel(world.index.folder, name, version, requires, **more)
    world.index.facts[wheel.name] = {"upload-time": ago(days)}
    return wheel


def path_of(world: World) -> Path:
    return world.root / "manifests" / "locks" / f"pylock.litellm-{TARGET}.toml"


def wheels(world: World) -> dict[str, LockedWheel]:
    return {wheel.project: wheel for wheel in Lock.parse(path_of(world).read_text(), "lock").wheels}


def version(world: World, project: str) -> str:
    return wheels(world)[project].version


def concerns(world: World, *words: str) -> dict[str, tuple[str, str, str]]:
    """The signs of a run of `lock`: project, before, after."""
    done = world.run("--json", "lock", TARGET, *words)
    assert done.code == 0, done.err
    found = done.json()["locks"][0]["concerns"]
    return {one["sign"]: (one["project"], one["before"], one["after"]) for one in found}


def trust(world: World, text: str) -> None:
    world.write("trust.yaml", text)


# The cooldown.


def test_what_is_younger_than_a_week_is_not_taken_where_something_older_fits(unlocked: World) -> None:
    put(unlocked, "aiohttp", "3.5", days=6)
    put(unlocked, "aiohttp", "3.4", days=9)
    assert unlocked.run("lock", TARGET).code == 0
    assert version(unlocked, "aiohttp") == "3.4"
    facts = Lock.parse(path_of(unlocked).read_text(), "lock").facts
    assert facts.exclude_newer == f"{NOW - timedelta(days=7):%Y-%m-%dT00:00:00Z}"
    trust(unlocked, "cooldown: {days: 3}\n")
    assert unlocked.run("lock", TARGET, "--upgrade").code == 0
    assert version(unlocked, "aiohttp") == "3.5"


def test_what_the_manifest_names_is_refused_with_the_line_that_would_allow_it(locked: World) -> None:
    before = path_of(locked).read_text()
    locked.index.facts["litellm-1.1-py3-none-any.whl"] = {"upload-time": ago(2)}
    put(locked, "prisma", "0.16.0", days=1)
    locked.write("litellm.yaml", NEWER)
    done = locked.run("--json", "lock", TARGET)
    assert done.code == 2
    error = done.json()["locks"][0]["error"]
    uploaded, first = datetime.fromisoformat(ago(2)), (NOW + timedelta(days=6)).date()
    assert f"litellm 1.1 was uploaded {uploaded:%Y-%m-%d}" in error["message"]
    assert f"may be taken from {first} on (cooldown: 7 days)" in error["message"]
    assert "prisma" not in error["message"], "an older one would do"
    line = f'- {{requirement: litellm==1.1, reason: "…", until: {first}}}'
    assert error["hint"].endswith(line)
    assert path_of(locked).read_text() == before
    trust(locked, f"cooldown:\n  exceptions:\n    {line}\n")
    assert locked.run("lock", TARGET).code == 0
    assert (version(locked, "litellm"), version(locked, "prisma")) == ("1.1", "0.15.0")
    assert wheels(locked)["litellm"].uploaded == uploaded


def test_only_what_is_needed_is_named_whoever_asks_for_it(locked: World) -> None:
    put(locked, "litellm", "1.1", *NEEDS, "inner>=2")
    put(locked, "inner", "2", days=1)
    put(locked, "aiohttp", "3.9", days=1)
    locked.write("litellm.yaml", NEWER)
    error = locked.run("--json", "lock", TARGET).json()["locks"][0]["error"]
    assert "inner 2 was uploaded" in error["message"]
    assert "aiohttp" not in error["message"] + error["hint"]


def test_an_exception_is_for_its_versions_and_its_time(locked: World) -> None:
    put(locked, "aiohttp", "3.6", days=1)
    put(locked, "aiohttp", "3.5", days=2)
    put(locked, "prisma", "0.16.0", days=1)
    trust(locked, "cooldown: {exceptions: [{requirement: aiohttp==3.5, reason: mends a hole}]}\n")
    assert locked.run("lock", TARGET, "--upgrade").code == 0
    assert (version(locked, "aiohttp"), version(locked, "prisma")) == ("3.5", "0.15.0")
    path_of(locked).unlink()
    trust(locked, "cooldown: {exceptions: [{requirement: aiohttp==3.5, reason: a hole, until: 2026-01-01}]}\n")
    assert locked.run("lock", TARGET).code == 0
    assert version(locked, "aiohttp") == "3.0"
    notes = locked.run("--json", "check").json()["notes"]
    assert "trust.yaml: aiohttp==3.5 has to wait again since 2026-01-01; take it out" in notes


def test_a_date_given_by_hand_does_not_beat_the_cooldown(locked: World) -> None:
    before = path_of(locked).read_text()
    put(locked, "aiohttp", "3.5", days=2)
    words = ("lock", TARGET, "--upgrade", "--exclude-newer", ago(0))
    done = locked.run(*words)
    assert done.code == 2
    assert "aiohttp 3.5 was uploaded" in done.err
    assert "requirement: aiohttp==3.5" in done.err
    assert path_of(locked).read_text() == before
    trust(locked, "cooldown: {days: 0}\n")
    assert locked.run(*words).code == 0
    assert version(locked, "aiohttp") == "3.5"


def test_what_is_locked_already_is_kept_though_it_is_young(locked: World) -> None:
    put(locked, "aiohttp", "3.5", days=2)
    trust(locked, "cooldown: {days: 0}\n")
    assert locked.run("lock", TARGET, "--upgrade").code == 0
    trust(locked, "cooldown: {days: 7}\n")
    put(locked, "aiohttp", "3.6", days=1)
    put(locked, "extra-thing", "1")
    locked.write("litellm.yaml", WHEELHOUSE.replace("[prisma]", "[prisma, extra-thing]"))
    for words in ((), ("--upgrade",)):
        done = locked.run("lock", TARGET, *words)
        assert done.code == 0, done.err
        assert version(locked, "aiohttp") == "3.5"
    assert locked.run("lock", TARGET, "--upgrade").out.count("unchanged") == 1


def test_an_index_that_tells_no_times_is_said_to_once_and_serves(unlocked: World) -> None:
    unlocked.index.facts = {wheel.name: {"upload-time": None} for wheel in unlocked.index.folder.iterdir()}
    done = unlocked.run("lock", "debian-12")
    assert done.code == 0, done.err
    assert (done.out + done.err).count("does not tell when files were uploaded") == 1
    assert wheels(unlocked)["aiohttp"].uploaded is None


# What was yanked.


def test_a_yanked_version_is_refused_with_the_reason_that_the_index_gives(locked: World) -> None:
    locked.index.facts["litellm-1.1-py3-none-any.whl"] = {"yanked": "leaks \x1b[31mkeys"}
    locked.write("litellm.yaml", NEWER)
    done = locked.run("lock", TARGET)
    assert done.code == 2
    assert "litellm 1.1 was yanked from the index: leaks" in done.err
    assert "\x1b[31m" not in done.err
    assert version(locked, "litellm") == "1.0"


def test_what_was_yanked_since_is_replaced_and_told(locked: World) -> None:
    put(locked, "aiohttp", "3.5")
    assert locked.run("lock", TARGET, "--upgrade").code == 0
    locked.index.yanked.add("aiohttp-3.5-py3-none-any.whl")
    done = locked.run("outdated", TARGET)
    assert done.code == 0, done.err
    assert f"yanked since, yet locked on {TARGET}:\n  aiohttp 3.5: withdrawn\n" in done.out
    put(locked, "extra-thing", "1")
    locked.write("litellm.yaml", WHEELHOUSE.replace("[prisma]", "[prisma, extra-thing]"))
    done = locked.run("lock", TARGET)
    assert f"yanked: aiohttp: 3.5 -> 3.0: its makers withdrew it: withdrawn ({TARGET})" in done.out
    assert version(locked, "aiohttp") == "3.0"


def test_what_is_still_cooling_is_told_by_outdated(locked: World) -> None:
    put(locked, "litellm", "1.2", *NEEDS, days=3)
    (one,) = locked.run("--json", "outdated", TARGET).json()["targets"]
    assert (one["closes"], one["newer"]) == ("1.1", ["1.2", "1.1"])
    reason = one["tried"][0]["reason"]
    assert reason.startswith("still cooling: uploaded ")
    assert f"from {(NOW + timedelta(days=5)).date()} on" in reason
    trust(locked, "cooldown: {exceptions: [{requirement: litellm>=1.2, reason: a hole}]}\n")
    assert locked.run("--json", "outdated", TARGET).json()["targets"][0]["closes"] == "1.2"


# What is told of a new lock.


def test_a_first_lock_tells_nothing(unlocked: World) -> None:
    assert concerns(unlocked) == {}


def test_a_file_that_was_rebuilt_is_the_loudest(locked: World) -> None:
    old = wheels(locked)["aiohttp"].sha256
    put(locked, "aiohttp", "3.0", "async-timeout; python_full_version < '3.11.3'", "newcomer", payload=b"x" * 6_000_000)
    put(locked, "newcomer", "7")
    found = concerns(locked, "--upgrade")
    new = wheels(locked)["aiohttp"].sha256
    assert list(found) == ["rebuilt", "grew", "new"]
    assert found["rebuilt"] == ("aiohttp", f"3.0 sha256 {old[:12]}", f"3.0 sha256 {new[:12]}")
    assert found["grew"] == ("aiohttp", "1.2 kB", "6.0 MB")
    assert found["new"] == ("newcomer", "none", "7")


def test_a_file_that_python_runs_at_every_start_is_told(locked: World) -> None:
    put(locked, "aiohttp", "3.5", more={"aiohttp.pth": b"import os\n"})
    assert locked.run("lock", TARGET, "--upgrade").code == 3
    locked.write("litellm.yaml", f"{WHEELHOUSE}startup-files: [aiohttp]\n")
    assert concerns(locked, "--upgrade") == {"startup files": ("aiohttp", "none", "aiohttp.pth")}
    put(locked, "aiohttp", "3.6", more={"aiohttp.pth": b"import os\n", "sitecustomize.py": b""})
    assert concerns(locked, "--upgrade") == {"startup files": ("aiohttp", "aiohttp.pth", "sitecustomize.py")}


def test_what_to_look_at_is_told_once_for_all_targets_and_in_the_pull_request(locked: World) -> None:
    put(locked, "aiohttp", "3.5", "newcomer")
    put(locked, "newcomer", "7")
    summary = locked.root / "changes.md"
    done = locked.run("lock", "--upgrade", "--summary", str(summary))
    assert done.code == 0, done.err
    line = "new: newcomer: none -> 7: nothing led to it before; see who makes it, and what asks for it"
    assert f"\nlook at these twice:\n  {line} (all 4 that were locked)\n" in done.out
    assert summary.read_text().startswith(f"### Look at these twice\n\n    {line} (all 4 that were locked)\n\n### ")


# Publishers.

US = Publisher("GitHub", (("repository", "us/aiohttp"), ("workflow", "release.yml")))


def recorded(world: World, project: str, publisher: Publisher) -> None:
    """Make a lock say who published a project."""
    lock = Lock.parse(path_of(world).read_text(), "lock")
    wheels = [
        w if w.project != project else LockedWheel(**{**vars(w), "publishers": (publisher,)}) for w in lock.wheels
    ]
    path_of(world).write_text(Lock(lock.facts, tuple(wheels), lock.sections).render())


def provenance(world: World, wheel: str, document: object) -> None:
    world.index.facts.setdefault(wheel, {})["provenance"] = f"{world.index.address}../integrity/{wheel}"
    world.index.pages[f"/integrity/{wheel}"] = (
        document if isinstance(document, bytes) else json.dumps(document).encode()
    )


def said_of(publisher: dict[str, str]) -> object:
    bundle = {"publisher": publisher, "attestations": [{"version": 1, "envelope": {}, "verification_material": {}}]}
    return {"version": 1, "attestation_bundles": [bundle]}


def test_an_attestation_that_is_lost_is_told_and_what_is_kept_keeps_its_publisher(locked: World) -> None:
    recorded(locked, "aiohttp", US)
    put(locked, "extra-thing", "1")
    locked.write("litellm.yaml", WHEELHOUSE.replace("[prisma]", "[prisma, extra-thing]"))
    assert list(concerns(locked)) == ["new"]
    assert wheels(locked)["aiohttp"].publishers == (US,)
    put(locked, "aiohttp", "3.5")
    assert concerns(locked, "--upgrade") == {"attestation lost": ("aiohttp", "GitHub us/aiohttp release.yml", "none")}


@pytest.mark.parametrize(
    "document",
    [b"{}", b"[" * 1000, said_of({"kind": "GitHub", "repository": "us/aiohttp", "workflow": "release.yml"})],
    ids=["nothing", "nested", "unsigned"],
)
def test_an_attestation_that_does_not_hold_is_refused(locked: World, document: object) -> None:
    before = path_of(locked).read_text()
    wheel = put(locked, "aiohttp", "3.5")
    provenance(locked, wheel.name, document)
    done = locked.run("lock", TARGET, "--upgrade")
    assert done.code == 3
    assert f"{wheel.name}: what the index serves as proof of its publisher does not hold" in done.err
    assert path_of(locked).read_text() == before


def test_an_attestation_that_is_listed_and_not_served_is_unreachable(locked: World) -> None:
    wheel = put(locked, "aiohttp", "3.5")
    provenance(locked, wheel.name, {})
    locked.index.pages.clear()
    assert locked.run("lock", TARGET, "--upgrade").code == 4


def test_a_publisher_of_a_kind_that_is_not_known_is_not_recorded(locked: World) -> None:
    recorded(locked, "aiohttp", US)
    wheel = put(locked, "aiohttp", "3.5")
    provenance(locked, wheel.name, said_of({"kind": "Newcomer"}))
    done = locked.run("--json", "lock", TARGET, "--upgrade")
    assert done.code == 0, done.err
    after = done.json()["locks"][0]["concerns"][0]["after"]
    assert after == "not verified: publishers of the kind 'Newcomer' are not known"
    assert wheels(locked)["aiohttp"].publishers == ()
