"""`apply-delta.sh` on Debian 11, with the Python 3.9 that it has and nothing else."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from bundler.transfer.deflated import _ALL, _ANSWER, _KNOWN
from bundler.transfer.script import NAME, script
from tests.acceptance.roots import debian_root
from tests.transfer.test_delta import made
from tests.transfer.wheels import archive, noise, wheel

_ZLIB = """
import hashlib, zlib
def deflate(level, memory):
    deflated = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS, memory)
    return deflated.compress(KNOWN) + deflated.flush()
print(hashlib.sha256(b"".join(deflate(*one) for one in ALL)).hexdigest())
"""


@pytest.mark.slow
def test_debian_11_makes_the_new_archive(tmp_path: Path) -> None:
    root = debian_root("11", "amd64")
    words = b"".join(b"def f%d(): return %d\n" % (number * 7919 % 1000, number) for number in range(30_000))
    kept = {"k-1-py3-none-any.whl": wheel("k", {"k": noise("k", 900_000)})}
    old = archive(tmp_path / "old/x.tar.gz", {**kept, "a-1-py3-none-any.whl": wheel("a", {"m.py": words})})
    changed = words[:90_000] + b"#\n" + words[90_000:]
    new = archive(tmp_path / "new/x.tar.gz", {**kept, "a-2-py3-none-any.whl": wheel("a", {"m.py": changed})})
    inside = tmp_path / "inside"
    inside.mkdir()
    shutil.copy(made(old, new).path, inside / "delta")
    shutil.copy(old, inside / "old")
    (inside / NAME).write_bytes(script())
    (inside / "known.py").write_text(f"KNOWN = {_KNOWN!r}\nALL = {[tuple(one) for one in _ALL]}\n{_ZLIB}")
    # The root is everybody's: in it the folder is seen by this test alone.
    enter = 'mount --bind "$0" "$1/root" && exec chroot "$1" sh -c "$2"'
    command = "cd /root && python3 --version && python3 known.py && sh apply-delta.sh old delta"
    words_of = ["unshare", "--mount", "sh", "-c", enter, str(inside), str(root), command]
    done = subprocess.run(words_of, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:2] == ["Python 3.9.2", _ANSWER]
    assert (inside / "x.tar.gz").read_bytes() == new.read_bytes()
