"""The patch for Prisma Client Python: it fits word for word or not at all, and other programs read it as we do."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from bundler.payloads.prisma.patch import PatchError, apply
from tests.prisma_client import PATCH, client

TEXTS = {path: content.decode() for path, content in client("5.17.0", "c" * 40).items()}
SMALL = "--- a/x\n+++ b/x\n@@ -1,3 +1,3 @@\n one\n-two\n+zwei\n three\n"


def test_each_change_is_made_once() -> None:
    assert apply(SMALL, {"x": "zero\none\ntwo\nthree\n", "y": "two\n"}) == {"x": "zero\none\nzwei\nthree\n"}


@pytest.mark.parametrize("text", ["one\ntwo\n", "one\n two\nthree\n", "one\ntwo\nthree\n" * 2, ""])
def test_what_does_not_fit_at_one_place_is_refused(text: str) -> None:
    with pytest.raises(PatchError, match=r"x: change 1 fits at [02] places, not at one"):
        apply(SMALL, {"x": text})
    with pytest.raises(PatchError, match="x is not there"):
        apply(SMALL, {})


def test_few_lines_are_changed() -> None:
    changed = [line for line in PATCH.splitlines() if line[0] in "+-" and not line.startswith(("+++", "---"))]
    assert len(changed) <= 20, "what is more belongs in offline.py"
    assert all("_offline" in line or "offline" in line for line in changed if line.startswith("+") and line[1:].strip())


@pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")
def test_git_reads_it_as_we_do(tmp_path: Path) -> None:
    for path, text in TEXTS.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    argv = ["git", "apply", "-"]
    done = subprocess.run(argv, cwd=tmp_path, input=PATCH, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert {path: (tmp_path / path).read_text() for path in TEXTS} == apply(PATCH, TEXTS)
