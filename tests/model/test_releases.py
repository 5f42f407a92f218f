from __future__ import annotations

import pytest

from bundler.model.interpreter import Interpreter
from bundler.model.releases import WALKED, ReleaseFile, Tried, newer_releases, own_fault, search

PYTHON = Interpreter("3.11.2", "linux-amd64", 36)
NOW = "2026-06-01T00:00:00Z"


def file(version: str, tag: str = "py3-none-any", **more: object) -> ReleaseFile:
    return ReleaseFile(f"demo-{version}-{tag}.whl", **more)  # type: ignore[arg-type]


def test_newest_first_without_what_pip_leaves_out() -> None:
    late = file("1.9", uploaded="2026-06-02T00:00:00Z")
    files = [
        *(file("1.10"), file("1.2", uploaded="2026-05-01T10:00:00.5Z"), file("1.2", "cp311-cp311-win_amd64")),
        *(file("1.3rc1"), file("1.4.dev1"), file("1.5", yanked=True), file("1.0"), late, file("1.6", uploaded="x")),
        ReleaseFile("nonsense.whl"),
    ]
    found = newer_releases(files, "1.0", NOW)
    assert list(found) == ["1.10", "1.2"]
    assert len(found["1.2"]) == 2


@pytest.mark.parametrize(
    ("files", "fault"),
    [
        ([file("1")], ""),
        ([file("1", requires_python=">=3.9")], ""),
        ([file("1", requires_python=">=3.12")], "it requires Python >=3.12"),
        ([file("1", requires_python="nonsense")], ""),
        ([file("1", "cp312-abi3-manylinux_2_17_x86_64")], "it has no wheel for the target"),
        ([file("1", "cp310-abi3-manylinux_2_40_x86_64")], "it has no wheel for the target"),
        ([file("1", "cp310-abi3-manylinux_2_17_x86_64"), file("1", "cp310-abi3-win_amd64")], ""),
    ],
)
def test_what_a_releases_own_wheels_say(files: list[ReleaseFile], fault: str) -> None:
    assert own_fault(files, PYTHON) == fault


@pytest.mark.parametrize("boundary", [0, 1, WALKED - 1, WALKED, WALKED + 1, 57, 98, 99, 100])
def test_the_newest_that_closes_is_found_with_few_looks(boundary: int) -> None:
    versions = [str(100 - number) for number in range(100)]
    closing = set(versions[boundary:])
    tried = list(search(versions, lambda v: Tried(v, "proven" if v in closing else ""), every=False))
    found = sorted((one.version for one in tried if one.closes), key=int, reverse=True)
    assert found[:1] == versions[boundary : boundary + 1]
    assert len(tried) <= WALKED + 7
    assert len({one.version for one in tried}) == len(tried)


def test_every_one_is_looked_at_if_that_is_asked_for() -> None:
    versions = [str(100 - number) for number in range(100)]
    assert [one.version for one in search(versions, lambda v: Tried(v, "proven"), every=True)] == versions
