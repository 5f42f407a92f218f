"""Versions that a manifest calls bad, and wheels with files that Python runs whenever it starts: nothing takes them."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bundler.model.bundle import File, text_file
from tests.archives import Entries, content_of, repack
from tests.world import WHEELHOUSE, World, make_wheel

# Whole commands, or other programs: each takes a good part of a second.
pytestmark = pytest.mark.slow

ASSET = "litellm-runtime-debian-12-amd64.tar.gz"
NOTHING_OF_AIOHTTP = ["async-timeout; python_full_version < '3.11.3'"]
RUN = (
    "aiohttp-3.0-py3-none-any.whl: Python would run its evil.pth at every start; look into it, and only if it is meant"
)


def known_bad(*requirements: str) -> str:
    return f"known-bad: [{{requirements: [{', '.join(requirements)}], reason: an attacker made it}}]\n"


def lock_of(world: World) -> Path:
    return world.root / "manifests" / "locks" / "pylock.litellm-debian-12-amd64.toml"


@pytest.fixture
def built(locked: World, dist_of: Callable[[str], Path]) -> World:
    shutil.copytree(dist_of("debian-12-amd64"), locked.dist)
    return locked


def test_lock_does_not_choose_a_version_that_is_known_to_be_bad(unlocked: World) -> None:
    make_wheel(unlocked.index.folder, "aiohttp", "3.5", NOTHING_OF_AIOHTTP)
    unlocked.write("litellm.yaml", WHEELHOUSE + known_bad("aiohttp==3.5"))
    assert unlocked.run("lock", "debian-12-amd64").code == 0
    assert "aiohttp-3.0-" in lock_of(unlocked).read_text()


def test_lock_set_does_not_beat_it(locked: World) -> None:
    make_wheel(locked.index.folder, "aiohttp", "3.5", NOTHING_OF_AIOHTTP)
    locked.write("litellm.yaml", WHEELHOUSE + known_bad("litellm==1.1", "aiohttp==3.5"))
    before = lock_of(locked).read_text()
    for choice, told in (
        ("litellm=1.1", "litellm 1.1 is known to be bad: an attacker made it"),
        ("aiohttp=3.5", "aiohttp"),
    ):
        done = locked.run("lock", "debian-12-amd64", "--set", choice)
        assert done.code == 2
        assert told in done.err
    assert lock_of(locked).read_text() == before


def trusted(world: World, text: str) -> None:
    world.write("trust.yaml", f"known-bad: [{{{text}, reason: an attacker made it}}]\n")


def sound(world: World) -> bool:
    """Whether what there is can be checked, built and verified."""
    return not any(world.run(*words).code for words in (["check"], ["build", "debian-12-amd64"], ["verify", "dist"]))


def test_what_trust_yaml_names_is_refused_by_all_and_locked_anew(built: World) -> None:
    make_wheel(built.index.folder, "aiohttp", "3.5", NOTHING_OF_AIOHTTP)
    trusted(built, "requirement: aiohttp==3.0")
    told = "aiohttp 3.0 is known to be bad: an attacker made it"
    for words, code in ((("check",), 2), (("lock", "--check"), 2), (("verify", "dist"), 3)):
        done = built.run(*words)
        assert (done.code, told in done.out) == (code, True), (words, done)
    done = built.run("build", "debian-12-amd64")
    assert (done.code, told in done.err) == (2, True)
    assert built.run("lock").code == 0
    assert "aiohttp-3.5-" in lock_of(built).read_text()
    assert sound(built)


def test_one_file_is_refused_by_its_digest_whatever_it_is_called(built: World) -> None:
    bad = hashlib.sha256((built.index.folder / "aiohttp-3.0-py3-none-any.whl").read_bytes()).hexdigest()
    trusted(built, f"requirement: something-else==1, sha256: '{bad}'")
    told = f"the file with SHA-256 {bad} is known to be bad: an attacker made it (something-else==1)"
    for words, code in ((("check",), 2), (("lock", "--check"), 2), (("verify", "dist"), 3)):
        done = built.run(*words)
        assert (done.code, told in done.out) == (code, True), (words, done)
    done = built.run("build", "debian-12-amd64", "--force")
    assert (done.code, told in done.err) == (2, True)
    done = built.run("lock", "debian-12-amd64")
    assert (done.code, told in done.err) == (2, True), "the index has no other version"


def test_another_file_of_a_version_is_not_the_bad_one(built: World) -> None:
    trusted(built, f"requirement: aiohttp==3.0, sha256: {'a' * 64}")
    assert sound(built)


def test_a_manifest_that_asks_for_one_is_told_in_its_place(locked: World) -> None:
    more = "overrides: [{targets: [debian-13], requirement: litellm==1.1}]\n"
    locked.write("litellm.yaml", WHEELHOUSE + known_bad("litellm==1.1.0") + more)
    done = locked.run("check")
    assert done.code == 2
    assert "litellm.yaml:9:49: overrides.0.requirement: litellm 1.1 is known to be bad: an attacker made it" in done.out


def test_what_was_locked_or_built_before_is_found_and_locked_anew(built: World) -> None:
    make_wheel(built.index.folder, "aiohttp", "3.5", NOTHING_OF_AIOHTTP)
    built.write("litellm.yaml", WHEELHOUSE + known_bad("aiohttp==3.0"))
    told = "aiohttp 3.0 is known to be bad: an attacker made it"
    for words, code in ((("check",), 2), (("lock", "--check"), 2), (("verify", "dist"), 3)):
        done = built.run(*words)
        assert (done.code, told in done.out) == (code, True), (words, done)
    done = built.run("build", "debian-12-amd64")
    assert done.code == 2
    assert told in done.err
    assert built.run("lock").code == 0
    assert "aiohttp-3.5-" in lock_of(built).read_text()
    assert built.run("build", "debian-12-amd64").code == 0
    assert built.run("verify", "dist").code == 0


def test_verify_without_manifests_knows_of_none(built: World) -> None:
    shutil.rmtree(built.root / "manifests")
    assert built.run("verify", "dist").code == 0


def test_a_release_that_holds_one_is_found(built: World) -> None:
    built.write("litellm.yaml", WHEELHOUSE + known_bad("orjson==3.1"))
    (archive,) = built.run("--json", "verify", f"dist/{ASSET}").json()["archives"]
    assert archive["integrity"] == ["orjson 3.1 is known to be bad: an attacker made it"]


def spoil(world: World) -> None:
    make_wheel(world.index.folder, "aiohttp", "3.0", NOTHING_OF_AIOHTTP, more={"evil.pth": b"import os\n"})


def test_lock_refuses_a_wheel_that_python_would_run_at_every_start(unlocked: World) -> None:
    spoil(unlocked)
    done = unlocked.run("lock", "debian-12-amd64")
    assert done.code == 3
    assert RUN in done.err
    assert "allow it in the manifest: `startup-files: [aiohttp]`" in done.err
    assert not lock_of(unlocked).exists()


def test_a_wheel_that_the_manifest_allows_is_locked_built_and_verified(unlocked: World) -> None:
    spoil(unlocked)
    unlocked.write("litellm.yaml", WHEELHOUSE + "startup-files: [AioHTTP]\n")
    assert unlocked.run("lock", "debian-12-amd64").code == 0
    assert unlocked.run("build", "debian-12-amd64").code == 0
    assert unlocked.run("verify", "dist").code == 0
    unlocked.write("litellm.yaml", WHEELHOUSE)
    done = unlocked.run("lock", "debian-12-amd64", "--check")
    assert "startup-files was ['aiohttp'], is []" in done.out
    done = unlocked.run("lock", "debian-12-amd64")
    assert done.code == 3, "what the old lock was allowed to hold is looked into once more"
    assert RUN in done.err


def _without_permission(allowed: str) -> Callable[[Entries], object]:
    """What takes from the lock inside that a wheel may be there."""

    def change(entries: Entries) -> None:
        for path, entry in entries.items():
            if path.endswith("lock.toml") and isinstance(entry, File):
                entries[path] = text_file(path, content_of(entry).replace(allowed.encode(), b"\n"))

    return change


def test_build_and_verify_refuse_it_whatever_was_locked(unlocked: World) -> None:
    spoil(unlocked)
    unlocked.write("litellm.yaml", WHEELHOUSE + "startup-files: [aiohttp]\n")
    assert unlocked.run("lock", "debian-12-amd64").code == 0
    assert unlocked.run("build", "debian-12-amd64").code == 0
    allowed = '\nstartup-files = [\n    "aiohttp",\n]\n'
    text = lock_of(unlocked).read_text()
    lock_of(unlocked).write_text(text.replace(allowed, '\nstartup-files = [\n    "other",\n]\n'))
    done = unlocked.run("build", "debian-12-amd64", "--force")
    assert done.code == 2
    assert "its list of startup-files was changed" in done.err
    repack(unlocked.dist / ASSET, _without_permission(allowed), listed=True)
    (unlocked.dist / "SHA256SUMS").unlink()
    done = unlocked.run("verify", f"dist/{ASSET}")
    assert done.code == 3
    assert RUN in done.out


def test_wheels_that_stay_are_not_fetched_once_more(locked: World) -> None:
    locked.write("litellm.yaml", WHEELHOUSE.replace("litellm[proxy]==1.0", "litellm[proxy]==1.1"))
    shutil.rmtree(locked.root / "cache", ignore_errors=True)
    locked.index.requests.clear()
    assert locked.run("lock", "debian-12-amd64").code == 0
    fetched = {path.rpartition("/")[2] for path in locked.index.requests if path.endswith(".whl")}
    assert fetched == {"litellm-1.1-py3-none-any.whl"}
