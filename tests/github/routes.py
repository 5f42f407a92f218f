"""Which path is answered by what; all of it under the repository's lock, for no bytes of assets move here."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import unquote

from tests.github import objects, refs, releases, shapes
from tests.github.repository import ApiError, missing
from tests.github.request import Answer, Request

Route = tuple[str, str, bool, Callable[..., Answer]]


def repository(request: Request) -> Answer:
    """The repository."""
    return Answer(200, shapes.repository(request.hub, may_write=request.who == "writer"))


def immutability(request: Request) -> Answer:
    """Whether published releases are kept as they are; 404 where they are not, 403 for those who may not know."""
    if request.who != "writer" or not request.hub.tells_settings:
        raise ApiError(403, "Resource not accessible by integration")
    if not request.hub.immutable:
        raise missing()
    return Answer(200, {"enabled": True, "enforced_by_owner": False})


def graphql(request: Request) -> Answer:
    """The two questions that GitHub's command line asks: the releases, and a release by its tag, drafts too."""
    hub = request.hub
    if "releases(" not in str(request.fields().get("query")):
        return _by_tag(request)
    newest = hub.latest()
    nodes = [
        {
            "name": one["name"],
            "tagName": one["tag_name"],
            "isDraft": one["draft"],
            "isLatest": newest is not None and one["id"] == newest.id,
            "isPrerelease": one["prerelease"],
            "createdAt": one["created_at"],
            "publishedAt": one["published_at"],
        }
        for one in (shapes.release(hub, hub.kept[number]) for number in sorted(hub.kept, reverse=True))
        if request.who == "writer" or not one["draft"]
    ]
    pages = {"hasNextPage": False, "endCursor": None}
    return Answer(200, {"data": {"repository": {"releases": {"nodes": nodes, "pageInfo": pages}}}})


def _by_tag(request: Request) -> Answer:
    hub, variables = request.hub, request.fields().get("variables")
    tag = variables.get("tagName") if isinstance(variables, dict) else None
    drafts = [one for one in hub.kept.values() if one.tag == tag and request.who == "writer"]
    found = hub.published(str(tag)) or next(iter(drafts), None)
    shape = {"databaseId": found.id, "isDraft": found.draft} if found else None
    return Answer(200, {"data": {"repository": {"release": shape}}})


# Method, path below the repository, whether it takes a token that may write, and what answers it.
ROUTES: list[Route] = [
    ("GET", r"", False, repository),
    ("GET", r"/immutable-releases", False, immutability),
    ("GET", r"/releases", False, releases.list_releases),
    ("POST", r"/releases", True, releases.create),
    ("GET", r"/releases/latest", False, releases.latest),
    ("POST", r"/releases/generate-notes", True, releases.generate_notes),
    ("GET", r"/releases/tags/(.+)", False, releases.by_tag),
    ("GET", r"/releases/(\d+)", False, releases.by_id),
    ("PATCH", r"/releases/(\d+)", True, releases.update),
    ("DELETE", r"/releases/(\d+)", True, releases.delete),
    ("GET", r"/releases/(\d+)/assets", False, releases.list_assets),
    ("GET", r"/releases/assets/(\d+)", False, objects.asset),
    ("PATCH", r"/releases/assets/(\d+)", True, releases.update_asset),
    ("DELETE", r"/releases/assets/(\d+)", True, releases.delete_asset),
    ("GET", r"/git/ref/(heads|tags)/(.+)", False, refs.get),
    ("POST", r"/git/refs", True, refs.create),
    ("PATCH", r"/git/refs/(heads|tags)/(.+)", True, refs.update),
    ("DELETE", r"/git/refs/(heads|tags)/(.+)", True, refs.delete),
    ("GET", r"/git/tags/([0-9a-f]{40})", False, refs.tag_object),
    ("GET", r"/commits/([^/]+)", False, refs.commit),
]


def answer_api(request: Request) -> Answer:
    """Answer a request to the REST API. Raises ApiError."""
    hub, seen = request.hub, request.seen
    asked = "GET" if seen.method == "HEAD" else seen.method
    if "user-agent" not in seen.headers:
        raise ApiError(403, "Request forbidden by administrative rules. Please make sure your request has a User-Agent")
    if (seen.method, seen.path) == ("POST", "/graphql"):
        return graphql(request)
    if hub.former_name and seen.path.startswith(f"/repos/{hub.former_name}"):
        below = seen.path.removeprefix(f"/repos/{hub.former_name}")
        address = f"{hub.api}/repositories/{hub.number}{below}"
        moved = {"message": "Moved Permanently", "url": address, "documentation_url": shapes.DOCS}
        return Answer(301 if asked == "GET" else 307, moved, {"Location": address})
    below = request.below
    for method, path, writes, call in ROUTES:
        found = re.fullmatch(path, below)
        if method == asked and found:
            if writes:
                request.demand_writer()
            request.check_token()
            return call(request, *(unquote(part) for part in found.groups()))
    raise missing()
