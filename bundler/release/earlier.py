"""An earlier release, looked up where it is published: of when it is, as its signatures say."""

from __future__ import annotations

from dataclasses import replace

from bundler.adapters.github import GitHub
from bundler.adapters.release_listing import Listing, read_small
from bundler.adapters.store import Store
from bundler.errors import UnreachableError
from bundler.model.floor import Floor
from bundler.model.release import offline_number
from bundler.model.sidecar import Place, SidecarFacts
from bundler.release.not_older import HINT, said_of


def looked_up(store: Store, github: GitHub, floor: Floor, told: SidecarFacts) -> Floor:
    """A release that only its tag is known of, with its date as it is signed; as it was if no signature says that.

    Nothing is asked where two numbers are compared. Raises UnreachableError if there is no such release.
    """
    if floor.date or (offline_number(floor.tag) and offline_number(told.place.tag)):
        return floor
    release = github.published(floor.tag)
    if release is None:
        raise UnreachableError(f"{github.repository} has no published release {floor.tag}", f"or {HINT}")
    listing = Listing.of(store, github, release)
    assets = {asset.name: asset for asset in listing.all()}
    place = Place(github.repository, floor.tag)

    def text(name: str, limit: int) -> bytes:
        return read_small(store, github, assets[name], listing.digest(assets[name]), limit)

    said = said_of(replace(told, files=listing.contents, place=place), text)
    return Floor(floor.tag, said.date) if said else floor
