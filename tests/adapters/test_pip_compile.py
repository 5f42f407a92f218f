from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from bundler.adapters.pip_compile import PipCompile
from bundler.adapters.process import Completed, run
from bundler.errors import LockError, UnreachableError
from tests.world import make_wheel, serve

pytestmark = pytest.mark.slow  # pip-compile itself is started

ENV = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "NO_PROXY": "127.0.0.1"}


def test_everything_is_pinned_with_the_hash_of_every_wheel_of_the_index_alone(tmp_path: Path) -> None:
    """Whatever else pip is configured for: its own file and the environment name newer wheels elsewhere."""
    wheels = tmp_path / "wheels"
    make_wheel(wheels, "maker", "1.0")
    maker = make_wheel(wheels, "maker", "1.5", ["part; python_version > '3.8'", "other; python_version < '3.8'"])
    parts = [make_wheel(wheels, "part", "2.0", tag=f"py3-none-{tag}") for tag in ("any", "win_amd64")]
    make_wheel(tmp_path / "other", "maker", "2.0")
    configuration = tmp_path / ".config" / "pip" / "pip.conf"
    configuration.parent.mkdir(parents=True)
    configuration.write_text(f"[global]\nfind-links = {tmp_path / 'other'}\n")
    env = {**ENV, "HOME": str(tmp_path), "PIP_FIND_LINKS": str(tmp_path / "other")}
    with serve(wheels) as index:
        pins = PipCompile(run, env, index.address).resolve(["maker>1"])
    assert [(pin.project, pin.version) for pin in pins] == [("maker", "1.5"), ("part", "2.0")]
    assert pins[0].sha256 == {hashlib.sha256(maker.read_bytes()).hexdigest()}
    assert pins[1].sha256 == {hashlib.sha256(part.read_bytes()).hexdigest() for part in parts}


def test_nothing_asks_no_index() -> None:
    def never(argv: Sequence[str], env: Mapping[str, str], timeout: float) -> Completed:
        raise AssertionError(argv)

    assert PipCompile(never, ENV, "http://127.0.0.1:9/simple/").resolve([]) == ()


def test_what_is_not_there_is_named_with_pips_reason(tmp_path: Path) -> None:
    make_wheel(tmp_path, "maker", "1.0")
    with serve(tmp_path) as index, pytest.raises(LockError, match=r"(?s)maker>7.*No matching|Could not find"):
        PipCompile(run, ENV, index.address).resolve(["maker>7"])


def test_an_index_that_is_down_is_unreachable_and_its_password_is_not_shown() -> None:
    compiler = PipCompile(run, ENV, "http://somebody:s%40cret@127.0.0.1:9/simple/")
    with pytest.raises(UnreachableError) as caught:
        compiler.resolve(["maker"])
    assert "s%40cret" not in caught.value.message and "s@cret" not in caught.value.message


def test_credentials_stand_in_no_argument() -> None:
    seen: list[Sequence[str]] = []

    def fake(argv: Sequence[str], env: Mapping[str, str], timeout: float) -> Completed:
        seen.append(argv)
        assert env["PIP_INDEX_URL"] == "http://a:secret@127.0.0.1/simple/"
        return Completed(1, "", "no")

    with pytest.raises(LockError):
        PipCompile(fake, ENV, "http://a:secret@127.0.0.1/simple/").resolve(["maker"])
    assert "secret" not in " ".join(seen[0])
