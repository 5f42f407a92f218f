from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from bundler.errors import (
    BundleError,
    IntegrityError,
    LockError,
    ManifestError,
    Problem,
    ProofError,
    UnreachableError,
    UsageError,
    WorkError,
    from_os,
    gravest,
)

WORK, USAGE, LOCK = WorkError("w"), UsageError("u"), LockError("l")
INTEGRITY, UNREACHABLE = IntegrityError("i"), UnreachableError("n")
MANIFEST, PROOF = ManifestError([]), ProofError("s", ["f"])


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (WORK, 1),
        (PROOF, 1),
        (USAGE, 2),
        (LOCK, 2),
        (MANIFEST, 2),
        (INTEGRITY, 3),
        (UNREACHABLE, 4),
        (BundleError("b"), 1),
    ],
)
def test_each_family_ends_with_its_exit_code(error: BundleError, code: int) -> None:
    assert error.exit_code == code
    assert gravest([error]) == code


@pytest.mark.parametrize(
    ("errors", "code"),
    [
        ([], 0),
        ([WORK, UNREACHABLE], 4),
        ([UNREACHABLE, WORK, LOCK], 2),
        ([WORK, MANIFEST, INTEGRITY, UNREACHABLE], 3),
        ([PROOF, PROOF], 1),
    ],
)
def test_the_gravest_decides(errors: list[BundleError], code: int) -> None:
    assert gravest(errors) == gravest(errors[::-1]) == code


def test_a_message_and_what_to_do_next() -> None:
    error = LockError("what happened", "what to do")
    assert (str(error), error.message, error.hint) == ("what happened", "what happened", "what to do")
    assert LockError("what happened").hint == ""


def test_a_problem_names_file_line_and_column_as_far_as_they_are_known() -> None:
    assert str(Problem("a.yaml", 3, 7, "odd")) == "a.yaml:3:7: odd"
    assert str(Problem("a.yaml", 3, 0, "odd")) == "a.yaml:3: odd"
    assert str(Problem("a.yaml", 0, 0, "is missing")) == "a.yaml: is missing"


def test_a_manifest_error_tells_every_problem() -> None:
    problems = [Problem("a.yaml", 1, 2, "odd"), Problem("b.yaml", 0, 0, "is missing")]
    error = ManifestError(problems, "mend them")
    assert error.problems == tuple(problems)
    assert (error.message, error.hint) == ("a.yaml:1:2: odd\nb.yaml: is missing", "mend them")


def test_a_proof_error_tells_every_finding() -> None:
    error = ProofError("debian-12-amd64", ["missing: a", "surplus: b"], "lock anew")
    assert error.findings == ("missing: a", "surplus: b")
    assert error.message == "debian-12-amd64: the wheels do not close\n  - missing: a\n  - surplus: b"


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "the quota is used up"),
        (errno.EACCES, "may write"),
        (errno.EPERM, "may write"),
        (errno.EROFS, "can be written"),
        (errno.EIO, ""),
    ],
)
def test_what_the_system_refused_is_told_with_its_path_and_a_way_out(number: int, words: str) -> None:
    error = from_os(OSError(number, os.strerror(number), "/some/where"))
    assert error.exit_code == 1
    assert error.message == f"/some/where: {os.strerror(number)}"
    assert words in error.hint
    assert bool(error.hint) == bool(words)


def test_a_real_refusal(tmp_path: Path) -> None:
    with pytest.raises(OSError) as caught:
        (tmp_path / "no" / "where").write_bytes(b"")
    assert from_os(caught.value).message == f"{tmp_path}/no/where: No such file or directory"


@pytest.mark.parametrize(
    ("error", "message"), [(OSError("odd"), "odd"), (OSError(errno.ENOSPC, "No space left"), "No space left")]
)
def test_a_refusal_without_a_path(error: OSError, message: str) -> None:
    assert from_os(error).message == message
