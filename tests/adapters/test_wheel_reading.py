from __future__ import annotations

import hashlib
import io

import pytest

from bundler.adapters.wheel_reading import WheelReading
from bundler.errors import IntegrityError
from bundler.model.closure import Wheel
from tests.mach_o import library, thin
from tests.wheels import INFO, METADATA, NAME, wheel, whole, zipped


def test_what_came_of_each_is_told_in_order_and_every_stream_is_closed() -> None:
    names = [NAME if number % 3 else "other-1.0-py3-none-any.whl" for number in range(30)]
    streams = [io.BytesIO(wheel()) for _ in names]
    with WheelReading() as reading:
        for stream, name in zip(streams, names, strict=True):
            reading.put(stream, name, hashlib.sha256(stream.getvalue()).hexdigest())
        found = list(reading.wheels())
    assert [name if isinstance(one, Wheel) else None for one, name in zip(found, names, strict=True)] == [
        name if name == NAME else None for name in names
    ]
    assert all(isinstance(one, IntegrityError) for one, name in zip(found, names, strict=True) if name != NAME)
    assert all(stream.closed for stream in streams)


def _read(*wheels: tuple[bytes, str]) -> list[Wheel | IntegrityError]:
    with WheelReading() as reading:
        for content, name in wheels:
            reading.put(io.BytesIO(content), name, hashlib.sha256(content).hexdigest())
        return list(reading.wheels())


def test_a_wheel_that_is_known_is_judged_by_its_own_name_and_its_own_bytes() -> None:
    good = wheel()
    damaged = zipped({**whole({"some_app/__init__.py": "x = 1\n"}), "some_app/__init__.py": b"x = 2\n"})
    assert isinstance(_read((good, NAME))[0], Wheel)
    same, other_name, other_bytes = _read((good, NAME), (good, "other-1.0-py3-none-any.whl"), (damaged, NAME))
    assert isinstance(same, Wheel)
    assert isinstance(other_name, IntegrityError)
    assert isinstance(other_bytes, IntegrityError)


def test_a_known_wheel_is_not_inflated_again(monkeypatch: pytest.MonkeyPatch) -> None:
    content = wheel()
    first = _read((content, NAME))
    monkeypatch.setattr("bundler.adapters.wheel_reading.read_wheel", lambda *_, **__: pytest.fail("read again"))
    assert _read((content, NAME)) == first


def test_requirements_of_known_wheels_count_in_every_archive() -> None:
    asked = "".join(f"Requires-Dist: {'x' * 4000}\n" for _ in range(100))
    demanding = [wheel({f"{INFO}/METADATA": METADATA + asked, "some_app/number": str(number)}) for number in range(4)]
    for _ in range(2):
        found = _read(*((content, NAME) for content in demanding))
        assert [isinstance(one, Wheel) for one in found].count(False) == 2


def test_what_compiled_code_asks_for_counts_in_every_archive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bundler.adapters.wheel_reading.MOST_MEMORY", 30_000)
    code = thin(*[library("/x") for _ in range(90)], sign=None)
    demanding = [wheel({"some_app/a.so": code, "some_app/number": str(number)}) for number in range(4)]
    for _ in range(2):
        found = _read(*((content, NAME) for content in demanding))
        assert [isinstance(one, Wheel) for one in found].count(False) == 2


def test_an_error_of_another_kind_is_raised() -> None:
    closed = io.BytesIO(wheel())
    closed.close()
    with WheelReading() as reading:
        reading.put(closed, NAME, "0" * 64)
        with pytest.raises(ValueError, match="closed"):
            list(reading.wheels())
