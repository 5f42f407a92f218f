"""The cooldown: what of an index is too young to be locked on a day, and what may be taken all the same."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bundler.model.locked_wheel import LockedWheel
from bundler.model.trust import Cooldown, Hurried

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Cooling:
    """A cooldown on a day (UTC). It is counted from the day's beginning, so that all of a day's locks agree."""

    rule: Cooldown
    today: date

    @property
    def now(self) -> datetime:
        """The beginning of the day."""
        return datetime.combine(self.today, time(), UTC)

    @property
    def newest(self) -> datetime:
        """When the youngest file that may be taken was uploaded."""
        return self.now - timedelta(days=self.rule.days)

    @cached_property
    def _exceptions(self) -> tuple[tuple[Requirement, Hurried], ...]:
        return tuple((Requirement(one.requirement), one) for one in self.rule.exceptions if not self._ended(one))

    def _ended(self, one: Hurried) -> bool:
        return one.until is not None and one.until < self.today

    @property
    def hurried(self) -> frozenset[str]:
        """The projects that may be younger, in some version."""
        return frozenset(canonicalize_name(wanted.name) for wanted, _ in self._exceptions)

    def excepted(self, project: str, version: str) -> bool:
        """Say whether a version of a project may be younger."""
        name = canonicalize_name(project)
        return any(
            canonicalize_name(wanted.name) == name and wanted.specifier.contains(version, prereleases=True)
            for wanted, _ in self._exceptions
        )

    def holds_back(self, project: str, version: str, uploaded: datetime | None) -> bool:
        """Say whether a file is too young; one is not if the index tells no time."""
        return uploaded is not None and uploaded > self.newest and not self.excepted(project, version)

    def first_day(self, uploaded: datetime) -> date:
        """The first day on which a file may be taken."""
        try:
            due = uploaded.astimezone(UTC) + timedelta(days=self.rule.days)
            return due.date() + (_DAY if due.time() > time() else timedelta())
        except OverflowError:
            return date.max

    def told(self, uploaded: datetime) -> str:
        """When a file that is too young was uploaded, and when it may be taken."""
        moment = f"{uploaded.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        return f"uploaded {moment}, may be taken from {self.first_day(uploaded)} on (cooldown: {self.rule.days} days)"

    def exceptions_for(self, young: Iterable[LockedWheel]) -> str:
        """What to add to `trust.yaml` for these wheels: entries of its cooldown's exceptions."""
        return " ".join(
            f'- {{requirement: {wheel.project}=={wheel.version}, reason: "…", until: {self.first_day(wheel.uploaded)}}}'
            for wheel in young
            if wheel.uploaded
        )
