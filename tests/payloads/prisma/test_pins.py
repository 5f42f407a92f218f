from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import TypeAdapter, ValidationError

from bundler.errors import ManifestError, UsageError
from bundler.kinds.manifests import Manifests
from bundler.kinds.wheelhouse.lock import Lock, MalformedLockError, facts_for, lacking
from bundler.model.target import Target
from bundler.payloads.payload import Pinned
from bundler.payloads.prisma.choice import NODE_WHEEL, Database, Engines, platform_of
from bundler.payloads.prisma.pins import (
    REVISION,
    LockedClient,
    LockedDatabase,
    LockedEngine,
    MadeWheel,
    NpmPackage,
)
from tests.model.samples import DEBIAN_12, REQUEST, WHEEL, real_manifests, real_texts, request_of

COMMIT = "3" * 40
ENGINES = Engines(COMMIT, "https://engines.test/{commit}/{platform}/{engine}.gz")
CHOICE = Database("5.17.0", ENGINES, "wheel", "litellm/proxy/schema.prisma")
TARGET = replace(DEBIAN_12, openssl="3.0.x")
ASKED = replace(REQUEST, target=TARGET, sections=(("database", CHOICE),))
INTEGRITY = f"sha512-{'A' * 86}=="
CLI = NpmPackage(
    "prisma", "5.17.0", "Apache-2.0", "node_modules/prisma", "prisma/-/prisma-5.17.0.tgz", 9, "a" * 64, INTEGRITY
)
DEBUG = NpmPackage(
    "@x/debug", "1.0.0", "MIT", "node_modules/@x/debug", "@x/debug/-/debug-1.0.0.tgz", 8, "b" * 64, INTEGRITY
)
CLIENT = LockedClient("0.15.0", "prisma-0.15.0-py3-none-any.whl", 7, "e" * 64)
PLATFORM = "debian-openssl-3.0.x"
PINS = LockedDatabase(
    "5.17.0",
    COMMIT,
    PLATFORM,
    (
        LockedEngine("query-engine", ENGINES.address_of(PLATFORM, "query-engine"), 5, "c" * 64, "1" * 64),
        LockedEngine("schema-engine", ENGINES.address_of(PLATFORM, "schema-engine"), 6, "d" * 64, "2" * 64),
    ),
    (DEBUG, CLI),
    node=True,
    client=CLIENT,
    wheel=MadeWheel(REVISION, "prisma-0.15.0+aiws.1-py3-none-linux_x86_64.whl", 11, "f" * 64),
)


def lock(pins: LockedDatabase | None) -> Lock:
    sections: dict[str, Pinned] = {"database": pins} if pins else {}
    wheels = (WHEEL, pins.made) if pins else (WHEEL,)
    return Lock(facts_for(ASKED, "uv 0.9", "2026-11-24T00:00:00Z", {}, sections), wheels, tuple(sections.items()))


@pytest.mark.parametrize(
    ("arch", "openssl", "platform"),
    [
        ("amd64", "1.1.x", "debian-openssl-1.1.x"),
        ("amd64", "3.0.x", "debian-openssl-3.0.x"),
        ("arm64", "1.1.x", "linux-arm64-openssl-1.1.x"),
        ("arm64", "3.0.x", "linux-arm64-openssl-3.0.x"),
    ],
)
def test_platforms_are_named_as_prisma_names_them(arch: str, openssl: str, platform: str) -> None:
    assert platform_of(Target("debian", "12", arch, 36, None, openssl)) == platform  # type: ignore[arg-type]


def test_a_macs_engines_need_no_openssl() -> None:
    target = Target("macos", "11", "arm64", 11, None)
    assert platform_of(target) == "darwin-arm64"
    assert list(CHOICE.problems([target])) == []
    assert list(CHOICE.problems([DEBIAN_12])) == ["targets.yaml tells no openssl of debian-12-amd64"]


def test_a_target_without_openssl_has_no_platform() -> None:
    with pytest.raises(UsageError, match="debian-12-amd64"):
        platform_of(DEBIAN_12)


def test_every_real_target_has_a_platform_and_only_debian_11_the_old_openssl() -> None:
    platforms = {t.name: platform_of(t) for t in real_manifests().targets}
    assert {name for name, platform in platforms.items() if platform.endswith("1.1.x")} == {
        "debian-11-amd64",
        "debian-11-arm64",
    }


def test_the_real_manifest_asks_for_what_the_locked_prisma_wants() -> None:
    manifests = real_manifests()
    chosen = request_of(manifests, "litellm", manifests.targets[0]).choice("database")
    assert isinstance(chosen, Database)
    assert (chosen.prisma_cli, chosen.engines.commit[:8]) == ("5.17.0", "393aa359")


def test_a_lock_with_database_comes_back_the_same() -> None:
    text = lock(PINS).render()
    assert Lock.parse(text, "x") == lock(PINS)
    assert Lock.parse(text, "x").render() == text
    assert lacking(text, ASKED) == ()
    why = f"Prisma's engines for {PLATFORM} are not locked"
    assert lacking(lock(None).render(), ASKED) == (("database", why),)


def test_only_a_lock_with_database_asks_for_node() -> None:
    assert NODE_WHEEL in lock(PINS).facts.requirements
    assert NODE_WHEEL in lock(PINS).effective(ASKED).requirements
    assert NODE_WHEEL not in lock(None).facts.requirements
    assert NODE_WHEEL not in lock(None).effective(ASKED).requirements
    on_host = replace(ASKED, sections=(("database", replace(CHOICE, node="host")),))
    assert on_host.with_sections(["database"]) == on_host


def test_a_lock_without_database_is_not_stale_but_lacks_it() -> None:
    assert lock(None).staleness(ASKED) is None
    assert lock(None).lacking(ASKED)
    assert not lock(PINS).lacking(ASKED)
    assert not lock(None).lacking(REQUEST)


@pytest.mark.parametrize(
    "other",
    [
        replace(CHOICE, prisma_cli="5.18.0"),
        replace(CHOICE, engines=replace(ENGINES, commit="4" * 40)),
        replace(CHOICE, engines=replace(ENGINES, address="https://other.test/{commit}/{platform}/{engine}.gz")),
        replace(CHOICE, node="host"),
        None,
    ],
)
def test_another_choice_makes_the_lock_stale(other: Database | None) -> None:
    assert lock(PINS).staleness(ASKED) is None
    asked = replace(ASKED, sections=(("database", other),) if other else ())
    assert lock(PINS).staleness(asked) is not None
    assert lock(None).staleness(asked) is not None


def test_another_openssl_makes_the_lock_stale() -> None:
    assert lock(PINS).staleness(replace(ASKED, target=replace(TARGET, openssl="1.1.x"))) is not None


def test_every_pinned_file_has_a_digest_that_the_store_keeps() -> None:
    assert lock(PINS).digests() == {WHEEL.sha256, *("a" * 64, "b" * 64, "c" * 64, "d" * 64, "e" * 64, "f" * 64)}


def test_another_revision_of_what_is_ours_makes_the_lock_stale() -> None:
    name = PINS.wheel.filename.replace(f"+aiws.{REVISION}", f"+aiws.{REVISION + 1}")
    other = replace(PINS, wheel=replace(PINS.wheel, revision=REVISION + 1, filename=name))
    text = lock(other).render()
    assert f'version = "0.15.0+aiws.{REVISION + 1}"' in text
    # What another version of aiws-bundle wrote is stale, not malformed.
    assert Lock.parse(text, "x").staleness(ASKED) == "its database pins are for other choices"


def test_the_wheel_that_is_made_is_locked_with_all_others() -> None:
    text = lock(PINS).render()
    assert text.count(PINS.wheel.filename) == 3, "its name, its path, and what makes it"
    assert "0.15.0+aiws.1" not in lock(PINS).published().render().partition("[tool.")[0]
    alone = replace(lock(PINS), wheels=(WHEEL,)).render()
    with pytest.raises(MalformedLockError, match="is not among the packages"):
        Lock.parse(alone, "pylock.x.toml")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("node_modules/@x/debug", "node_modules/../../../etc"),
        ("node_modules/@x/debug", "/etc"),
        ("node_modules/@x/debug", "node_modules/.bin"),
        ("node_modules/@x/debug", "node_modules/prisma"),
        ("@x/debug/-/debug-1.0.0.tgz", "https://elsewhere.test/x.tgz"),
        ("@x/debug/-/debug-1.0.0.tgz", "../x.tgz"),
        ("sha512-A", "sha1-A"),
        ('prisma-cli = "5.17.0"', 'prisma-cli = "5.18.0"'),
        ('name = "schema-engine"', 'name = "query-engine"'),
        ("size = 6", "size = 0"),
        ("revision = 1", "revision = 0"),
        ('license = "MIT"', 'license = "MIT\\nsha256"'),
        ('"prisma-0.15.0-py3-none-any.whl"', '"other-0.15.0-py3-none-any.whl"'),
        ("size = 6", "size = 99999999999"),
    ],
)
def test_a_lock_that_was_tampered_with_is_refused(old: str, new: str) -> None:
    text = lock(PINS).render()
    assert old in text
    with pytest.raises(MalformedLockError):
        Lock.parse(text.replace(old, new), "pylock.x.toml")


@pytest.mark.parametrize(
    "address",
    [
        "https://x.test/{commit}/{platform}.gz",
        "https://x.test/{commit}/{platform}/{engine}/{}",
        "https://x.test/{commit}/{platform}/{engine}/{:x}",
        "https://x.test/{commit}/{platform}/{engine}/{engine}",
        "https://x.test/{commit}/{platform}/{engine!r}",
        "https://x.test/{commit}/{platform}/{engine}/{",
        "http://x.test/{commit}/{platform}/{engine}",
    ],
)
def test_an_address_names_commit_platform_and_engine(address: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Engines).validate_python({"commit": COMMIT, "address": address})


def test_a_database_needs_to_know_every_targets_openssl() -> None:
    texts = real_texts()
    texts["targets.yaml"] = texts["targets.yaml"].replace(", openssl: 1.1.x", "")
    with pytest.raises(ManifestError) as caught:
        Manifests.parse(texts)
    (problem,) = caught.value.problems
    assert problem.file == "litellm.yaml"
    assert problem.line > 1
    assert problem.message == "database: targets.yaml tells no openssl of debian-11-amd64"


@pytest.mark.parametrize(
    "filename",
    [
        "prisma-0.15.0-py3-none-any\n    licence: MIT.whl",
        "prisma-0.15.0\n-py3-none-any.whl",
        "prisma-0.15.0-py3-none-\x1b[31many.whl",
    ],
)
def test_a_wheels_name_is_one_plain_word(filename: str) -> None:
    """It stands in NOTICE, and is printed."""
    for kind, more in ((LockedClient, {"version": "0.15.0"}), (MadeWheel, {"revision": 1})):
        with pytest.raises(ValidationError, match="a wheel of prisma"):
            TypeAdapter(kind).validate_python({"filename": filename, "size": 7, "sha256": "e" * 64, **more})
