"""The release server answers as GitHub describes it, on Enterprise too; clients of others get on with it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.github import GitHub, github
from tests.github.asker import Asker, asking
from tests.github.described import DESCRIPTION, operations
from tests.github.gh import Gh, serving_gh

pytestmark = pytest.mark.slow  # gh itself is started

BIG = bytes(range(256)) * 8000


@pytest.fixture
def described(tmp_path: Path) -> Iterator[Asker]:
    if not DESCRIPTION.is_file():
        pytest.skip("no description of GitHub's API beside the project")
    with github(tmp_path / "hub") as hub, asking(hub, hub.token) as ask:
        yield ask


def test_every_operation_answers_as_github_describes_it(described: Asker) -> None:
    ask, hub = described, described.hub
    draft = ask.create("v1", draft=True, name="one", body="notes")
    asset = ask.upload(draft, "a").json()
    for address in (draft["url"], draft["assets_url"], asset["url"], "/releases"):
        assert ask("GET", address).status_code == 200
    assert ask.edit(asset, name="b").status_code == 200
    assert ask.edit(draft, draft=False).status_code == 200
    assert ask("GET", "/releases/tags/v1").status_code == 200
    assert ask("GET", "/releases/latest").status_code == 200
    assert ask("GET", asset["url"], headers={"Accept": "application/octet-stream"}).status_code == 302
    assert ask("POST", "/releases/generate-notes", json={"tag_name": "v2"}).status_code == 200
    assert ask("POST", "/git/refs", json={"ref": "refs/tags/x/y", "sha": hub.head}).status_code == 201
    assert ask("GET", "/git/ref/tags/x/y").status_code == 200
    assert ask("PATCH", "/git/refs/tags/x/y", json={"sha": hub.head}).status_code == 200
    assert ask("DELETE", "/git/refs/tags/x/y").status_code == 204
    assert ask("DELETE", asset["url"]).status_code == 204
    assert ask("DELETE", draft["url"]).status_code == 204
    assert ask.held - {None} == set(operations())


def test_enterprise_has_one_origin_and_other_paths(tmp_path: Path) -> None:
    with github(tmp_path / "hub", enterprise=True) as hub, asking(hub, hub.token) as ask:
        assert hub.api == f"{hub.web}/api/v3"
        made = ask.create("v1")
        assert made["upload_url"].startswith(f"{hub.web}/api/uploads/repos/")
        asset = ask.upload(made, "a", b"content").json()
        assert httpx.get(asset["browser_download_url"], follow_redirects=True).content == b"content"
        assert httpx.get(asset["url"]).json()["name"] == "a"
        assert [(seen.role, seen.path.split("/")[1]) for seen in hub.seen] == [
            ("api", "repos"),
            ("uploads", "repos"),
            ("web", "example"),
            ("objects", "github-production-release-asset"),
            ("api", "repos"),
        ]
        assert ask("POST", f"{hub.web}/api/graphql", json={"query": "release"}).json() == {
            "data": {"repository": {"release": None}}
        }
        assert json.dumps([seen.query for seen in hub.seen if seen.role == "uploads"]) == '[{"name": "a"}]'


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[GitHub, Gh]]:
    """An Enterprise server with a certificate, and GitHub's command line, signed in there."""
    with serving_gh(tmp_path) as gh:
        yield gh.hub, gh


def test_gh_sees_and_downloads_releases(served: tuple[GitHub, Gh], tmp_path: Path) -> None:
    hub, gh = served
    hub.add_release("v1", {"small.txt": b"small", "big.bin": BIG}, body="the notes")
    hub.add_release("v2", {"unseen": b"x"}, draft=True)
    for words in (["view", "v1"], ["view"]):
        shown = gh(*words)
        assert shown.returncode == 0, shown.stderr
        assert "asset:\tsmall.txt\nasset:\tbig.bin" in shown.stdout
        assert "the notes" in shown.stdout
    assert "draft:\ttrue" in gh("view", "v2").stdout
    listed = [line.split("\t")[:3] for line in gh("list").stdout.splitlines()]
    assert listed == [["v2", "Draft", "v2"], ["v1", "Latest", "v1"]]
    done = gh("download", "v1", "--dir", "got")
    assert done.returncode == 0, done.stderr
    assert {p.name: p.read_bytes() for p in (tmp_path / "got").iterdir()} == {"small.txt": b"small", "big.bin": BIG}
    assert hub.leaks == []
    assert gh("view", "v3").returncode == 1


def test_gh_makes_fills_edits_and_deletes_releases(served: tuple[GitHub, Gh], tmp_path: Path) -> None:
    hub, gh = served
    (tmp_path / "a.bin").write_bytes(BIG)
    (tmp_path / "b.txt").write_bytes(b"first")

    def succeeds(*words: str) -> None:
        done = gh(*words)
        assert done.returncode == 0, done.stderr

    succeeds("create", "v1", "a.bin", "--title", "one", "--notes", "notes", "--target", hub.head)
    made = hub.release("v1")
    assert made
    assert made.assets["a.bin"].path.read_bytes() == BIG
    assert hub.tags == {"v1": hub.head}
    succeeds("upload", "v1", "b.txt")
    assert "already exists" in gh("upload", "v1", "b.txt").stderr
    (tmp_path / "b.txt").write_bytes(b"second")
    succeeds("upload", "v1", "b.txt", "--clobber")
    succeeds("edit", "v1", "--draft", "--notes", "other")
    draft = hub.drafts()[0]
    assert (draft.body, draft.assets["b.txt"].path.read_bytes()) == ("other", b"second")
    succeeds("delete-asset", "v1", "b.txt", "--yes")
    succeeds("edit", "v1", "--draft=false")
    assert set(hub.snapshot()["v1"].assets) == {"a.bin"}
    succeeds("delete", "v1", "--yes", "--cleanup-tag")
    assert (hub.releases(), hub.tags) == ([], {})


def test_curl_which_waits_to_be_told_to_go_on(tmp_path: Path) -> None:
    with github(tmp_path / "hub") as hub, asking(hub, hub.token) as ask:
        _curl(hub, ask, tmp_path)


def _curl(hub: GitHub, ask: Asker, tmp_path: Path) -> None:
    made = ask.create("v1")
    big = tmp_path / "big"
    big.write_bytes(b"x" * (3 << 20))
    address = f"{str(made['upload_url']).partition('{')[0]}?name=big"
    words = ["curl", "-sS", "-X", "POST", "-H", f"Authorization: token {hub.token}", "--upload-file", str(big), address]
    for code in ("201", "422"):
        done = subprocess.run([*words, "-o", "/dev/null", "-w", "%{http_code}"], capture_output=True, check=True)
        assert done.stdout.decode() == code
    assert [seen.size for seen in hub.asked("POST", "/assets")] == [3 << 20, 0]
