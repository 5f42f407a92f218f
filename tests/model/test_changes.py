from __future__ import annotations

from bundler.model.changes import Change, Shared, changes_between, shared
from bundler.model.locked_wheel import LockedWheel


def wheel(project: str, version: str, sha256: str = "a", filename: str = "x.whl") -> LockedWheel:
    return LockedWheel(project, version, filename, 1, sha256)


def test_what_came_went_and_changed_is_told_by_project() -> None:
    before = [wheel("gone", "1"), wheel("same", "1"), wheel("moved", "1"), wheel("anew", "1")]
    after = [wheel("same", "1"), wheel("moved", "2"), wheel("came", "1"), wheel("anew", "1", "b", "anew.whl")]
    changes = changes_between(before, after)
    assert list(map(str, changes)) == ["anew 1: anew.whl", "+ came 1", "- gone 1", "moved 1 -> 2"]
    assert changes_between(after, after) == ()


def test_each_change_is_told_once_what_most_targets_share_first() -> None:
    one, two, other = Change("a", "1", "2"), Change("b", "", "1"), Change("c", "1", "")
    groups = shared([("x", [other]), ("y", [one, two]), ("z", [one, two, other]), ("w", [])])
    assert groups == (Shared(("x", "z"), (other,)), Shared(("y", "z"), (one, two)))
    assert shared([("x", [one]), ("y", [two]), ("z", [two])])[0] == Shared(("y", "z"), (two,))
