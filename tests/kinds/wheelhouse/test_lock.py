from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.markers import Marker
from packaging.pylock import Pylock, is_valid_pylock_path
from packaging.specifiers import SpecifierSet

from bundler.errors import LockError
from bundler.kinds.wheelhouse.lock import Lock, MalformedLockError, facts_for, hint_of
from bundler.kinds.wheelhouse.request import Request
from bundler.model.interpreter import Interpreter
from bundler.model.locked_wheel import LockedWheel
from bundler.model.publisher import PROVEN, Publisher
from bundler.model.target import Target, select
from tests.model.samples import (
    COSTLY_PROPERTY,
    DEBIAN_12,
    LOCKS,
    PROPERTY,
    REQUEST,
    UBUNTU_26,
    WHEEL,
    real_manifests,
    request_of,
)

MANIFESTS = real_manifests()
HINT = f"packages/ab/cd/{'0' * 60}"
FACTS = facts_for(REQUEST, "uv 0.9", "2026-11-24T00:00:00Z", {})
LOCK = Lock(FACTS, (WHEEL, replace(WHEEL, project="pip", filename="pip-1.0-py3-none-any.whl", hint=HINT)))


every_target = pytest.mark.parametrize("target", MANIFESTS.targets, ids=lambda target: target.name)


def committed(target: Target) -> str:
    return (LOCKS / f"pylock.litellm-{target.slug}.toml").read_text(encoding="utf-8")


@cache
def committed_lock(target: Target) -> Lock:
    return Lock.parse(committed(target), "x")


@cache
def committed_pylock(target: Target) -> Pylock:
    return Pylock.from_dict(tomllib.loads(committed(target)))


def refused(text: str, name: str = "locks/pylock.litellm-debian-12-amd64.toml", again: str = "") -> MalformedLockError:
    with pytest.raises(MalformedLockError) as caught:
        Lock.parse(text, name, again)
    assert caught.value.exit_code == 2
    return caught.value


# The committed locks.


@every_target
def test_a_committed_lock_serves_what_the_manifests_ask(target: Target) -> None:
    lock = committed_lock(target)
    assert lock.staleness(request_of(MANIFESTS, "litellm", target)) is None
    assert lock.effective(request_of(MANIFESTS, "litellm", target)).requirements == lock.facts.requirements


@every_target
def test_a_committed_lock_is_as_it_would_be_written(target: Target) -> None:
    assert committed_lock(target).render() == committed(target)


@every_target
def test_a_committed_lock_names_no_address(target: Target) -> None:
    assert not re.search(r"https?:|://|\burl\b|\bindex\b", committed(target))


@every_target
def test_a_committed_lock_holds_one_wheel_a_package_sorted_and_nothing_else(target: Target) -> None:
    pylock = committed_pylock(target)
    pylock.validate()
    assert is_valid_pylock_path(LOCKS / f"pylock.litellm-{target.slug}.toml")
    names = [package.name for package in pylock.packages]
    assert names == sorted(set(names))
    for package in pylock.packages:
        assert not (package.sdist or package.vcs or package.archive or package.directory)
        (wheel,) = package.wheels or ()
        assert wheel.path == wheel.name
        assert set(wheel.hashes) == {"sha256"}
    filenames = [wheel.filename for wheel in committed_lock(target).wheels]
    assert len(set(filenames)) == len(filenames) > 90


@every_target
def test_a_committed_lock_is_for_its_target_alone(target: Target) -> None:
    pylock = committed_pylock(target)
    (marker,) = pylock.environments or ()
    request = request_of(MANIFESTS, "litellm", target)
    for other in MANIFESTS.targets:
        environment = Interpreter(request.python.version, other.platform, other.floor).environment()
        assert marker.evaluate(dict(environment)) is (other.platform == target.platform)  # type: ignore[arg-type]
    assert pylock.requires_python is not None
    assert pylock.requires_python.contains(request.python.version)
    assert pylock.requires_python.contains(f"{request.python.minor}.99")
    assert not pylock.requires_python.contains(f"3.{int(request.python.minor[2:]) + 1}.0")


# Text and value.

_HEX = st.text("0123456789abcdef", min_size=64, max_size=64)
_VERSIONS = st.sampled_from(["1", "1.0", "2!1.0", "1.2.3.4", "1.0rc1", "1.0.post1", "1.0.dev2", "1.0+local.1"])


_MOMENTS = st.datetimes(datetime(2000, 1, 1), timezones=st.just(UTC)).map(lambda moment: moment.replace(microsecond=0))
_WORDS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)
_PUBLISHERS = st.builds(
    lambda kind, word: Publisher(kind, tuple((name, word) for name in PROVEN[kind])),
    st.sampled_from(sorted(PROVEN)),
    _WORDS,
)


@st.composite
def _wheels(draw: st.DrawFn, project: str) -> LockedWheel:
    version = draw(_VERSIONS)
    tag = draw(st.sampled_from(["py3-none-any", "cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64"]))
    return LockedWheel(
        project=project,
        version=version,
        filename=f"{project.replace('-', '_')}-{version}-{tag}.whl",
        size=draw(st.integers(1, (1 << 31) - 1)),
        sha256=draw(_HEX),
        hint=draw(st.one_of(st.none(), _HEX.map(lambda digest: f"packages/{digest[:2]}/{digest[2:4]}/{digest[4:]}"))),
        uploaded=draw(st.none() | _MOMENTS),
        publishers=tuple(sorted(draw(st.sets(_PUBLISHERS, max_size=2)))),
    )


@st.composite
def _locks(draw: st.DrawFn) -> Lock:
    projects = draw(st.sets(st.sampled_from(["a", "a-b", "litellm", "x0", "z9-y-x"])))
    words = st.text(max_size=20)
    facts = replace(
        FACTS,
        target=draw(st.sampled_from([DEBIAN_12.name, UBUNTU_26.name])),
        manifest_sha256=draw(_HEX),
        requirements=tuple(draw(st.lists(st.sampled_from(["pip>=25.1", "prisma", "a[b]==1,<2"])))),
        python=draw(st.sampled_from(["3.9.2", "3.13.18"])),
        portable=draw(st.booleans()),
        resolver=draw(words),
        set=draw(st.dictionaries(st.sampled_from(["a", "b-c"]), st.sampled_from(["1", "2.0rc1"]), max_size=2)),
    )
    return Lock(facts, tuple(draw(_wheels(project)) for project in sorted(projects)))


@COSTLY_PROPERTY
@given(_locks())
def test_what_is_written_is_read_back_and_valid(lock: Lock) -> None:
    text = lock.render()
    assert Lock.parse(text, "x") == lock
    Pylock.from_dict(tomllib.loads(text)).validate()
    assert Lock.parse(text, "x").render() == text


def test_the_lock_is_exactly_this_text() -> None:
    assert (
        replace(LOCK, wheels=LOCK.wheels[1:]).render()
        == f"""\
# Written by `aiws-bundle lock`; edit the manifests instead.
lock-version = "1.0"
environments = [
    "sys_platform == \\"linux\\" and platform_machine == \\"x86_64\\" and implementation_name == \\"cpython\\"",
]
requires-python = "==3.11.*,>=3.11.2"
created-by = "aiws-bundle"

[[packages]]
name = "pip"
version = "1.0"

[[packages.wheels]]
name = "pip-1.0-py3-none-any.whl"
path = "pip-1.0-py3-none-any.whl"
size = 12

[packages.wheels.hashes]
sha256 = "{"a" * 64}"

[packages.tool.aiws-bundle]
hint = "{HINT}"

[tool.aiws-bundle]
target = "debian-12-amd64"
manifest-sha256 = "{REQUEST.digest()}"
requirement = "litellm[proxy]==1.0"
requirements = [
    "litellm[proxy]==1.0",
    "prisma",
    "pip>=25.1",
    "setuptools",
]
python = "3.11.2"
portable = false
glibc = "2.36"
resolver = "uv 0.9"
exclude-newer = "2026-11-24T00:00:00Z"
"""
    )


def test_when_and_by_whom_a_wheel_was_published_stands_where_pep_751_has_it() -> None:
    publisher = Publisher("GitHub", (("repository", "us/demo"), ("workflow", "release.yml")))
    moment = datetime(2026, 11, 20, 1, 2, 3, tzinfo=UTC)
    text = Lock(FACTS, (replace(LOCK.wheels[1], uploaded=moment, publishers=(publisher,)),)).render()
    assert "\nupload-time = 2026-11-20 01:02:03+00:00\n" in text
    identity = '    { kind = "GitHub", repository = "us/demo", workflow = "release.yml" },\n'
    assert f"\nattestation-identities = [\n{identity}]\n" in text
    for old, new, words in (
        ("01:02:03+00:00", "01:02:03.5+00:00", "an upload-time in UTC"),
        ("01:02:03+00:00", "01:02:03+01:00", "an upload-time in UTC"),
        (" 01:02:03+00:00", "T01:02:03", "an upload-time in UTC"),
        ("2026-11-20 01:02:03+00:00", '"2026-11-20"', "upload-time"),
        ('kind = "GitHub"', 'kind = "Newcomer"', "a publisher is of one of these kinds"),
        ('workflow = "release.yml"', 'workflow = "a b"', "has workflow, a word"),
        ('workflow = "release.yml"', 'workflow = "release.yml", more = "x"', "and no more"),
        (identity, identity * 2, "each is there once"),
    ):
        assert old in text
        with pytest.raises(LockError, match=words):
            Lock.parse(text.replace(old, new), "x")


def test_the_archives_own_copy_leads_to_the_wheels() -> None:
    text = LOCK.render("../packages/pip/")
    assert 'path = "../packages/pip/litellm-1.0-py3-none-any.whl"' in text
    assert Lock.parse(text, "x") == LOCK


def test_a_lock_is_for_its_machine_and_python() -> None:
    arm = Lock(replace(FACTS, target=UBUNTU_26.name, python="3.13.18"), ())
    pylock = Pylock.from_dict(tomllib.loads(arm.render()))
    assert pylock.environments == [
        Marker("sys_platform == 'linux' and platform_machine == 'aarch64' and implementation_name == 'cpython'")
    ]
    assert pylock.requires_python == SpecifierSet(">=3.13.18,==3.13.*")


# What is refused.

TEXT = LOCK.render()


def edited(old: str, new: str) -> str:
    changed, times = re.subn(old, lambda _: new, TEXT, count=1)
    assert times == 1
    return changed


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("x\n", 1, "line 1"),
        ("a = 1\nb = [\n1,\n}\n", 4, "line 4"),
        ("a = 1\na = 2\n", 2, "Cannot overwrite"),
        ("a = " + "[" * 8000, 0, "nested too deeply"),
        ("", 0, "lock-version"),
        (edited('"1.0"', '"2.0"'), 0, "version 2.0 is not supported"),
        (edited("lock-version = .*\n", ""), 0, "lock-version"),
        (edited("created-by = .*\n", ""), 0, "created-by"),
        (edited(r"(?s)\[tool.aiws-bundle\].*", ""), 0, "tool.aiws-bundle"),
        (edited(r"(?s)\[tool.aiws-bundle\].*", "[tool]\naiws-bundle = 5\n"), 0, "tool.aiws-bundle"),
        (edited(r"(?s)\[tool.aiws-bundle\].*", "[tool]\nother = {}\n"), 0, "tool.aiws-bundle"),
        (edited("(?m)^target = .*", "target = 5"), 0, "tool.aiws-bundle.target: Input should be a valid string"),
        (
            edited("(?m)^target = .*", "target = 'debian-12'"),
            0,
            "tool.aiws-bundle.target: Value error, 'debian",
        ),
        (edited("(?m)^glibc = .*\n", ""), 0, "tool.aiws-bundle.glibc: Field required"),
        (edited("(?m)^glibc = .*", "glibc = '3.0'"), 0, "tool.aiws-bundle.glibc: Value error, not a glibc version"),
        (edited("(?m)^glibc = .*", "macos = '11.0'"), 0, "tool.aiws-bundle.macos: Value error, not a glibc version"),
        (edited("(?m)^glibc = ", "macos = '11.0'\nglibc = "), 0, "tool.aiws-bundle.macos: Unexpected"),
        (edited("(?m)^glibc = ", "colour = 'red'\nglibc = "), 0, "tool.aiws-bundle.colour: Unexpected"),
        (edited("(?m)^portable = .*", "portable = 'perhaps'"), 0, "tool.aiws-bundle.portable"),
        (edited("(?m)^requires-python = .*", "requires-python = 'x'"), 0, "requires-python"),
        (edited("(?m)^size = .*", "size = 0"), 0, "litellm: a size from 1 byte to 2 GiB"),
        (edited("(?m)^size = .*", "size = -1"), 0, "size"),
        (edited("(?m)^size = .*", f"size = {1 << 31}"), 0, "litellm: a size from 1 byte to 2 GiB"),
        (edited("(?m)^size = .*", "size = true"), 0, "size"),
        (edited("(?m)^size = .*\n", ""), 0, "litellm: a size from 1 byte to 2 GiB"),
        (edited("sha256 = .*", f"sha256 = '{'A' * 64}'"), 0, "litellm: a plain file name and a SHA-256"),
        (edited("sha256 = .*", "sha256 = 'aa'"), 0, "litellm: a plain file name and a SHA-256"),
        (edited("sha256 = .*", f'sha256 = "{"a" * 64}\\n"'), 0, "litellm: a plain file name and a SHA-256"),
        (edited("sha256 = .*", f"md5 = '{'a' * 32}'"), 0, "litellm: a plain file name and a SHA-256"),
        (edited("sha256 = .*", "sha256 = 5"), 0, "Hash values must be strings"),
        (edited("(?m)^version = .*\n", ""), 0, "litellm: exactly one wheel and a version"),
        (edited("(?m)^version = .*", "version = '2.0'"), 0, "not consistent"),
        (edited("(?m)^version = .*", "version = 'x'"), 0, "version"),
        (edited("(?m)^name = .*", "name = 'other'"), 0, "not consistent"),
        (edited("(?m)^name = .*", "name = 'LiteLLM'"), 0, "not normalized"),
        (edited(r"\[packages.wheels.hashes\]", "[[packages.wheels]]\nname='x'\n[packages.wheels.hashes]"), 0, "hashes"),
        (edited("(?m)^hint = .*", "hint = 'packages/../../x'"), 0, "pip: a hint is a folder below packages/"),
        (edited("(?m)^hint = .*", f'hint = "{HINT}\\n"'), 0, "pip: a hint is a folder below packages/"),
        (edited("(?m)^hint = .*", f"hint = 'https://example.org/{HINT}'"), 0, "pip: a hint is a folder"),
        (edited("(?m)^hint = .*", "hint = 5"), 0, "pip: a hint is a folder below packages/"),
        (edited(r"(?m)^\[packages.tool.*\]\nhint = .*", "[packages.tool]\naiws-bundle = 5"), 0, "pip: a hint is"),
        (edited(r"(?m)^\[packages.tool.*\]\nhint = .*", "[packages.tool]\naiws-bundle = 'x'"), 0, "pip: a hint is"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 80 else "",
)
def test_a_malformed_lock_is_told_with_its_line(text: str, line: int, words: str) -> None:
    error = refused(text)
    assert words in error.reason
    assert "\n" not in error.reason
    assert error.line == line
    assert error.message == f"locks/pylock.litellm-debian-12-amd64.toml is {error.reason}"


def test_a_package_of_two_wheels_is_refused() -> None:
    (wheel,) = re.findall(
        r"(?s)\[\[packages.wheels\]\].*?(?=\[packages.tool)", replace(LOCK, wheels=LOCK.wheels[1:]).render()
    )
    assert "pip: exactly one wheel" in refused(TEXT.replace(wheel, wheel + wheel)).reason


def test_a_package_that_is_no_wheel_is_refused() -> None:
    text = TEXT.replace(
        "[tool.aiws-bundle]", '[[packages]]\nname = "x"\n[packages.directory]\npath = "x"\n\n[tool.aiws-bundle]'
    )
    assert "x: exactly one wheel" in refused(text).reason


@pytest.mark.parametrize(
    "name",
    [
        "../litellm-1.0-py3-none-any.whl",
        ".litellm-1.0-py3-none-any.whl",
        "litellm-1.0-1/../x-py3-none-any.whl",
        "litellm-1.0-py3-none-any/x.whl",
        "litellm-1.0-py3-none-a ny.whl",
        "litellm-1.0-py3-none-any\\n.whl",
        "litellm-1.0-py3-none-any.whl\\n",
    ],
)
def test_a_file_name_that_is_not_plain_is_refused(name: str) -> None:
    refused(TEXT.replace("litellm-1.0-py3-none-any.whl", name))


@every_target
def test_a_malformed_lock_says_how_to_make_it_anew(target: Target) -> None:
    again = replace(REQUEST, target=target).again(target.name)
    assert refused("x", f"locks/pylock.litellm-{target.slug}.toml", again).hint == again
    assert again.startswith("run `aiws-bundle lock ")
    assert select(MANIFESTS.targets, [again.split()[-1].removesuffix("`")]) == (target,)


def test_a_malformed_lock_inside_an_archive_is_nothing_to_lock_anew() -> None:
    assert refused("x", "metadata/pylock.toml").hint == ""


@PROPERTY
@given(st.one_of(st.text(), st.text("[]{}=.\"'\n#ab1 ")))
def test_no_text_raises_anything_but_a_lock_error(text: str) -> None:
    with pytest.raises(LockError):
        Lock.parse(text, "x")


_LINES = TEXT.splitlines(keepends=True)


@PROPERTY
@given(
    st.integers(0, len(_LINES) - 1), st.sampled_from(["", "x = 5\n", "aiws-bundle = []\n", "[packages]\n", "[tool]\n"])
)
def test_no_changed_line_raises_anything_but_a_lock_error(number: int, line: str) -> None:
    try:
        Lock.parse("".join([*_LINES[:number], line, *_LINES[number + 1 :]]), "x")
    except LockError as error:
        assert "is not a lock that aiws-bundle wrote" in error.message


# Lock and request.


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (REQUEST, None),
        (replace(REQUEST, environment=(("A", "1"),)), None),
        (replace(REQUEST, target=UBUNTU_26), "it was made for debian-12-amd64"),
        (
            replace(REQUEST, python=Interpreter("3.11.9", "linux-amd64", 37)),
            "the manifests changed: Python was 3.11.2, is 3.11.9; glibc was 2.36, is 2.37",
        ),
        (replace(REQUEST, portable=True), "the manifests changed: portable was false, is true"),
        (
            replace(REQUEST, bootstrap=("pip>=26",)),
            "the manifests changed: pip>=25.1 is no longer asked for; setuptools is no longer asked for; "
            "pip>=26 is asked for",
        ),
        (replace(REQUEST, component="other"), "the manifests changed: another choice"),
        (
            replace(REQUEST, extra_requirements=("prisma", "pip>=25.1"), bootstrap=("setuptools",)),
            "the manifests changed: another choice",
        ),
    ],
)
def test_staleness_says_what_changed(request_: Request, reason: str | None) -> None:
    assert LOCK.staleness(request_) == reason


def test_a_lock_made_with_set_serves_the_manifests_and_pins_what_was_set() -> None:
    versions = {"litellm": "2.0", "aiohttp": "3.1"}
    facts = facts_for(REQUEST, "uv 0.9", "2026-11-24T00:00:00Z", versions)
    lock = Lock.parse(Lock(facts, ()).render(), "x")
    assert lock.facts == facts
    assert lock.staleness(REQUEST) is None
    assert lock.facts.requirement == "litellm[proxy]==2.0"
    assert lock.effective(REQUEST).requirements == lock.facts.requirements
    changed = replace(REQUEST, extra_requirements=())
    assert lock.staleness(changed) == "the manifests changed: prisma is no longer asked for"


def test_facts_are_the_requests() -> None:
    assert (FACTS.target, FACTS.python, FACTS.floor) == ("debian-12-amd64", "3.11.2", "2.36")
    assert (FACTS.portable, FACTS.set) == (False, {})
    assert FACTS.manifest_sha256 == REQUEST.digest()
    assert FACTS.requirements == REQUEST.requirements


@pytest.mark.parametrize(
    ("address", "hint"),
    [
        (f"https://example.org/{HINT}/x-1-py3-none-any.whl", HINT),
        (f"http://127.0.0.1:8080/root/mirror/{HINT}/x.whl", HINT),
        (f"../../{HINT}/x.whl", HINT),
        (f"https://example.org/{HINT}", None),
        (f"https://example.org/{HINT}/a/x.whl", None),
        (f"https://example.org/{HINT}0/x.whl", None),
        (f"https://example.org/{HINT.upper()}/x.whl", None),
        ("https://example.org/packages/x.whl", None),
        (f"{HINT}/x.whl", None),
        ("", None),
    ],
)
def test_a_hint_is_the_folder_that_names_the_content(address: str, hint: str | None) -> None:
    assert hint_of(address) == hint
