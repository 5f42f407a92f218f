"""GitHub's REST API as this project uses it: to whom the token goes, what an answer means, how long to wait."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from bundler.adapters.github import Committed, GitHub
from bundler.adapters.github_answer import ForbiddenError, RefusedError
from bundler.adapters.http import Http, MissingError, TransientError
from bundler.errors import IntegrityError, UnreachableError, UsageError
from bundler.model.json_text import limited
from bundler.model.release import Release
from tests.github import GitHub as Hub
from tests.github import github
from tests.server import Reply, Server, redirect

REPO = "example/litellm"
RELEASES = f"/repos/{REPO}/releases?per_page=100&page=1"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with github(tmp_path / "hub", repo=REPO) as made:
        yield made


@pytest.fixture(autouse=True)
def held_back(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long requests were held back by a rate limit; nothing waits."""
    noted: list[float] = []
    monkeypatch.setattr("bundler.adapters.github._sleep", lambda seconds: noted.append(round(seconds)))
    return noted


def client(http: Http, api: str, token: str = "t0k3n") -> GitHub:
    return GitHub(http, api, REPO, token, lambda text: None)


def error(status: int, message: str = "no", headers: Mapping[str, str] | None = None, **more: object) -> Reply:
    return Reply(json.dumps({"message": message, **more}).encode(), status=status, headers=headers or {})


@pytest.mark.parametrize("token", ["s3cr\nt", "s3 cret", "s3cr\u00f6t", "s3cr\x1bt"])
def test_a_token_that_is_none_is_not_shown(http: Http, token: str) -> None:
    with pytest.raises(UsageError, match="GH_TOKEN") as caught:
        client(http, "https://api.github.com", token)
    assert "s3" not in caught.value.message


@pytest.mark.parametrize(
    "api", ["", "example.com", "ftp://example.com", "https://u:p@example.com", "https://[", "https://x:y"]
)
def test_an_api_that_is_no_address(http: Http, api: str) -> None:
    with pytest.raises(UsageError, match="GITHUB_API_URL") as caught:
        client(http, api)
    assert "u:p" not in caught.value.message


@pytest.mark.parametrize(
    ("api", "upload", "good"),
    [
        ("https://api.github.com", "https://uploads.github.com/repos/o/r/releases/1/assets{?name,label}", True),
        (
            "https://ghe.example/api/v3",
            "https://ghe.example/api/uploads/repos/o/r/releases/1/assets{?name,label}",
            True,
        ),
        ("https://api.corp.ghe.com", "https://uploads.corp.ghe.com/repos/o/r/releases/1/assets{?name,label}", True),
        ("https://api.github.com", "https://uploads.github.com.evil.example/assets{?name}", False),
        ("https://api.github.com", "http://uploads.github.com/assets{?name}", False),
        ("https://ghe.example/api/v3", "https://evil.example/api/uploads{?name}", False),
        ("https://api.github.com", "https://u:p@evil.example/{?name}", False),
        ("https://api.github.com", "//evil.example/{?name}", False),
        ("https://api.github.com", "https://[/{?name}", False),
    ],
)
def test_uploads_go_to_the_api_s_own_hosts_only(http: Http, api: str, upload: str, good: bool) -> None:
    found = client(http, api)
    release = Release(1, "t", True, upload)
    if good:
        assert found._upload_address(release) == upload.partition("{")[0]
        return
    with pytest.raises(IntegrityError):
        found.upload(release, "x", 1, iter([b"x"]))


def test_a_strange_upload_host_never_sees_a_byte(server: Server, http: Http) -> None:
    found = client(http, "https://api.github.com")
    with pytest.raises(IntegrityError, match="strange host"):
        found.upload(Release(1, "t", True, f"{server.address}/assets{{?name}}"), "x", 1, iter([b"x"]))
    assert server.requests == []


def test_a_redirect_to_another_host_is_not_followed(server: Server, http: Http, hub: Hub) -> None:
    server.script(RELEASES, redirect(hub.api + RELEASES, 301))
    with pytest.raises(UnreachableError, match="another host"):
        list(client(http, server.address, hub.token).releases())
    assert hub.seen == []


def test_a_repository_that_was_renamed_is_followed_on_the_same_host(server: Server, http: Http) -> None:
    server.script(RELEASES, redirect("/repositories/1/releases", 301))
    server.script("/repositories/1/releases", Reply(b"[]"))
    assert list(client(http, server.address).releases()) == []
    assert server.requests[-1].headers["authorization"] == "Bearer t0k3n"


def test_redirects_without_end(server: Server, http: Http) -> None:
    server.script(RELEASES, redirect(RELEASES, 301))
    with pytest.raises(UnreachableError, match="too many redirects"):
        list(client(http, server.address).releases())


def test_a_download_s_redirect_gets_no_token(hub: Hub, http: Http) -> None:
    hub.add_release("t", {"x": b"content"})
    found = client(http, hub.api, hub.token)
    release = found.published("t")
    assert release is not None
    (asset,) = found.assets(release)
    assert found.read(found.asset_address(asset), 100) == b"content"
    assert hub.leaks == []
    assert {seen.role for seen in hub.seen if "authorization" in seen.headers} == {"api"}


def test_a_download_is_resumed(hub: Hub, http: Http) -> None:
    hub.add_release("t", {"x": b"content"})
    found = client(http, hub.api, hub.token)
    release = found.published("t")
    assert release is not None
    (asset,) = found.assets(release)
    with found.stream(found.asset_address(asset), 3) as body:
        assert (body.start, b"".join(body.chunks)) == (3, b"tent")


def test_without_a_token_there_is_no_header(hub: Hub, http: Http) -> None:
    hub.add_release("t", {})
    assert client(http, hub.api, "").published("t") is not None
    assert "authorization" not in hub.seen[-1].headers


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (error(401), ForbiddenError),
        (error(403, "Resource not accessible by integration"), ForbiddenError),
        (error(404), MissingError),
        (error(422, errors=[{"code": "already_exists", "field": "tag_name"}]), RefusedError),
        (error(409), RefusedError),
        (error(418), UnreachableError),
        (Reply(b"<html>", status=200), IntegrityError),
        (Reply(b'[{"id": "x"}]', status=200), IntegrityError),
    ],
)
def test_what_an_answer_means(
    server: Server, http: Http, reply: Reply, kind: type[Exception], waits: list[float]
) -> None:
    server.script(RELEASES, reply)
    with pytest.raises(kind) as caught:
        list(client(http, server.address).releases())
    assert waits == []
    assert "t0k3n" not in str(caught.value)


def test_reasons_are_named_and_fit_for_a_terminal(server: Server, http: Http) -> None:
    errors = [{"code": "already_exists", "field": "tag_name"}, "plain words", {"message": "more\x1b[31m"}]
    server.script(RELEASES, error(422, "Validation\x1b[2J Failed" + "x" * 10_000, errors=errors))
    with pytest.raises(RefusedError) as caught:
        list(client(http, server.address).releases())
    assert "already_exists" in caught.value.codes
    assert "\x1b" not in caught.value.message
    assert len(caught.value.message) < 500


@pytest.mark.parametrize(
    ("headers", "message", "status", "waited"),
    [
        ({"Retry-After": "7"}, "", 403, 7),
        ({"Retry-After": "7"}, "", 429, 7),
        ({}, "You have exceeded a secondary rate limit.", 403, 60),
        ({}, "", 429, 60),
        ({"Retry-After": "3"}, "", 503, 3),
    ],
)
def test_rate_limits_are_waited_for(
    server: Server,
    http: Http,
    held_back: list[float],
    headers: dict[str, str],
    message: str,
    status: int,
    waited: float,
) -> None:
    server.script(RELEASES, error(status, message, headers), Reply(b"[]"))
    assert list(client(http, server.address).releases()) == []
    assert held_back == [waited]


def test_a_primary_rate_limit_is_waited_for_until_it_ends(
    server: Server, http: Http, held_back: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bundler.adapters.github.time.time", lambda: 1000.0)
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1042"}
    server.script(RELEASES, error(403, "API rate limit exceeded", headers), Reply(b"[]"))
    assert list(client(http, server.address).releases()) == []
    assert held_back == [42]


def test_limits_that_do_not_say_how_long_are_waited_for_longer_each_time(
    server: Server, http: Http, held_back: list[float]
) -> None:
    server.script(RELEASES, error(429), error(429), Reply(b"[]"), error(429), Reply(b"[]"))
    for _ in range(2):
        assert list(client(http, server.address).releases()) == []
    assert held_back == [60, 120, 60]


def test_a_limit_holds_back_every_request(server: Server, http: Http, held_back: list[float]) -> None:
    server.script(RELEASES, error(429, "", {"Retry-After": "9"}), Reply(b"[]"))
    server.script(f"/repos/{REPO}/releases/1", error(404))
    found = client(http, server.address)
    assert list(found.releases()) == []
    assert found.release(1) is None
    assert held_back == [9, 9]  # time stands still here


def test_a_limit_that_ends_too_late_is_not_waited_for(server: Server, http: Http, held_back: list[float]) -> None:
    server.script(RELEASES, error(403, "", {"Retry-After": "5000"}))
    with pytest.raises(UnreachableError) as caught:
        list(client(http, server.address).releases())
    assert not isinstance(caught.value, TransientError)
    assert "5000 s" in caught.value.hint
    assert held_back == []


def test_an_endless_list_of_pages_ends(server: Server, http: Http) -> None:
    for page in range(1, 102):
        path = f"/repos/{REPO}/releases?per_page=100&page={page}"
        server.script(path, Reply(b"[]", headers={"Link": f'<{server.address}{path}>; rel="next"'}))
    with pytest.raises(IntegrityError, match="more than 10000 entries"):
        list(client(http, server.address).releases())


def test_releases_with_many_assets_are_asked_for_a_few_at_once(
    hub: Hub, http: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GitHub lists releases with all their assets: what is too much at once is no reason to give up."""
    tags = [f"v{number}" for number in range(45)]
    for tag in tags:
        hub.add_release(tag, {f"{number}": b"x" for number in range(20)})
    most = len(_listing(hub, http, 20))
    monkeypatch.setattr("bundler.adapters.github._LARGEST_ANSWER", most)
    found = client(http, hub.api, hub.token)
    assert [release.tag_name for release in found.releases()] == tags[::-1]
    asked = len(hub.seen)
    assert [release.tag_name for release in found.releases()] == tags[::-1]
    assert len(hub.seen) - asked == 3, "what was too much is not asked for again"


def test_a_page_of_few_releases_that_is_too_much_is_refused(
    hub: Hub, http: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add_release("v1", {"x": b"x"})
    monkeypatch.setattr("bundler.adapters.github._LARGEST_ANSWER", len(_listing(hub, http, 5)) - 1)
    with pytest.raises(IntegrityError, match="larger than"):
        list(client(http, hub.api, hub.token).releases())
    assert [seen.query["per_page"] for seen in hub.seen][-3:] == ["100", "20", "5"]


def test_a_list_of_too_many_values_is_asked_for_in_smaller_pages(
    hub: Hub, http: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(21):
        hub.add_release(f"v{number}", {"x": b"x"})
    page = _listing(hub, http, 20)
    most = sum(map(page.count, (b",", b"[", b"{")))
    monkeypatch.setattr("bundler.model.release.limited", lambda content: limited(content, most))
    assert len(list(client(http, hub.api, hub.token).releases())) == 21


def _listing(hub: Hub, http: Http, size: int) -> bytes:
    """What the server says of so many releases, the newest first."""
    return client(http, hub.api, hub.token)._call("GET", f"/releases?per_page={size}&page=1").content


def test_tags(hub: Hub, http: Http) -> None:
    hub.tags |= {"plain": hub.head, "annotated": hub.head}
    hub.annotated.add("annotated")
    found = client(http, hub.api, hub.token)
    assert [found.tag_commit(name) for name in ("plain", "annotated", "none")] == [hub.head, hub.head, None]
    commit = "f" * 40
    hub.commits.add(commit)
    found.move_tag("plain", commit)
    assert hub.tags["plain"] == commit


def test_commits(hub: Hub, http: Http) -> None:
    found = client(http, hub.api, hub.token)
    assert found.commit(hub.head) == Committed(hub.head, "2026-01-01T00:00:00Z")
    assert found.commit("f" * 40) is None


@pytest.mark.parametrize("app", [True, False])
def test_whether_a_token_may_write(hub: Hub, http: Http, app: bool) -> None:
    hub.app_token = app
    assert client(http, hub.api, hub.token).may_write("t", hub.head) is True
    assert client(http, hub.api, hub.reader_token).may_write("t", hub.head) is False
    assert {seen.method for seen in hub.seen if not seen.path.endswith("/generate-notes")} <= {"GET"}


def test_where_nobody_can_tell_who_may_write(hub: Hub, http: Http) -> None:
    unseen = GitHub(http, hub.api, "example/other", hub.token, lambda text: None)
    assert unseen.may_write("t", hub.head) is None


@pytest.mark.parametrize("tells", [True, False])
def test_immutable_releases(hub: Hub, http: Http, tells: bool) -> None:
    hub.tells_settings = tells
    found = client(http, hub.api, hub.token)
    assert found.keeps_releases() is (False if tells else None)
    hub.immutable = True
    assert found.keeps_releases() is (True if tells else None)


def test_what_is_gone_is_deleted(hub: Hub, http: Http) -> None:
    found = client(http, hub.api, hub.token)
    hub.add_release("t", {"x": b"x"})
    release = found.published("t")
    assert release is not None
    (asset,) = found.assets(release)
    for _ in range(2):
        found.delete_asset(asset)
    for _ in range(2):
        found.delete_release(release)
    assert found.published("t") is None


def test_a_page_with_more_than_was_asked_for_is_refused(server: Server, http: Http) -> None:
    one = {"id": 1, "tag_name": "x", "draft": False, "upload_url": ""}
    server.script(RELEASES, Reply(json.dumps([one] * 101).encode()))
    with pytest.raises(IntegrityError, match="101 entries on a page of 100"):
        list(client(http, server.address).releases())
