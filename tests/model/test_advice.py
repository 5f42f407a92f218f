from __future__ import annotations

import pytest

from bundler.model.advice import joined, lock_again


def test_a_command_names_what_is_to_be_locked() -> None:
    assert lock_again() == "run `aiws-bundle lock`"
    assert lock_again(["debian-12-amd64", "arm64"]) == "run `aiws-bundle lock debian-12-amd64 arm64`"
    assert lock_again(["arm64"], ["a", "b", "a"]) == "run `aiws-bundle lock arm64 --component a --component b`"


@pytest.mark.parametrize(
    ("hints", "expected"),
    [
        ([], ""),
        (["", ""], ""),
        (["", "look there"], "look there"),
        ([lock_again(["a"])], lock_again(["a"])),
        ([lock_again(["a"]), lock_again(["b", "a"])], lock_again(["a", "b"])),
        ([lock_again(["a"]), lock_again()], lock_again()),
        ([lock_again(["a"], ["x"]), lock_again(["b"], ["y"])], lock_again(["a", "b"], ["x", "y"])),
        ([lock_again((), ["x"]), lock_again(["b"], ["y"])], lock_again((), ["x", "y"])),
        ([lock_again(["a"], ["a"]), lock_again(["b"], ["x"])], lock_again(["a", "b"], ["a", "x"])),
        ([lock_again(["a"]), "look there"], lock_again(["a"])),
        (
            [lock_again((), ["x"]), lock_again(["a"]), lock_again(["b"])],
            "run `aiws-bundle lock a b && aiws-bundle lock --component x`",
        ),
    ],
)
def test_several_hints_become_one_that_locks_all(hints: list[str], expected: str) -> None:
    assert joined(hints) == expected
