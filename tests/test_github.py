"""The release server that other tests rely on behaves as GitHub does."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.github import GitHub, github
from tests.github.asker import Asker, asking, refusal
from tests.server import wait_until

OTHER = "b" * 40


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[GitHub]:
    with github(tmp_path / "hub") as made:
        yield made


@pytest.fixture
def writer(hub: GitHub) -> Iterator[Asker]:
    with asking(hub, hub.token) as asker:
        yield asker


@pytest.fixture
def reader(hub: GitHub) -> Iterator[Asker]:
    with asking(hub, hub.reader_token) as asker:
        yield asker


@pytest.fixture
def nobody(hub: GitHub) -> Iterator[Asker]:
    with asking(hub, "") as asker:
        yield asker


def test_only_those_who_may_write_see_drafts(writer: Asker, reader: Asker, nobody: Asker) -> None:
    draft = writer.create("v1", draft=True)
    asset = writer.upload(draft, "a").json()
    assert writer.tags() == ["v1"]
    assert writer("GET", draft["url"]).status_code == 200
    for other in (reader, nobody):
        assert other.tags() == []
        for address in (draft["url"], draft["assets_url"], asset["url"]):
            assert other("GET", address).status_code == 404
    assert writer("GET", "/releases/tags/v1").status_code == 404
    assert httpx.get(asset["browser_download_url"]).status_code == 404
    assert "/download/untagged-" in asset["browser_download_url"]


def test_who_may_not_write_is_told_so(hub: GitHub, writer: Asker, reader: Asker, nobody: Asker) -> None:
    made = writer.create("v1")
    assert nobody("POST", "/releases", json={"tag_name": "v2"}).status_code == 401
    refused = reader("POST", "/releases", json={"tag_name": "v2"})
    assert (refused.status_code, refused.json()["message"]) == (403, "Resource not accessible by integration")
    assert reader("POST", "/releases/generate-notes", json={"tag_name": "v2"}).status_code == 403
    assert reader.upload(made, "a").status_code == 403
    assert nobody("GET", "/releases", headers={"Authorization": "Bearer wrong"}).json()["message"] == "Bad credentials"
    hub.app_token = False
    assert reader("DELETE", made["url"]).status_code == 404
    assert hub.release("v1")


def test_publishing_makes_the_git_tag_where_none_is(hub: GitHub, writer: Asker) -> None:
    hub.commits.add(OTHER)
    draft = writer.create("v1", draft=True, target_commitish=OTHER)
    assert "v1" not in hub.tags
    assert draft["published_at"] is None
    shown = writer.edit(draft, draft=False).json()
    assert hub.tags == {"v1": OTHER}
    assert shown["published_at"]
    assert shown["html_url"].endswith("/releases/tag/v1")
    assert writer("DELETE", shown["url"]).status_code == 204
    assert hub.tags == {"v1": OTHER}
    writer.create("v1", target_commitish=hub.head)
    assert hub.tags == {"v1": OTHER}


def test_an_unknown_commit_is_refused(hub: GitHub, writer: Asker) -> None:
    published = {"tag_name": "v1", "target_commitish": "f" * 40}
    status, reasons = refusal(writer("POST", "/releases", json=published))
    assert (status, reasons[-1]) == (422, ("invalid", "target_commitish"))
    assert refusal(writer("POST", "/releases", json={**published, "draft": True}))[0] == 422
    hub.commits.add(OTHER)
    draft = writer.create("v1", draft=True, target_commitish=OTHER)
    hub.commits.discard(OTHER)
    assert writer.edit(draft, draft=False).status_code == 422
    assert [one.draft for one in hub.releases()] == [True]
    assert hub.tags == {}


def test_two_published_releases_cannot_share_a_tag_and_drafts_can(hub: GitHub, writer: Asker) -> None:
    old = writer.create("v1")
    taken = (422, [("already_exists", "tag_name")])
    assert refusal(writer("POST", "/releases", json={"tag_name": "v1"})) == taken
    drafts = [writer.create("v1", draft=True) for _ in range(2)]
    assert refusal(writer.edit(drafts[0], draft=False)) == taken
    assert refusal(writer.edit(writer.create("v2"), tag_name="v1")) == taken
    assert writer.edit(old, draft=True).json()["draft"] is True
    assert hub.release("v1") is None
    assert writer.edit(drafts[0], draft=False).status_code == 200
    assert refusal(writer.edit(old, draft=False)) == taken
    assert writer("GET", "/releases/tags/v1").json()["id"] == drafts[0]["id"]


def test_one_request_publishes_under_another_tag_and_at_a_commit(hub: GitHub, writer: Asker) -> None:
    hub.commits.add(OTHER)
    draft = writer.create("draft-v1", draft=True)
    assert hub.tags == {}
    shown = writer.edit(draft, draft=False, tag_name="v1", target_commitish=OTHER).json()
    assert (shown["tag_name"], shown["draft"]) == ("v1", False)
    assert hub.tags == {"v1": OTHER}
    back = writer.edit(shown, draft=True, tag_name="draft-v1").json()
    assert (back["tag_name"], hub.tags) == ("draft-v1", {"v1": OTHER})
    again = writer.create("draft-v1", draft=True)
    assert writer.edit(again, draft=False, tag_name="v1", target_commitish=hub.head).status_code == 200
    assert hub.tags == {"v1": OTHER}, "where the tag is there, the target means nothing"


def test_of_a_draft_it_is_forgotten_whether_it_is_the_latest(hub: GitHub, writer: Asker) -> None:
    writer.create("v1")
    draft = writer.create("v2", draft=True, make_latest="false")
    assert writer.edit(draft, draft=False).status_code == 200
    assert writer("GET", "/releases/latest").json()["tag_name"] == "v2"
    other = writer.create("v3", draft=True, make_latest="true")
    assert writer.edit(other, draft=False, make_latest="false").status_code == 200
    assert writer("GET", "/releases/latest").json()["tag_name"] == "v2"


def test_the_list_is_the_newest_first_and_paged(hub: GitHub, writer: Asker) -> None:
    for number in range(5):
        writer.create(f"v{number}", draft=number == 4)
    pages, address = [], f"{hub.api}/repos/{hub.repo}/releases?per_page=2"
    while address:
        answer = writer("GET", address)
        pages.append([one["tag_name"] for one in answer.json()])
        address = answer.links.get("next", {}).get("url", "")
    assert pages == [["v4", "v3"], ["v2", "v1"], ["v0"]]
    middle = writer("GET", "/releases?per_page=2&page=2").links
    assert {rel: httpx.URL(link["url"]).params["page"] for rel, link in middle.items()} == {
        "prev": "1",
        "next": "3",
        "last": "3",
        "first": "1",
    }
    assert writer.tags(page=9) == []
    hub.per_page_limit = 3
    assert len(writer.tags(per_page=100)) == 3
    assert "link" not in writer("GET", "/releases/latest").headers


def test_assets_are_paged_too(writer: Asker) -> None:
    made = writer.create("v1")
    for number in range(3):
        writer.upload(made, f"a{number}")
    answer = writer("GET", f"{made['assets_url']}?per_page=2")
    assert [one["name"] for one in answer.json()] == ["a0", "a1"]
    assert [one["name"] for one in writer("GET", answer.links["next"]["url"]).json()] == ["a2"]


def test_latest(writer: Asker) -> None:
    assert writer("GET", "/releases/latest").status_code == 404
    writer.create("v1")
    writer.create("v2", make_latest="false")
    writer.create("v3", prerelease=True)
    last = writer.create("v4", draft=True)

    def latest() -> str:
        return str(writer("GET", "/releases/latest").json()["tag_name"])

    assert latest() == "v1"
    writer.edit(last, draft=False)
    assert latest() == "v4"
    writer.edit(last, make_latest="false")
    assert latest() == "v1"


def test_an_upload_is_stored_as_it_is(hub: GitHub, writer: Asker) -> None:
    made = writer.create("v1", draft=True)
    content = bytes(range(256)) * 10_000
    answer = writer.upload(made, "a.tar.gz", content, headers={"Content-Type": "application/gzip"})
    assert answer.status_code == 201
    shape = answer.json()
    assert (shape["state"], shape["size"], shape["content_type"]) == ("uploaded", len(content), "application/gzip")
    assert shape["digest"] == f"sha256:{hashlib.sha256(content).hexdigest()}"
    kept = hub.drafts()[0].assets["a.tar.gz"]
    assert kept.path.read_bytes() == content
    assert hub.uploaded_bytes == len(content)
    hub.digests = False
    assert writer("GET", shape["url"]).json()["digest"] is None


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("a b.txt", "a.b.txt"),
        ("a (1).tar.gz", "a.1.tar.gz"),
        ("größe", "gr.e"),
        (".profile", "default.profile"),
        ("a.", "a"),
        ("python-3.13+2_x-1.tar.gz", "python-3.13+2_x-1.tar.gz"),
    ],
)
def test_names_are_stored_as_github_likes_them(writer: Asker, name: str, stored: str) -> None:
    assert writer.upload(writer.create("v1"), name).json()["name"] == stored


def test_refused_uploads(hub: GitHub, writer: Asker) -> None:
    made = writer.create("v1")
    writer.upload(made, "a b")
    assert refusal(writer.upload(made, "a.b")) == (422, [("already_exists", "name")])
    assert refusal(writer.upload(made, "")) == (422, [("missing_field", "name")])
    assert refusal(writer.upload(made, "empty", b"")) == (422, [("custom", "size")])
    hub.largest_asset = 9
    assert writer.upload(made, "exact", b"x" * 10).status_code == 500
    assert refusal(writer.upload(made, "large", b"x" * 11)) == (422, [("custom", "size")])
    assert writer.upload(made, "fits", b"x" * 9).status_code == 201
    hub.most_assets = 2
    assert refusal(writer.upload(made, "third")) == (422, [("custom", "file_count")])
    address = str(made["upload_url"]).partition("{")[0]
    assert writer("POST", f"{address}?name=c", content=iter([b"x"])).status_code == 411
    assert writer("POST", address.replace("/releases/", "/releases/9"), params={"name": "a"}).status_code == 404
    release = hub.release("v1")
    assert release
    assert set(release.assets) == {"a.b", "fits"}


def test_an_upload_under_way_and_a_broken_one_are_starters_that_block_the_name(hub: GitHub, writer: Asker) -> None:
    made = writer.create("v1", draft=True)
    parts = urlsplit(str(made["upload_url"]).partition("{")[0])
    head = f"POST {parts.path}?name=a HTTP/1.1\r\nHost: x\r\nAuthorization: token {hub.token}\r\n"

    def listed() -> list[tuple[str, str, object]]:
        return [(one["name"], one["state"], one["digest"]) for one in writer("GET", made["assets_url"]).json()]

    with socket.create_connection((parts.hostname or "", parts.port or 0)) as client:
        client.sendall(f"{head}Content-Length: 100\r\n\r\n".encode() + b"x" * 50)
        wait_until(lambda: listed() == [("a", "starter", None)])
        assert refusal(writer.upload(made, "a")) == (422, [("already_exists", "name")])
    wait_until(lambda: hub.seen[0].status == 201 and any(each.size == 50 for each in hub.seen))
    assert refusal(writer.upload(made, "a")) == (422, [("already_exists", "name")])
    asset = writer("GET", made["assets_url"]).json()[0]
    as_bytes = {"Accept": "application/octet-stream"}
    assert writer("GET", asset["url"], headers=as_bytes).status_code == 404
    assert writer("DELETE", asset["url"]).status_code == 204
    assert writer.upload(made, "a").status_code == 201


def test_bytes_come_from_elsewhere_without_a_token(hub: GitHub, writer: Asker) -> None:
    made = writer.create("v1")
    asset = writer.upload(made, "a", b"0123456789").json()
    answer = writer("GET", asset["url"], headers={"Accept": "application/octet-stream"})
    assert answer.status_code == 302
    address = answer.headers["location"]
    assert address.startswith(f"{hub.objects}/")
    assert httpx.get(address).content == b"0123456789"
    for asked, status, content in (
        ("bytes=4-", 206, b"456789"),
        ("bytes=2-3", 206, b"23"),
        ("bytes=-3", 206, b"789"),
        ("bytes=10-", 416, b""),
    ):
        part = httpx.get(address, headers={"Range": asked})
        assert (part.status_code, part.content) == (status, content)
    assert httpx.head(address).headers["content-length"] == "10"
    assert hub.leaks == []
    assert writer("GET", address).status_code == 403
    assert len(hub.leaks) == 1
    assert httpx.get(address.replace("sig=", "sig=0")).status_code == 403
    assert writer("GET", asset["url"]).json()["download_count"] == 1


def test_an_address_of_bytes_ends_with_its_time_or_the_asset(hub: GitHub, writer: Asker) -> None:
    asset = writer.upload(writer.create("v1"), "a").json()

    def address() -> str:
        return str(writer("GET", asset["url"], headers={"Accept": "application/octet-stream"}).headers["location"])

    lasting = address()
    hub.address_seconds = -1
    assert httpx.get(address()).status_code == 403
    assert httpx.get(lasting).status_code == 200
    writer("DELETE", asset["url"])
    assert httpx.get(lasting).status_code == 404


def test_fixed_addresses_serve_published_assets_to_everybody(hub: GitHub, writer: Asker) -> None:
    made = writer.create("channel/x")
    asset = writer.upload(made, "a", b"content").json()
    assert httpx.get(asset["browser_download_url"], follow_redirects=True).content == b"content"
    latest = f"{hub.web}/{hub.repo}/releases/latest/download/a"
    assert httpx.get(latest, follow_redirects=True).content == b"content"
    assert httpx.get(asset["browser_download_url"] + "x").status_code == 404
    writer.edit(made, draft=True)
    assert httpx.get(asset["browser_download_url"]).status_code == 404


def test_assets_can_be_renamed(writer: Asker) -> None:
    made = writer.create("v1")
    first, second = (writer.upload(made, name).json() for name in "ab")
    assert refusal(writer.edit(first, name="b")) == (422, [("already_exists", "name")])
    assert writer.edit(first, name="c", label="shown").json()["label"] == "shown"
    assert writer.edit(second, name="a").status_code == 200
    assert [one["name"] for one in writer("GET", made["assets_url"]).json()] == ["c", "a"]


def test_an_immutable_release_is_kept(hub: GitHub, writer: Asker) -> None:
    assert writer("GET", "/immutable-releases").status_code == 404
    hub.immutable = True
    assert writer("GET", "/immutable-releases").json()["enabled"] is True
    draft = writer.create("v1", draft=True)
    asset = writer.upload(draft, "a").json()
    made = writer.edit(draft, draft=False).json()
    assert made["immutable"] is True
    assert writer.upload(made, "b").json()["message"] == "Cannot upload assets to an immutable release."
    refused = writer("DELETE", asset["url"])
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["message"] == "Cannot delete asset from an immutable release"
    assert writer.edit(asset, name="b").status_code == 422
    assert refusal(writer.edit(made, draft=True)) == (422, [("custom", "state")])
    assert refusal(writer.edit(made, tag_name="v2")) == (422, [("custom", "tag_name")])
    assert writer("DELETE", "/git/refs/tags/v1").status_code == 422
    assert writer.edit(made, body="other notes").status_code == 200
    assert writer("DELETE", made["url"]).status_code == 204
    status, reasons = refusal(writer("POST", "/releases", json={"tag_name": "v1"}))
    assert (status, reasons[0]) == (422, ("custom", "tag_name"))


def test_git_references(hub: GitHub, writer: Asker) -> None:
    hub.commits.add(OTHER)
    assert writer("GET", "/git/ref/tags/v1").status_code == 404
    made = writer("POST", "/git/refs", json={"ref": "refs/tags/v1", "sha": hub.head})
    assert (made.status_code, made.json()["object"]["sha"]) == (201, hub.head)
    assert writer("POST", "/git/refs", json={"ref": "refs/tags/v1", "sha": hub.head}).status_code == 422
    assert writer("POST", "/git/refs", json={"ref": "refs/tags/v2", "sha": "f" * 40}).status_code == 422
    assert writer("PATCH", "/git/refs/tags/v1", json={"sha": OTHER}).json()["message"] == "Update is not a fast forward"
    assert writer("PATCH", "/git/refs/tags/v1", json={"sha": OTHER, "force": True}).status_code == 200
    assert hub.tags == {"v1": OTHER}
    hub.annotated.add("v1")
    found = writer("GET", "/git/ref/tags/v1").json()["object"]
    assert (found["type"], found["sha"] == OTHER) == ("tag", False)
    assert writer("GET", f"/git/tags/{found['sha']}").json()["object"]["sha"] == OTHER
    assert writer("GET", "/git/ref/heads/main").json()["object"]["sha"] == hub.head
    for name in (hub.head, hub.head[:12], "main"):
        assert writer("GET", f"/commits/{name}").json()["sha"] == hub.head
    assert writer("GET", f"/commits/{'f' * 40}").status_code == 422
    release = writer.create("v1")
    assert writer("DELETE", "/git/refs/tags/v1").status_code == 204
    assert writer("GET", release["url"]).json()["draft"] is True
    assert writer("DELETE", "/git/refs/tags/v1").status_code == 422


def test_malformed_requests(writer: Asker) -> None:
    assert writer("POST", "/releases", content=b"{").status_code == 400
    assert writer("POST", "/releases", json={}).status_code == 422
    assert writer("POST", "/releases", json={"tag_name": "v1", "draft": "yes"}).status_code == 422
    assert writer("POST", "/releases", json={"tag_name": "a b"}).status_code == 422
    assert writer("PATCH", "/releases/1", json={}).status_code == 404
    assert writer("GET", f"{writer.hub.api}/repos/other/repo/releases").status_code == 404
    del writer.client.headers["User-Agent"]
    assert writer("GET", "/releases").status_code == 403


def test_a_repository_that_was_renamed_is_found(hub: GitHub, writer: Asker) -> None:
    hub.former_name = "example/former"
    former = f"{hub.api}/repos/example/former/releases"
    made = writer("POST", former, json={"tag_name": "v1"}, follow_redirects=True)
    assert made.status_code == 201
    assert writer("GET", former).status_code == 301
    assert len(writer("GET", former, follow_redirects=True).json()) == 1


def test_seeded_releases_look_like_others(hub: GitHub, nobody: Asker) -> None:
    hub.add_release("v1", {"a": b"1"}, digests=False, commit=OTHER, body="notes")
    hub.add_release("v2", {"a": b"2"}, draft=True)
    shown = nobody("GET", "/releases/tags/v1").json()
    assert (shown["body"], shown["assets"][0]["digest"], shown["assets"][0]["size"]) == ("notes", None, 1)
    assert nobody.tags() == ["v1"]
    assert [one.tag for one in hub.drafts()] == ["v2"]
    assert list(hub.snapshot()) == ["v1"]
    assert hub.tags == {"v1": OTHER}


def test_many_at_once(hub: GitHub, writer: Asker) -> None:
    made = writer.create("v1", draft=True)
    statuses: list[int] = []
    content = b"x" * (1 << 20)

    def once(number: int) -> None:
        statuses.append(writer.upload(made, f"a{number % 8}", content).status_code)

    threads = [threading.Thread(target=once, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [201] * 8 + [422] * 8
    assert {asset.state for asset in hub.drafts()[0].assets.values()} == {"uploaded"}
