"""What of an index the resolver may see: the cooldown, and what may be younger all the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from packaging.pylock import Pylock, PylockValidationError

from bundler.adapters.simple_page import IndexFile
from bundler.errors import LockError
from bundler.model.cooldown import Cooling
from bundler.model.locked_wheel import LockedWheel
from bundler.model.moment import rfc3339, uploaded_at
from bundler.model.needs import PARSING
from bundler.model.toml import MOST_PARTS_OF_UV, parse_toml
from bundler.model.wheel_name import parse_wheel_name

# When nothing fits, so often it is tried which of the files that are too young are not needed.
_MOST_TRIES = 16


@dataclass(frozen=True)
class Limits:
    """Files uploaded before `newest` (RFC 3339; "": whenever), of some `projects` before another moment.

    `barred` are constraints. `asked` is what `newest` would be without a cooldown.
    """

    newest: str
    asked: str = ""
    projects: Mapping[str, str] = field(default_factory=dict)
    barred: tuple[str, ...] = ()

    def wider(self, projects: Iterable[str]) -> Limits:
        """The same with these projects' files as if there were no cooldown."""
        return replace(self, projects={**self.projects, **dict.fromkeys(projects, self.asked)})


def limits_for(
    cooling: Cooling,
    asked: str,
    kept: Sequence[LockedWheel],
    files_of: Callable[[str], Sequence[IndexFile]],
) -> Limits:
    """The limits for a lock that was to hold what is uploaded before `asked`, and may keep the wheels `kept`.

    What is not young enough for `asked` is kept, and so is what the cooldown's exceptions name; but of their projects
    nothing else that is too young is seen. `files_of` tells a project's files on the index.
    """
    newest = min(asked, rfc3339(cooling.newest))
    since = datetime.fromisoformat(newest)
    young = {wheel.project: wheel for wheel in kept if wheel.uploaded and wheel.uploaded > since}
    moments = dict.fromkeys(cooling.hurried, cooling.now)
    for project, wheel in young.items():
        if wheel.uploaded:
            moments[project] = max(cooling.now, wheel.uploaded + timedelta(seconds=1))
    barred = [
        f"{project}!={version}"
        for project in sorted(moments)
        for version in _all_young(files_of(project), since)
        if not (cooling.excepted(project, version) or (project in young and young[project].version == version))
    ]
    return Limits(newest, asked, {name: rfc3339(moment) for name, moment in sorted(moments.items())}, tuple(barred))


def _all_young(files: Sequence[IndexFile], since: datetime) -> list[str]:
    """The versions of which every wheel was uploaded later."""
    young: dict[str, bool] = {}
    for file in files:
        try:
            version = str(parse_wheel_name(file.filename)[1])
        except ValueError:
            continue  # the resolver does not take it either
        uploaded = uploaded_at(file.uploaded)
        young[version] = young.get(version, True) and uploaded is not None and uploaded > since
    return [version for version, only in young.items() if only]


def least_young(limits: Limits, ask: Callable[[Limits], str]) -> str:
    """What the resolver answers where nothing fits within limits: with as few files that are too young as it takes.

    Raises LockError if nothing fits without the cooldown either.
    """
    answer = ask(replace(limits, newest=limits.asked))
    needed = _young(answer, limits)
    for project in sorted(needed)[:_MOST_TRIES]:
        if project in needed:
            try:
                answer = ask(limits.wider(needed - {project}))
            except LockError:
                continue
            needed &= _young(answer, limits)
    return answer


def _young(answer: str, limits: Limits) -> Set[str]:
    """The projects in an answer of which every wheel was uploaded too late."""
    try:
        document = parse_toml(answer, MOST_PARTS_OF_UV)
        with PARSING:
            packages = Pylock.from_dict(document).packages
    except (PylockValidationError, ValueError, RecursionError) as error:
        raise LockError(f"uv wrote a lock that cannot be read: {error}") from error
    since = datetime.fromisoformat(limits.newest)
    return {
        package.name
        for package in packages
        if package.wheels and all(one.upload_time is not None and one.upload_time > since for one in package.wheels)
    }
