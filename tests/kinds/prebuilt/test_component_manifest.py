"""manifest.json of a released component."""

from __future__ import annotations

import json

import pytest

from bundler.errors import IntegrityError
from bundler.kinds.prebuilt.component_manifest import parse

GOOD = {"component": "qmd", "commit": "c" * 40, "os": "linux", "arch": "amd64", "binary": "bin/qmd"}


def test_the_consumers_shape() -> None:
    facts = parse(json.dumps(GOOD | {"more": 1}).encode())
    assert (facts.component, facts.platform, facts.program) == ("qmd", "linux-amd64", "bin/qmd")
    console = {key: value for key, value in GOOD.items() if key != "binary"} | {"apiBinary": "bin/api"}
    assert parse(json.dumps(console).encode()).program == "bin/api"


@pytest.mark.parametrize(
    "change",
    [{"os": "windows"}, {"os": "macos"}, {"arch": "x86_64"}, {"binary": "/bin/sh"}, {"binary": ""}, {"component": 1}],
)
def test_anything_else_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(IntegrityError, match=r"manifest\.json"):
        parse(json.dumps(GOOD | change).encode())


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff"])
def test_what_is_no_manifest(content: bytes) -> None:
    with pytest.raises(IntegrityError):
        parse(content)
