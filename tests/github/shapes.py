"""The JSON that GitHub answers with: docs.github.com/en/rest/releases and /git."""

from __future__ import annotations

import hashlib
from datetime import datetime
from urllib.parse import quote

from tests.github.repository import Asset, GitHub, Release

Json = dict[str, object]
DOCS = "https://docs.github.com/rest"


def user(hub: GitHub) -> Json:
    """Who did it all."""
    login = "github-actions[bot]"
    at = f"{hub.api}/users/{quote(login)}"
    lists = ("followers", "subscriptions", "organizations:orgs", "repos", "received_events")
    shape: Json = {f"{name.partition(':')[0]}_url": f"{at}/{name.partition(':')[2] or name}" for name in lists}
    return shape | {
        "login": login,
        "id": 41898282,
        "node_id": "MDM6Qm90NDE4OTgyODI=",
        "avatar_url": f"{hub.web}/avatars/in/15368",
        "gravatar_id": "",
        "url": at,
        "html_url": f"{hub.web}/apps/github-actions",
        "following_url": f"{at}/following{{/other_user}}",
        "gists_url": f"{at}/gists{{/gist_id}}",
        "starred_url": f"{at}/starred{{/owner}}{{/repo}}",
        "events_url": f"{at}/events{{/privacy}}",
        "type": "Bot",
        "user_view_type": "public",
        "site_admin": False,
    }


def asset(hub: GitHub, release: Release, one: Asset) -> Json:
    """A release asset."""
    tells = hub.digests and one.tells_digest and one.state == "uploaded"
    return {
        "url": f"{_repo(hub)}/releases/assets/{one.id}",
        "id": one.id,
        "node_id": f"RA_{one.id}",
        "name": one.name,
        "label": one.label,
        "uploader": user(hub),
        "content_type": one.content_type,
        "state": one.state,
        "size": one.size,
        "digest": f"sha256:{one.sha256}" if tells and one.sha256 else None,
        "download_count": one.downloads,
        "created_at": _time(one.created_at),
        "updated_at": _time(one.updated_at),
        "browser_download_url": f"{_web(hub)}/releases/download/{_shown_tag(release)}/{quote(one.name)}",
    }


def release(hub: GitHub, one: Release) -> Json:
    """A release; a draft has a made-up tag in its addresses."""
    at = f"{_repo(hub)}/releases/{one.id}"
    tag = quote(one.tag, safe="/")
    return {
        "url": at,
        "assets_url": f"{at}/assets",
        "upload_url": f"{hub.uploads}/repos/{hub.repo}/releases/{one.id}/assets{{?name,label}}",
        "html_url": f"{_web(hub)}/releases/tag/{_shown_tag(one)}",
        "id": one.id,
        "author": user(hub),
        "node_id": f"RE_{one.id}",
        "tag_name": one.tag,
        "target_commitish": one.target,
        "name": one.name,
        "draft": one.draft,
        "immutable": one.immutable,
        "prerelease": one.prerelease,
        "created_at": _time(one.created_at),
        "updated_at": _time(one.updated_at),
        "published_at": _time(one.published_at),
        "assets": [asset(hub, one, each) for each in one.assets.values()],
        "tarball_url": None if one.draft else f"{_repo(hub)}/tarball/{tag}",
        "zipball_url": None if one.draft else f"{_repo(hub)}/zipball/{tag}",
        "body": one.body,
    }


def repository(hub: GitHub, *, may_write: bool) -> Json:
    """The few fields of a repository that releases have to do with."""
    owner, _, name = hub.repo.partition("/")
    pushes = may_write and not hub.app_token
    return {
        "id": hub.number,
        "node_id": f"R_{hub.number}",
        "name": name,
        "full_name": hub.repo,
        "private": False,
        "owner": user(hub) | {"login": owner, "type": "Organization"},
        "html_url": _web(hub),
        "url": _repo(hub),
        "default_branch": "main",
        "permissions": {"admin": False, "maintain": False, "push": pushes, "triage": pushes, "pull": pushes},
    }


def tag_object(hub: GitHub, tag: str) -> str:
    """The digest of an annotated tag's own object."""
    return hashlib.sha1(f"tag {tag} {hub.tags[tag]}".encode(), usedforsecurity=False).hexdigest()


def ref(hub: GitHub, kind: str, name: str) -> Json:
    """A git reference; an annotated tag names its own object."""
    sha = hub.branches[name] if kind == "heads" else hub.tags[name]
    of = "tag" if kind == "tags" and name in hub.annotated else "commit"
    sha = tag_object(hub, name) if of == "tag" else sha
    return {
        "ref": f"refs/{kind}/{name}",
        "node_id": f"REF_{kind}_{name}",
        "url": f"{_repo(hub)}/git/refs/{kind}/{quote(name)}",
        "object": {"sha": sha, "type": of, "url": f"{_repo(hub)}/git/{of}s/{sha}"},
    }


def annotated_tag(hub: GitHub, tag: str) -> Json:
    """An annotated tag's object."""
    sha, commit = tag_object(hub, tag), hub.tags[tag]
    return {
        "node_id": f"TA_{sha}",
        "sha": sha,
        "url": f"{_repo(hub)}/git/tags/{sha}",
        "tag": tag,
        "message": f"{tag}\n",
        "tagger": {"name": "A", "email": "a@example.org", "date": "2026-01-01T00:00:00Z"},
        "object": {"sha": commit, "type": "commit", "url": f"{_repo(hub)}/git/commits/{commit}"},
        "verification": {"verified": False, "reason": "unsigned", "signature": None, "payload": None},
    }


_MADE_BY = {"name": "A", "date": "2026-01-01T00:00:00Z"}


def commit(hub: GitHub, sha: str) -> Json:
    """A commit, as short as can be."""
    return {
        "sha": sha,
        "node_id": f"C_{sha}",
        "url": f"{_repo(hub)}/commits/{sha}",
        "html_url": f"{_web(hub)}/commit/{sha}",
        "commit": {"message": "A commit", "author": _MADE_BY, "committer": _MADE_BY},
        "parents": [],
    }


def _shown_tag(one: Release) -> str:
    return one.slug if one.draft else quote(one.tag, safe="/")


def _repo(hub: GitHub) -> str:
    return f"{hub.api}/repos/{hub.repo}"


def _web(hub: GitHub) -> str:
    return f"{hub.web}/{hub.repo}"


def _time(at: datetime | None) -> str | None:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ") if at else None
