"""`aiws-bundle delta`."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click

from bundler.cli import Options
from bundler.cli.closing import close
from bundler.cli.output import print_document, print_table
from bundler.commands.delta import Step, Steps, delta
from bundler.model.sidecar import NOTHING_TOLD
from bundler.model.trust import NOTHING_TRUSTED
from bundler.session import Session
from bundler.sizes import size_text
from bundler.terminal import Json


@click.command("delta")
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@click.option(
    "--out",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("deltas"),
    show_default=True,
    help="Folder for the deltas.",
)
@click.option("--plain", is_flag=True, help="Make deltas that a host without Python can apply; they are larger.")
@click.pass_obj
def command(options: Options, old: str, new: str, out: Path, plain: bool) -> int:
    """Make what turns one archive into another, and is smaller than that.

    OLD and NEW are archives, or folders of archives that go together by their names, else by what they are for, or
    releases (OWNER/REPO@TAG, or @TAG), of which those are downloaded that the other side has too. A
    delta is called NEW.from-DIGITS.delta, of OLD's SHA-256. On a host `sh apply-delta.sh OLD DELTA` makes NEW of them,
    byte for byte, with nothing but Python 3.9; of a plain delta without that.
    """
    session = options.session()
    with _sides(session, old, new) as (before, after):
        made = delta(before, after, out, session.progress, plain=plain)
        document, sizes = _json(made), {one.new: one.new.stat().st_size for one in made.made}
    if options.json:
        print_document(document)
        return 0
    rows = [("archive", "size", "delta", "called")]
    rows += [(one.new.name, size_text(sizes[one.new]), *_told(one)) for one in made.made]
    rows += [(name, "", "", "nothing old goes with it") for name in made.alone]
    print_table(rows, right=(1, 2))
    deltas = [one.delta for one in made.made if one.delta]
    if deltas:
        close(options, f"in {out}: carry it to where the old archives are, and run: sh apply-delta.sh OLD DELTA")
    return 0


def _sides(session: Session, old: str, new: str) -> AbstractContextManager[tuple[Path, Path]]:
    """Both sides as paths; what releases take (HTTP and TLS, manifests) is not loaded where there are none."""
    if Path(old).exists() and Path(new).exists():
        return nullcontext((Path(old), Path(new)))
    from bundler.kinds.manifests import manifests_at_hand
    from bundler.release.sides import sides

    manifests = manifests_at_hand(session)
    trust = manifests.trust if manifests else NOTHING_TRUSTED
    told = replace(NOTHING_TOLD, trust=trust, today=datetime.now(UTC).date())
    return sides(session, old, new, told, lambda: manifests)


def _told(step: Step) -> tuple[str, str]:
    if step.delta:
        return size_text(step.delta.size), step.delta.path.name
    return "", "nothing changed" if step.same else "not worth it: carry the archive"


def _json(made: Steps) -> Mapping[str, Json]:
    return {"folder": str(made.folder), "archives": [_step(one) for one in made.made], "alone": list(made.alone)}


def _step(step: Step) -> Json:
    one = step.delta
    told: Json = {"path": str(one.path), "size": one.size, "sha256": one.sha256} if one else None
    return {"old": str(step.old), "new": str(step.new), "size": step.new.stat().st_size, "delta": told}
