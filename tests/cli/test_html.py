"""`--html`: pages of whole commands."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.world import World

pytestmark = pytest.mark.slow

ASSET = "litellm-runtime-debian-12-amd64.tar.gz"
OTHER = "litellm-runtime-debian-13-amd64.tar.gz"
ADVISORY = {
    "id": "GHSA-x",
    "modified": "2026-10-01T00:00:00Z",
    "summary": "It hangs",
    "affected": [
        {
            "package": {"ecosystem": "PyPI", "name": "aiohttp"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}],
        }
    ],
}


@pytest.fixture
def built(locked: World, dist_of: Callable[[str], Path]) -> World:
    shutil.copytree(dist_of("debian-12-amd64"), locked.dist)
    shutil.copytree(dist_of("debian-13-amd64"), locked.root / "other")
    return locked


def page(made: World, name: str = "page.html") -> str:
    return (made.root / name).read_text(encoding="utf-8")


def test_inspect_writes_a_page_too(built: World) -> None:
    plain = built.run("inspect", f"dist/{ASSET}")
    done = built.run("inspect", f"dist/{ASSET}", "--html", "page.html")
    assert (done.code, done.out) == (0, plain.out)
    text = page(built)
    assert f"<h1>{ASSET}</h1>" in text
    assert '<span class="chain"><a href="#p' in text
    assert "Nobody was asked" in text
    assert str(built.root) not in text
    assert [path.name for path in built.root.iterdir() if path.name.startswith(".page")] == []


def test_a_page_is_the_same_wherever_and_however_it_is_told(built: World) -> None:
    assert built.run("--json", "inspect", f"dist/{ASSET}", "--html", "page.html").json()["component"] == "litellm"
    first = page(built)
    moved = built.root / "elsewhere"
    moved.mkdir()
    shutil.copy(built.dist / ASSET, moved)  # with nothing beside it: it is read whole
    assert built.run("inspect", str(moved / ASSET), "--html", "page.html", TZ="Asia/Tokyo").code == 0
    assert page(built) == first


def test_advisories_are_those_of_the_file_or_beside(built: World) -> None:
    (built.root / "osv.json").write_text(json.dumps(ADVISORY), encoding="utf-8")
    done = built.run("inspect", f"dist/{ASSET}", "--html", "page.html", "--advisories", "osv.json")
    assert done.code == 0
    told = page(built)
    assert "It hangs" in told
    assert (
        built.run("audit", f"dist/{ASSET}", "--advisories", "osv.json", "--snapshot", "dist/advisories.json").code == 1
    )
    assert built.run("inspect", f"dist/{ASSET}", "--html", "page.html").code == 0
    assert "It hangs" in page(built)
    done = built.run("inspect", f"dist/{ASSET}", "--advisories", "osv.json")
    assert (done.code, "give --html too" in done.err) == (2, True)


def test_diff_writes_a_page_with_what_brought_what_was_added(built: World) -> None:
    done = built.run("diff", f"other/{OTHER}", f"dist/{ASSET}", "--html", "page.html")
    assert done.code == 0
    text = page(built)
    assert f"<h1>other/{OTHER} → dist/{ASSET}</h1>" in text
    assert "async-timeout" in text
    assert "litellm › aiohttp" in text


def test_report_writes_a_page(built: World) -> None:
    (built.root / "v.json").write_text(built.run("--json", "verify", "dist").out, encoding="utf-8")
    done = built.run("report", "dist", "--tag", "litellm-1.0", "--verification", "v.json", "--html", "page.html")
    assert done.code == 0
    assert "<h1>litellm-1.0</h1>" in page(built)
    assert "1 archive in a folder" in page(built)


def test_a_page_goes_into_a_file_or_nowhere(built: World) -> None:
    def refused(place: str) -> str:
        done = built.run("inspect", f"dist/{ASSET}", "--html", place)
        assert done.code in (1, 2)
        assert done.out == ""
        return done.err

    assert "is a directory" in refused("dist")
    assert "standard output" in refused("-")
    assert "No such file" in refused("not/there.html")
    os.mkfifo(built.root / "pipe")
    assert "not a regular file" in refused("pipe")
    (built.root / "page.html").write_text("before", encoding="utf-8")
    (built.dist / ASSET).write_bytes(b"no archive")
    assert built.run("inspect", f"dist/{ASSET}", "--html", "page.html").code == 3
    assert page(built) == "before"
