from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from bundler.kinds.file_list import differs, render
from tests.model.samples import PROPERTY

A, B = "a" * 64, "b" * 64
DIGESTS = {"packages/pip/x.whl": A, "install.sh": B}


def test_the_file_is_exactly_these_bytes() -> None:
    assert render(DIGESTS) == f"{B}  install.sh\n{A}  packages/pip/x.whl\n".encode()


@PROPERTY
@given(st.binary(max_size=3), st.integers(0, 170))
def test_any_other_bytes_differ(piece: bytes, place: int) -> None:
    content = render(DIGESTS)
    changed = content[:place] + piece + content[place + len(piece) :]
    assert differs(changed, DIGESTS) is (changed != content)
    assert not differs(content, dict(reversed(DIGESTS.items())))
    assert differs(content, {**DIGESTS, "more": A})


def test_sha256sum_accepts_it_and_finds_a_changed_file(tmp_path: Path) -> None:
    paths = ["a", "b/c.txt", "packages/python/lib/a b.py", "packages/python/é", "-x", " y", "*z"]
    digests = {}
    for path in paths:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(path.encode())
        digests[path] = hashlib.sha256(path.encode()).hexdigest()
    (tmp_path / "metadata.sha256").write_bytes(render(digests))
    argv = ["sha256sum", "--quiet", "--strict", "-c", "metadata.sha256"]
    assert subprocess.run(argv, cwd=tmp_path, capture_output=True, check=True).stdout == b""
    (tmp_path / "b/c.txt").write_bytes(b"changed")
    assert subprocess.run(argv, cwd=tmp_path, capture_output=True, check=False).returncode == 1
