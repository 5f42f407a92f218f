"""`aiws-bundle publish`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from bundler.cli import Options
from bundler.cli.closing import close
from bundler.cli.key_options import key_options, with_key
from bundler.cli.output import print_document
from bundler.commands.publish import PublishReport, publish
from bundler.errors import UsageError
from bundler.model.release import TAG_FORMS, parse_repository, parse_tag
from bundler.model.signatures import form_of
from bundler.release.deltas import origins
from bundler.release.preflight import Publication
from bundler.release.publisher import Published
from bundler.sizes import size_text
from bundler.terminal import Json, say
from bundler.words import ARCHIVE

_WITHOUT = f"{__name__}.without"


class _Publish(click.Command):
    """The command, with an option for each section of manifests whose payload an archive may be without."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """The parameters; the table is loaded only where they are asked for."""
        from bundler.payloads import SECTIONS

        return [*super().get_params(ctx), *map(_without, SECTIONS)]


def _without(section: str) -> click.Option:
    def note(context: click.Context, option: click.Parameter, given: bool) -> None:
        if given:
            allowed: list[str] = context.meta.setdefault(_WITHOUT, [])
            allowed.append(section)

    words = f"Publish archives without {section} support, though their manifest asks for it."
    return click.Option([f"--without-{section}"], is_flag=True, expose_value=False, callback=note, help=words)


@click.command("publish", cls=_Publish)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--repo",
    "repository",
    metavar="OWNER/REPO",
    default="",
    help="The repository to publish to. [default: the manifest's, with the channel that it names]",
)
@click.option("--tag", required=True, help=f"The release's tag: {TAG_FORMS}.")
@click.option(
    "--targets", metavar="SELECTOR", multiple=True, help="What must be there, and is published. [default: all targets]"
)
@click.option("--channel", metavar="NAME", default="", help="Let this moving release follow: latest-runtime.")
@click.option("--no-channel", "alone", is_flag=True, help="Let none follow, whatever the manifest names.")
@click.option(
    "--commit", metavar="SHA", default="", help="The tag's commit. [default: what the tag says, or GITHUB_SHA]"
)
@click.option(
    "--replace",
    is_flag=True,
    help="Switch a published runtime-* tag to other assets: the old release is deleted.",
)
@click.option(
    "--latest/--not-latest",
    default=None,
    help="Whether GitHub shows the release as the latest. [default: what the manifest says, else only offline-*]",
)
@click.option(
    "--rehearsal",
    "rehearsals",
    metavar="FILE",
    multiple=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="What `--json rehearse` printed of an archive; one that failed refuses.",
)
@click.option(
    "--delta-from",
    "delta_from",
    metavar="TAG|last:N",
    multiple=True,
    help="Add deltas from the archives of this release, or of the last N of the same kind of tag. "
    "[default: as many as the manifest says]",
)
@click.option("--no-deltas", "whole", is_flag=True, help="Add none, whatever the manifest says.")
@with_key
@click.option("--unsigned", is_flag=True, help="Sign nothing, though trust.yaml names keys.")
@click.option("--dry-run", is_flag=True, help="Check everything and say what would be done.")
@click.option("--jobs", type=click.IntRange(1, 16), default=4, show_default=True, help="Uploads at once.")
@click.pass_obj
def command(
    options: Options,
    folder: Path,
    repository: str,
    tag: str,
    targets: tuple[str, ...],
    channel: str,
    alone: bool,
    commit: str,
    replace: bool,
    latest: bool | None,
    rehearsals: tuple[Path, ...],
    delta_from: tuple[str, ...],
    whole: bool,
    key: Path | None,
    key_fd: int | None,
    password_fd: int | None,
    unsigned: bool,
    dry_run: bool,
    jobs: int,
) -> int:
    """Put archives on a GitHub release, whole or not at all.

    DIR is a folder that `build` filled. Everything is checked before the first byte is sent; without manifests here,
    all that the archives themselves tell. Assets go to a draft, what GitHub stored is compared, and only then does the
    release appear. An archive of 2 GiB or more goes in parts. Run it again after an interruption: it goes on
    where it was. The token is GH_TOKEN or GITHUB_TOKEN; GITHUB_API_URL names a GitHub Enterprise server.

    With a key at hand SHA256SUMS is signed; what others signed goes along from DIR, if it fits what is published.
    """
    if unsigned and (key is not None or key_fd is not None):
        raise UsageError("--unsigned and a key contradict each other", "leave one of them out")
    if alone and channel:
        raise UsageError("--channel and --no-channel contradict each other", "leave one of them out")
    if whole and delta_from:
        raise UsageError("--delta-from and --no-deltas contradict each other", "leave one of them out")
    session = options.session(jobs=jobs)
    order = Publication(
        repository=parse_repository(repository) if repository else "",
        tag=parse_tag(tag),
        targets=targets,
        channel=parse_tag(channel) if channel else "",
        commit=commit.strip().lower(),
        replace=replace,
        rehearsals=rehearsals,
        latest=latest,
        without=tuple(click.get_current_context().meta.get(_WITHOUT, ())),
        signer=None if unsigned else session.signer(key_options(key, key_fd, password_fd)),
        unsigned=unsigned,
        alone=alone,
        delta_from=origins(delta_from) if delta_from or whole else None,
    )
    report = publish(session, folder, order, dry_run=dry_run)
    if options.json:
        print_document(_json(report))
    else:
        _show(report)
    if not dry_run:
        repository, tag = report.repository, report.release.tag
        record = ["report", folder, "--repo", repository, "--tag", tag]
        close(options, f"{repository}@{tag} is published", ["verify", f"{repository}@{tag}"], record)
    return 0


def _show(report: PublishReport) -> None:
    for published in filter(None, (report.release, report.channel)):
        filled, planned = published.filled, published.state.startswith("would ")
        where = f"at commit {published.commit}  {published.url}" if published.commit else published.url
        say(f"{published.state}  {published.tag} {where}".rstrip())
        if published.detail:
            say(f"  {published.detail}")
        if filled.uploaded or filled.kept:
            uploaded = f"{len(filled.uploaded)} assets ({size_text(filled.uploaded_bytes)})"
            say(f"  {uploaded} {'would be ' if planned else ''}uploaded, {len(filled.kept)} there already")
        if planned:
            for name in filled.uploaded:
                say(f"    {name}")
    say(f"signed by {report.signed_by}" if report.signed_by else "not signed")
    for name in report.left_out:
        say(f"left out, {_why_left_out(name)}: {name}")
    if report.unrehearsed:
        say(f"not rehearsed: {', '.join(report.unrehearsed)}")
    if report.unchecked:
        say(f"not checked, as there are no manifests here: {'; '.join(report.unchecked)}")


def _why_left_out(name: str) -> str:
    if form_of(name):
        return "as it does not count for what is published"
    return "not among --targets" if name.endswith(ARCHIVE) else "as no release holds it"


def _json(report: PublishReport) -> Mapping[str, Json]:
    return {
        "repository": report.repository,
        "release": _release(report.release),
        "channel": _release(report.channel) if report.channel else None,
        "left_out": list(report.left_out),
        "unrehearsed": list(report.unrehearsed),
        "unchecked": list(report.unchecked),
        "signed_by": report.signed_by or None,
    }


def _release(published: Published) -> Json:
    return {
        "tag": published.tag,
        "commit": published.commit,
        "state": published.state,
        "detail": published.detail,
        "url": published.url,
        "uploaded_bytes": published.filled.uploaded_bytes,
        "uploaded": list(published.filled.uploaded),
        "kept": list(published.filled.kept),
    }
