from __future__ import annotations

from dataclasses import replace

from packaging.requirements import Requirement

from bundler.kinds.wheelhouse.lock import Lock, facts_for
from bundler.kinds.wheelhouse.members.requirements import differs, render
from tests.model.samples import LOCKS, REQUEST, WHEEL

PIP = replace(WHEEL, project="pip", version="26.0", filename="pip-26.0-py3-none-any.whl", sha256="b" * 64)
LOCK = Lock(facts_for(REQUEST, "uv 0.9", "2026-11-24T00:00:00Z", {}), (WHEEL, PIP))


def test_the_file_is_exactly_these_bytes() -> None:
    assert render(LOCK) == (f"litellm==1.0 --hash=sha256:{'a' * 64}\npip==26.0 --hash=sha256:{'b' * 64}\n").encode()


def test_any_other_bytes_differ() -> None:
    assert not differs(render(LOCK), LOCK)
    assert differs(render(LOCK) + b"\n", LOCK)
    assert differs(render(LOCK), replace(LOCK, wheels=(WHEEL,)))
    assert differs(b"", LOCK)


def test_every_wheel_of_the_committed_locks_is_pinned() -> None:
    for path in sorted(LOCKS.glob("*.toml")):
        lock = Lock.parse(path.read_text(encoding="utf-8"), path.name)
        lines = render(lock).decode().splitlines()
        pins = [Requirement(line.partition(" --hash=sha256:")[0]) for line in lines]
        assert [(pin.name, str(pin.specifier)) for pin in pins] == [(w.project, f"=={w.version}") for w in lock.wheels]
        assert [line.partition(" --hash=sha256:")[2] for line in lines] == [wheel.sha256 for wheel in lock.wheels]
