"""The release server goes wrong as it is told, and not otherwise."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.github import Fault, GitHub, github, primary_limit, secondary_limit
from tests.github.asker import Asker, asking
from tests.server import wait_until


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[GitHub]:
    with github(tmp_path / "hub") as made:
        yield made


@pytest.fixture
def writer(hub: GitHub) -> Iterator[Asker]:
    with asking(hub, hub.token) as asker:
        yield asker


@pytest.mark.slow
def test_faults_of_uploads(hub: GitHub, writer: Asker) -> None:
    made = writer.create("v1")
    release = hub.release

    def stored(name: str) -> tuple[str, bytes]:
        view = release("v1")
        assert view
        return view.assets[name].state, view.assets[name].path.read_bytes()

    hub.faults[:] = [Fault("uploads", drop_after=2)]
    with pytest.raises(httpx.RemoteProtocolError):
        writer.upload(made, "dropped")
    wait_until(lambda: stored("dropped") == ("starter", b"by"))
    hub.faults[:] = [Fault("uploads", lose_answer=True)]
    with pytest.raises(httpx.RemoteProtocolError):
        writer.upload(made, "lost")
    assert stored("lost") == ("uploaded", b"bytes")
    hub.faults[:] = [Fault("uploads", corrupt=True)]
    digest = writer.upload(made, "corrupt").json()["digest"]
    assert stored("corrupt")[1] not in (b"bytes", b"")
    assert digest == f"sha256:{hashlib.sha256(stored('corrupt')[1]).hexdigest()}"
    hub.faults[:] = [Fault("uploads", rename="other", path=r"name=re")]
    assert writer.upload(made, "renamed").json()["name"] == "other"
    hub.faults[:] = [Fault("uploads", forget_digest=True)]
    assert writer.upload(made, "forgotten").json()["digest"] is None
    hub.faults[:] = [Fault("uploads", status=502)]
    assert writer.upload(made, "refused").status_code == 502
    hub.faults[:] = [Fault("uploads", status=500, drop_after=1)]
    assert writer.upload(made, "wrecked").status_code == 500
    assert stored("wrecked") == ("starter", b"b")
    assert [seen.status for seen in hub.asked("POST", "/assets")] == [0, 0, 201, 201, 201, 502, 500]
    wait_until(lambda: [seen.size for seen in hub.asked("POST", "/assets")] == [2, 5, 5, 5, 5, 5, 5])
    assert hub.uploaded_bytes == 32


def test_faults_of_downloads(hub: GitHub) -> None:
    hub.add_release("v1", {"a": b"0123456789"})
    address = f"{hub.web}/{hub.repo}/releases/download/v1/a"
    hub.faults[:] = [Fault("objects", drop_after=4)]
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(address, follow_redirects=True)
    hub.faults[:] = [Fault("objects", corrupt=True)]
    assert httpx.get(address, follow_redirects=True).content == b"1123456789"
    hub.faults[:] = [Fault("objects", slow=100)]
    began = time.monotonic()
    assert httpx.get(address, follow_redirects=True).content == b"0123456789"
    assert time.monotonic() - began > 0.08


def test_faults_are_counted(hub: GitHub, writer: Asker) -> None:
    hub.faults.append(Fault("api", "GET", r"/releases$", after=1, times=2, status=500))
    hub.faults.append(Fault("api", "GET", r"/releases$", times=-1, status=503, headers={"Retry-After": "1"}))
    assert [writer("GET", "/releases").status_code for _ in range(4)] == [503, 500, 500, 503]
    hub.faults.clear()
    assert writer.tags() == []


def test_a_write_whose_answer_is_lost_is_done(hub: GitHub, writer: Asker) -> None:
    hub.faults += [Fault("api", "POST", lose_answer=True), Fault("api", "POST", drop_after=1)]
    for _ in range(2):
        with pytest.raises(httpx.RemoteProtocolError):
            writer("POST", "/releases", json={"tag_name": "v1", "draft": True})
    assert [one.tag for one in hub.drafts()] == ["v1"]
    hub.faults[:] = [Fault("api", stall=0.2)]
    began = time.monotonic()
    assert writer.tags() == ["v1"]
    assert time.monotonic() - began >= 0.2


def test_rate_limits_look_like_github_s(hub: GitHub, writer: Asker) -> None:
    hub.faults += [secondary_limit(7, path="/releases"), primary_limit(9), secondary_limit(None, status=429)]
    second, first, third = (writer("GET", "/releases") for _ in range(3))
    assert (second.status_code, second.headers["retry-after"]) == (403, "7")
    assert "secondary rate limit" in second.json()["message"]
    assert first.headers["x-ratelimit-remaining"] == "0"
    assert 0 < int(first.headers["x-ratelimit-reset"]) - time.time() <= 9
    assert third.status_code == 429
    with pytest.raises(TypeError):
        secondary_limit(1, paths="no such field")
