"""channel.json: what is written is what is read."""

from __future__ import annotations

import json

import pytest

from bundler.errors import IntegrityError
from bundler.sidecars import channel
from bundler.sidecars.channel import Channel, ChannelAsset

CHANNEL = Channel("latest-runtime", "o/r", "runtime-1", "c" * 40, {"x": ChannelAsset(3, "a" * 64)})


def test_what_is_written_is_read() -> None:
    assert channel.parse(channel.compose(CHANNEL)) == CHANNEL


@pytest.mark.parametrize(
    "change", [{"tag": "a b"}, {"tag": None}, {"commit": "main"}, {"assets": {"x": {"size": -1}}}, {"repository": "x"}]
)
def test_nonsense_is_refused(change: dict[str, object]) -> None:
    document = json.loads(channel.compose(CHANNEL)) | change
    with pytest.raises(IntegrityError, match=r"channel\.json: "):
        channel.parse(json.dumps(document).encode())


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(IntegrityError, match=r"channel\.json"):
        channel.parse(b"<html>")
