"""Releases and their assets, as docs.github.com/en/rest/releases tells, and as seen."""

from __future__ import annotations

import re
from urllib.parse import urlencode

from tests.github import shapes
from tests.github.repository import ApiError, GitHub, Release, invalid, missing, now
from tests.github.request import Answer, Request

_TAG = re.compile(r"(?![./-])(?!.*(\.\.|//|/\.|@\{))[^\x00-\x20\x7f~^:?*\[\\]+(?<![./])(?<!\.lock)")


def list_releases(request: Request) -> Answer:
    """The newest first; drafts for those who may write."""
    hub = request.hub
    seen = [one for one in hub.kept.values() if request.who == "writer" or not one.draft]
    newest = sorted(seen, key=lambda one: one.id, reverse=True)
    return _page(request, [shapes.release(hub, one) for one in newest])


def latest(request: Request) -> Answer:
    """The release that is shown as the latest."""
    return _shown(request.hub, request.hub.latest())


def by_tag(request: Request, tag: str) -> Answer:
    """A published release; drafts have no tag yet."""
    return _shown(request.hub, request.hub.published(tag))


def by_id(request: Request, number: str) -> Answer:
    """A release."""
    return _shown(request.hub, request.hub.find_release(int(number), request.who))


def create(request: Request) -> Answer:
    """A new release, published unless it is a draft."""
    hub, tag = request.hub, request.required("tag_name")
    _check_name(tag)
    _check_fields(request)
    release = hub.new_release(tag, request.text("target_commitish") or "main")
    release.draft = True
    try:
        _apply(request, release)
        if request.flag("draft"):
            _check_target(hub, release)
        else:
            _publish(request, release)
    except ApiError:
        del hub.kept[release.id]
        raise
    shape = shapes.release(hub, release)
    return Answer(201, shape, {"Location": f"{hub.api}/repos/{hub.repo}/releases/{release.id}"})


def update(request: Request, number: str) -> Answer:
    """Change a release; it may be published by that, or become a draft again."""
    hub = request.hub
    release = hub.find_release(int(number), request.who)
    _check_fields(request)
    tag, draft = request.text("tag_name"), request.flag("draft")
    if release.immutable and not release.draft:
        _check_immutable(request, release)
    if tag is not None and tag != release.tag:
        _check_name(tag)
    before = (release.tag, release.target)
    release.tag, release.target = tag or release.tag, request.text("target_commitish") or release.target
    try:
        if release.draft and draft is False:
            _publish(request, release)
        elif not release.draft and draft is not True:
            _settle(hub, release)
        elif request.text("target_commitish") is not None:
            _check_target(hub, release)
    except ApiError:
        release.tag, release.target = before
        raise
    _apply(request, release)
    if draft:
        release.draft, release.published_at = True, None
    if not release.draft and request.text("make_latest") is not None:
        _rank(hub, release)
    release.updated_at = now()
    return Answer(200, shapes.release(hub, release))


def delete(request: Request, number: str) -> Answer:
    """Delete a release and its assets; the git tag stays."""
    hub = request.hub
    release = hub.find_release(int(number), request.who)
    for asset in list(release.assets.values()):
        hub.drop(release, asset)
    del hub.kept[release.id]
    return Answer(204)


def list_assets(request: Request, number: str) -> Answer:
    """A release's assets, in whatever state."""
    hub = request.hub
    release = hub.find_release(int(number), request.who)
    return _page(request, [shapes.asset(hub, release, one) for one in release.assets.values()])


def update_asset(request: Request, number: str) -> Answer:
    """Rename or label an asset."""
    hub = request.hub
    release, asset = hub.find_asset(int(number), request.who)
    name, label = request.text("name"), request.text("label")
    refuse_immutable(release, "Cannot update asset from an immutable release")
    if name is not None and name != asset.name:
        name = sanitised(name)
        if release.named(name) not in (None, asset):
            raise invalid({"resource": "ReleaseAsset", "code": "already_exists", "field": "name"})
        asset.name = name
    asset.label = label if label is not None else asset.label
    asset.updated_at = now()
    return Answer(200, shapes.asset(hub, release, asset))


def delete_asset(request: Request, number: str) -> Answer:
    """Delete an asset, in whatever state."""
    release, asset = request.hub.find_asset(int(number), request.who)
    refuse_immutable(release, "Cannot delete asset from an immutable release")
    request.hub.drop(release, asset)
    return Answer(204)


def generate_notes(request: Request) -> Answer:
    """Write release notes, for those who may write; nothing is changed."""
    hub, tag = request.hub, request.required("tag_name")
    if tag not in hub.tags and hub.commit_of(request.text("target_commitish") or "main") is None:
        raise invalid({"resource": "Release", "code": "invalid", "field": "target_commitish"})
    return Answer(200, {"name": tag, "body": f"**Full Changelog**: {hub.web}/{hub.repo}/commits/{tag}"})


def sanitised(name: str) -> str:
    """The name that GitHub stores an asset under."""
    dotted = re.sub(r"[^A-Za-z0-9_.+@-]+", ".", name)
    dotted = re.sub(r"\.{2,}", ".", dotted).rstrip(".")
    return f"default{dotted}" if dotted.startswith(".") else dotted or "default"


def refuse_immutable(release: Release, message: str) -> None:
    """Raises ApiError for a published release that is immutable."""
    if release.immutable and not release.draft:
        raise invalid({"resource": "ReleaseAsset", "code": "custom", "message": message})


def _shown(hub: GitHub, release: Release | None) -> Answer:
    if release is None:
        raise missing()
    return Answer(200, shapes.release(hub, release))


def _apply(request: Request, release: Release) -> None:
    name, body, prerelease = request.text("name"), request.text("body"), request.flag("prerelease")
    release.name = release.name if name is None else name
    release.body = release.body if body is None else body
    release.prerelease = release.prerelease if prerelease is None else prerelease
    release.make_latest = request.text("make_latest") or release.make_latest


def _check_fields(request: Request) -> None:
    """See that each field is of its kind. Raises ApiError."""
    for name in ("tag_name", "target_commitish", "name", "body"):
        request.text(name)
    for name in ("draft", "prerelease"):
        request.flag(name)
    make_latest = request.text("make_latest")
    if make_latest not in (None, "true", "false", "legacy"):
        message = f"Invalid request.\n\nFor 'properties/make_latest', {make_latest} is not a member of"
        raise ApiError(422, f'{message} ["true", "false", "legacy"].')


def _publish(request: Request, release: Release) -> None:
    hub = request.hub
    _settle(hub, release)
    release.draft, release.published_at, release.immutable = False, now(), hub.immutable
    if hub.immutable:
        hub.burnt_tags.add(release.tag)
    release.make_latest = request.text("make_latest") or "true"
    release.prerelease = bool(request.flag("prerelease") if "prerelease" in request.fields() else release.prerelease)
    _rank(hub, release)


def _settle(hub: GitHub, release: Release) -> None:
    """See that a published release has its tag for itself and in git. Raises ApiError."""
    other = hub.published(release.tag)
    if other not in (None, release):
        raise invalid({"resource": "Release", "code": "already_exists", "field": "tag_name"})
    if release.tag in hub.burnt_tags and not release.immutable:
        raise invalid(
            {
                "resource": "Release",
                "code": "custom",
                "field": "tag_name",
                "message": "tag_name was used by an immutable release",
            }
        )
    if release.tag in hub.tags:
        return
    commit = hub.commit_of(release.target)
    if commit is None:
        raise invalid(
            {"resource": "Release", "code": "custom", "field": "tag_name", "message": "tag_name is not a valid tag"},
            {"resource": "Release", "code": "custom", "message": "Published releases must have a valid tag"},
            {"resource": "Release", "code": "invalid", "field": "target_commitish"},
        )
    hub.tags[release.tag] = commit


def _check_target(hub: GitHub, release: Release) -> None:
    """A draft's target is checked too, where no git tag makes it meaningless. Raises ApiError."""
    if release.tag not in hub.tags and hub.commit_of(release.target) is None:
        raise invalid({"resource": "Release", "code": "invalid", "field": "target_commitish"})


def _rank(hub: GitHub, release: Release) -> None:
    if release.make_latest == "true" and not release.prerelease:
        hub.latest_id = release.id
    elif release.make_latest == "legacy" or hub.latest_id == release.id:
        hub.latest_id = None


def _check_name(tag: str) -> None:
    if not _TAG.fullmatch(tag):
        message = "tag_name is not well-formed"
        raise invalid({"resource": "Release", "code": "custom", "field": "tag_name", "message": message})


def _check_immutable(request: Request, release: Release) -> None:
    """Name and notes may still be changed. Raises ApiError for the rest."""
    changed = {
        "state": request.flag("draft") is True,
        "tag_name": request.text("tag_name") not in (None, release.tag),
        "target_commitish": request.text("target_commitish") not in (None, release.target),
    }
    errors = [
        {
            "resource": "Release",
            "code": "custom",
            "field": name,
            "message": f"{name} cannot be changed when release is immutable",
        }
        for name, differs in changed.items()
        if differs
    ]
    if errors:
        raise invalid(*errors)


def _page(request: Request, everything: list[shapes.Json]) -> Answer:
    hub, per_page = request.hub, min(request.number("per_page", 30), request.hub.per_page_limit)
    page, last = request.number("page", 1), max(1, -(-len(everything) // per_page))
    base = f"{hub.api}/repositories/{hub.number}{request.below}"
    links = {"prev": page - 1, "next": page + 1, "last": last, "first": 1}
    shown: tuple[str, ...] = ("prev", "first") if page > 1 else ()
    shown += ("next", "last") if page < last else ()
    link = ", ".join(
        f'<{base}?{urlencode(dict(request.seen.query) | {"page": links[rel]})}>; rel="{rel}"'
        for rel in links
        if rel in shown
    )
    start = (page - 1) * per_page
    return Answer(200, everything[start : start + per_page], {"Link": link} if link else {})
