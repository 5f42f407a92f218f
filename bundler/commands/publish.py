"""`publish`: a folder of archives becomes a release, whole or not at all; and a channel that follows it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from pathlib import Path

from bundler.kinds.manifests import manifests_at_hand
from bundler.release.fill import Filler
from bundler.release.home import home_of
from bundler.release.parts import CUT, Cut
from bundler.release.preflight import Publication, preflight
from bundler.release.publisher import Published, Publisher
from bundler.release.signing import name_of
from bundler.release.since import Since
from bundler.session import Session


@dataclass(frozen=True)
class PublishReport:
    """The release, the channel if one was asked for, what was left out, and targets without a rehearsal.

    `unchecked` is what could not be looked at, as there are no manifests. `signed_by` is the name in trust.yaml of the
    key that signs, else its fingerprint; "" if nobody does.
    """

    repository: str
    release: Published
    channel: Published | None
    left_out: tuple[str, ...]
    unrehearsed: tuple[str, ...]
    unchecked: tuple[str, ...] = ()
    signed_by: str = ""


def publish(
    session: Session, folder: Path, order: Publication, *, dry_run: bool = False, cut: Cut = CUT
) -> PublishReport:
    """Check everything, then publish. Raises PreflightError with every problem, before anything is changed.

    Run it again after an interruption: it goes on where it was. Run it again after success: nothing happens.
    """
    manifests = manifests_at_hand(session)
    if not order.repository:
        home = home_of(manifests, order.tag)
        follows = order.channel or ("" if order.alone else home.channel)
        order = replace(order, repository=home.repository, channel=follows)
    with session.github(order.repository) as github:
        ready = preflight(session, github, folder, order, manifests, cut)
        filler = Filler(github, session.progress, session.jobs, session.cancelled)
        changes = Since(session, github, ready.content).text
        publisher = Publisher(github, filler, order, ready, secrets.token_hex(8), dry_run, changes)
        publisher.recover()
        release = publisher.release()
        channel = publisher.channel(release) if order.channel else None
        return PublishReport(
            repository=order.repository,
            release=release,
            channel=channel,
            left_out=ready.left_out,
            unrehearsed=ready.unrehearsed,
            unchecked=ready.unchecked,
            signed_by=name_of(ready.content.told),
        )
