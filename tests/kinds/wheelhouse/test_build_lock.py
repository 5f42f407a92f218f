from __future__ import annotations

from dataclasses import replace

import pytest
from packaging.tags import parse_tag

from bundler.errors import LockError
from bundler.kinds.wheelhouse.build_lock import BuildFacts, BuildLock, Product, fitting, runs_here
from bundler.kinds.wheelhouse.manifest import SourceArchive
from bundler.model.known_bad import package
from bundler.model.locked_wheel import LockedWheel, Source

SOURCE = Source("a" * 40, "b" * 64)
WHEELS = (
    LockedWheel("maker", "1.0", "maker-1.0-py3-none-any.whl", 10, "c" * 64),
    LockedWheel("part", "2.0", "part-2.0-cp311-cp311-manylinux_2_17_aarch64.whl", 11, "d" * 64),
    LockedWheel("part", "2.0", "part-2.0-cp311-cp311-manylinux_2_17_x86_64.whl", 12, "e" * 64),
)
PRODUCT = Product("litellm", "1.0", "litellm-1.0-py3-none-any.whl", 99, "f" * 64)
LOCK = BuildLock(BuildFacts("litellm", SOURCE, ("maker",), "3.11", "pip-compile 7", PRODUCT), WHEELS)


def test_what_is_written_is_read() -> None:
    assert BuildLock.parse(LOCK.render(), "x") == LOCK
    assert BuildLock.parse(LOCK.render(), "x").render() == LOCK.render()


def test_it_names_no_host() -> None:
    assert "://" not in LOCK.render()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (f'sha256 = "{"c" * 64}"\n', ""),
        (f'sha256 = "{"c" * 64}"', 'md5 = "c"'),
        (f'"{"c" * 64}"', '"cc"'),
        ("size = 10\n", ""),
        ("size = 10\n", "size = 0\n"),
        ("maker-1.0-py3-none-any.whl", "../maker-1.0-py3-none-any.whl"),
        ("litellm-1.0-py3-none-any.whl", "litellm-1.0-cp311-cp311-linux_x86_64.whl"),
        ("a" * 40, "latest"),
        ('python = "3.11"', 'python = "3"'),
        ("[tool.aiws-bundle]", "[tool.another]"),
        ("lock-version", "lock-versio"),
        ("[[packages]]", "[[packages"),
    ],
)
def test_what_was_edited_by_hand_is_refused(old: str, new: str) -> None:
    text = LOCK.render()
    assert old in text
    with pytest.raises(LockError, match="x is not a build lock") as caught:
        BuildLock.parse(text.replace(old, new), "x", "run this")
    assert caught.value.hint == "run this"


def test_it_serves_its_own_source_only() -> None:
    source = SourceArchive("https://example.org/x.zip", SOURCE.commit, SOURCE.sha256)
    assert LOCK.staleness("litellm", source) is None
    assert LOCK.staleness("litellm", replace(source, address="https://example.org/moved.zip")) is None
    assert "another" in str(LOCK.staleness("another", source)) or LOCK.staleness("another", source)
    assert "source changed" in str(LOCK.staleness("litellm", replace(source, sha256="0" * 64)))
    assert "source changed" in str(LOCK.staleness("litellm", replace(source, commit="0" * 40)))


def test_the_wheel_for_this_machine_is_taken() -> None:
    tags = [*parse_tag("cp311-cp311-manylinux_2_17_aarch64"), *parse_tag("py3-none-any")]
    assert [wheel.filename for wheel in fitting(WHEELS, "3.11", tags)] == [WHEELS[0].filename, WHEELS[1].filename]


def test_where_no_wheel_fits_the_error_names_the_python() -> None:
    with pytest.raises(LockError, match=r"do not fit Python 3\.13"):
        fitting(WHEELS, "3.13", list(parse_tag("py3-none-any")))


def test_wheels_for_other_systems_are_not_locked() -> None:
    assert runs_here("a-1-py3-none-any.whl") and runs_here("a-1-py3-none-manylinux_2_17_x86_64.whl")
    assert not runs_here("a-1-py3-none-win_amd64.whl") and not runs_here("a-1-py3-none-macosx_11_0_arm64.whl")


def test_what_is_known_to_be_bad_of_what_a_build_takes_or_makes() -> None:
    assert LOCK.bad({package("maker", "1.0"): "stolen"}) == "maker 1.0 is known to be bad: stolen"
    assert LOCK.bad({"e" * 64: "stolen"}) == f"the file with SHA-256 {'e' * 64} is known to be bad: stolen"
    assert LOCK.bad({package("litellm", "1"): "stolen"}).startswith("litellm 1.0 ")
    assert LOCK.bad({package("part", "2.1"): "stolen", "0" * 64: "stolen"}) == ""
