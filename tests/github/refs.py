"""Git tags, branches and commits: docs.github.com/en/rest/git/refs."""

from __future__ import annotations

import re

from tests.github import shapes
from tests.github.repository import ApiError, GitHub, missing
from tests.github.request import Answer, Request


def get(request: Request, kind: str, name: str) -> Answer:
    """A reference by its whole name."""
    if name not in _kept(request.hub, kind):
        raise missing()
    return Answer(200, shapes.ref(request.hub, kind, name))


def create(request: Request) -> Answer:
    """A new reference to a commit that is known."""
    hub, whole, sha = request.hub, request.required("ref"), request.required("sha")
    found = re.fullmatch(r"refs/(tags|heads)/(.+)", whole)
    if not found:
        raise ApiError(422, "Reference name must start with 'refs/' and contain at least two slashes.")
    kind, name = found[1], found[2]
    if name in _kept(hub, kind):
        raise ApiError(422, "Reference already exists")
    if kind == "tags" and name in hub.burnt_tags:
        raise ApiError(
            422, "Repository rule violations found\n\nCannot create ref due to creations being restricted.\n\n"
        )
    _kept(hub, kind)[name] = _known(hub, sha)
    return Answer(201, shapes.ref(hub, kind, name), {"Location": f"{hub.api}/repos/{hub.repo}/git/{whole}"})


def update(request: Request, kind: str, name: str) -> Answer:
    """Point a reference elsewhere; there is no history here, so that any move takes force."""
    hub, sha, force = request.hub, request.required("sha"), request.flag("force")
    kept = _existing(hub, kind, name)
    commit = _known(hub, sha)
    if commit != kept[name]:
        _guard(hub, kind, name, "Cannot update this protected ref.")
        if not force:
            raise ApiError(422, "Update is not a fast forward")
        kept[name] = commit
        hub.annotated.discard(name)
    return Answer(200, shapes.ref(hub, kind, name))


def delete(request: Request, kind: str, name: str) -> Answer:
    """Delete a reference; a published release whose tag it was becomes a draft."""
    hub = request.hub
    kept = _existing(hub, kind, name)
    _guard(hub, kind, name, "Cannot delete this protected ref.")
    del kept[name]
    release = hub.published(name) if kind == "tags" else None
    if release:
        release.draft, release.published_at = True, None
    hub.annotated.discard(name)
    return Answer(204)


def tag_object(request: Request, sha: str) -> Answer:
    """An annotated tag's own object."""
    hub = request.hub
    for tag in hub.annotated & hub.tags.keys():
        if shapes.tag_object(hub, tag) == sha:
            return Answer(200, shapes.annotated_tag(hub, tag))
    raise missing()


def commit(request: Request, name: str) -> Answer:
    """A commit by a branch, a tag or the first digits of its digest."""
    hub = request.hub
    named = hub.tags.get(name) or hub.commit_of(name)
    begun = [one for one in hub.commits if len(name) >= 4 and one.startswith(name)]
    if named is None and len(begun) != 1:
        raise ApiError(422, f"No commit found for SHA: {name}")
    return Answer(200, shapes.commit(hub, named or begun[0]))


def _kept(hub: GitHub, kind: str) -> dict[str, str]:
    return hub.branches if kind == "heads" else hub.tags


def _existing(hub: GitHub, kind: str, name: str) -> dict[str, str]:
    kept = _kept(hub, kind)
    if name not in kept:
        raise ApiError(422, "Reference does not exist")
    return kept


def _known(hub: GitHub, sha: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{40}", sha):
        raise ApiError(422, "The sha parameter must be exactly 40 characters and contain only [0-9a-f].")
    if sha not in hub.commits:
        raise ApiError(422, "Object does not exist")
    return sha


def _guard(hub: GitHub, kind: str, name: str, message: str) -> None:
    release = hub.published(name) if kind == "tags" else None
    if release and release.immutable:
        raise ApiError(422, f"Repository rule violations found\n\n{message}\n\n")
