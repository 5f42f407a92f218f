"""Locks of released components: what is written is what is read, and nothing else is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bundler.errors import LockError
from bundler.kinds.prebuilt.asset_lock import AssetLock, LockedAsset, LockedFile, choices_of
from bundler.kinds.prebuilt.manifest import Prebuilt

MANIFEST = Prebuilt(
    "release-asset", "xworkspace-console", "o/r", "latest-runtime", "x-{os}-{arch}.tar.gz", ("linux-amd64",)
)
FILE = LockedFile("x-linux-amd64.tar.gz", "https://example.com/o/r/releases/download/runtime-1/x", 3, "a" * 64)
LOCK = AssetLock(
    component="xworkspace-console",
    manifest_sha256=choices_of(MANIFEST),
    repository="o/r",
    tag="runtime-1",
    commit="c" * 40,
    published="2026-11-20T00:00:00Z",
    assets=(LockedAsset("linux-amd64", FILE.name, FILE.sha256, (FILE,)),),
)


def test_what_is_written_is_read() -> None:
    assert AssetLock.parse(LOCK.render(), "assets.console.toml") == LOCK
    assert LOCK.assets[0].size == 3


def test_staleness() -> None:
    assert LOCK.staleness(MANIFEST) is None
    assert "o/elsewhere" in (LOCK.staleness(replace(MANIFEST, repository="o/elsewhere")) or "")
    assert LOCK.staleness(replace(MANIFEST, tag="v1")) == "the manifest changed"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('tag = "runtime-1"', 'tag = "latest-runtime"'),
        ('tag = "runtime-1"', 'tag = "latest"'),
        ("releases/download/runtime-1/x", "releases/latest/download/x"),
        ('tag = "runtime-1"', 'tag = "runtime-latest"'),
        ('commit = "' + "c" * 40, 'commit = "main'),
        ("https://example.com", "http://example.com"),
        ("size = 3", "size = 0"),
        ('sha256 = "' + "a" * 64, 'sha256 = "latest'),
        ('name = "x-linux', 'name = "../x-linux'),
        ('platform = "linux-amd64"', 'platform = "windows-amd64"'),
        ("component", "componnent"),
        ("2026-11-20T00:00:00Z", "yesterday"),
        ("2026-11-20T00:00:00Z", "2026-99-99T00:00:00Z"),
        ("[[assets]]", "[[assets"),
    ],
)
def test_anything_else_is_refused_with_what_to_do(old: str, new: str) -> None:
    text = LOCK.render().replace(old, new)
    assert text != LOCK.render()
    with pytest.raises(LockError) as error:
        AssetLock.parse(text, "assets.console.toml")
    assert "console" in error.value.message
    assert error.value.hint
