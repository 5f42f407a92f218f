"""`publish`: a folder of archives becomes a release, whole or not at all; and a channel that follows it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from bundler.release.fill import Filler
from bundler.release.parts import CUT, Cut
from bundler.release.preflight import Publication, preflight
from bundler.release.publisher import Published, Publisher
from bundler.session import Session


@dataclass(frozen=True)
class PublishReport:
    """The release, the channel if one was asked for, what was left out, and targets without a rehearsal.

    `unchecked` is what could not be looked at, as there are no manifests.
    """

    repository: str
    release: Published
    channel: Published | None
    left_out: tuple[str, ...]
    unrehearsed: tuple[str, ...]
    unchecked: tuple[str, ...] = ()


def publish(
    session: Session, folder: Path, order: Publication, *, dry_run: bool = False, cut: Cut = CUT
) -> PublishReport:
    """Check everything, then publish. Raises PreflightError with every problem, before anything is changed.

    Run it again after an interruption: it goes on where it was. Run it again after success: nothing happens.
    """
    with session.github(order.repository) as github:
        ready = preflight(session, github, folder, order, cut)
        filler = Filler(github, session.progress, session.jobs, session.cancelled)
        publisher = Publisher(github, filler, order, ready, secrets.token_hex(8), dry_run)
        publisher.recover()
        release = publisher.release()
        channel = publisher.channel(release) if order.channel else None
        return PublishReport(order.repository, release, channel, ready.left_out, ready.unrehearsed, ready.unchecked)
