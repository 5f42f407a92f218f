from __future__ import annotations

import io

import pytest

from bundler.adapters.wheel_reading import WheelReading
from bundler.errors import IntegrityError
from bundler.model.closure import Wheel
from tests.wheels import NAME, wheel


def test_what_came_of_each_is_told_in_order_and_every_stream_is_closed() -> None:
    names = [NAME if number % 3 else "other-1.0-py3-none-any.whl" for number in range(30)]
    streams = [io.BytesIO(wheel()) for _ in names]
    with WheelReading() as reading:
        for stream, name in zip(streams, names, strict=True):
            reading.put(stream, name)
        found = list(reading.wheels())
    assert [name if isinstance(one, Wheel) else None for one, name in zip(found, names, strict=True)] == [
        name if name == NAME else None for name in names
    ]
    assert all(isinstance(one, IntegrityError) for one, name in zip(found, names, strict=True) if name != NAME)
    assert all(stream.closed for stream in streams)


def test_an_error_of_another_kind_is_raised() -> None:
    closed = io.BytesIO(wheel())
    closed.close()
    with WheelReading() as reading:
        reading.put(closed, NAME)
        with pytest.raises(ValueError, match="closed"):
            list(reading.wheels())
