"""Rehearse a wheelhouse on a host of its own kind: carry its plan out in the host's sandbox; list what was refused."""

from __future__ import annotations

import os
import secrets
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bundler.adapters import jail_files, seatbelt
from bundler.adapters.sandbox import Attempt, Size
from bundler.errors import UsageError, WorkError
from bundler.kinds.steps import Measures, Rehearsal, Step, StepError, ask
from bundler.kinds.wheelhouse.host_plan import HostPlan, HostStep, plan
from bundler.kinds.wheelhouse.members.archive_manifest import ArchiveManifest
from bundler.kinds.wheelhouse.program import Description, RehearsalPlan
from bundler.kinds.wheelhouse.serve import ready
from bundler.model.program_log import failure
from bundler.platforms import named, runner
from bundler.sizes import size_text

_LONGEST_DETAIL = 100
# The log is written a little later than things happen: how often it is read until it has the last of the probes.
_READINGS, _LAG = 5, 2.0


def check_host(root: Path, platform: str) -> None:
    """Check that this host is of the kind of `platform`, and itself the root. Raises UsageError."""
    host, (system, _) = os.uname(), named(platform)
    if runner(platform, host.sysname, host.machine) != "native":
        raise UsageError(f"nothing here runs programs for {platform}", system.ELSEWHERE)
    if root != Path("/"):
        raise UsageError(f"an archive for {platform} is rehearsed on the host itself", "leave --root out")


def rehearse(
    archive: Path, top: str, facts: ArchiveManifest, description: Description, told: Callable[[Step], None]
) -> Rehearsal:
    """Install and run a good archive with the top folder `top` on this host; `told` hears of every step.

    All is in a temporary folder, which is gone afterwards. Raises WorkError if no sandbox can be made.
    """
    with tempfile.TemporaryDirectory(prefix="aiws-rehearsal-", ignore_cleanup_errors=True) as made:
        folder = Path(made).resolve()  # as the kernel sees it: a profile knows no links
        made_plan = plan(archive.absolute(), top, facts, description, folder, _free_port())
        done = _Carrying(made_plan, folder / "profile.sb").out(told)
    measures = replace(done.measures, versions={"distro": facts.host, **done.measures.versions})
    notes = tuple(filter(None, [description.note]))
    return replace(done, measures=measures, manifest=description.manifest, notes=notes)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@dataclass(frozen=True)
class _Taken:
    """A step that was taken, from then to then in seconds since 1970."""

    step: HostStep
    result: Step
    began: float
    ended: float


class _Carrying:
    """Carries a plan out, and keeps what was measured."""

    def __init__(self, carried: HostPlan, profile: Path) -> None:
        self._plan, self._profile = carried, profile
        self._tag = f"aiws-{secrets.token_hex(8)}"
        self._before: Size | None = None
        self._versions: dict[str, str] = {}
        self._disk = 0

    def out(self, told: Callable[[Step], None]) -> Rehearsal:
        """Take every step until one fails; the probes all the same, for they show how far the log tells all."""
        self._plan.folder.mkdir()
        for path, text in self._plan.files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        self._profile.write_text(seatbelt.profile(self._plan.folder, self._tag), encoding="utf-8")
        taken: list[_Taken] = []
        for step in self._plan.steps:
            if step.probe or all(one.result.good for one in taken):
                began = time.time()
                result = self._taken(step)
                taken.append(_Taken(step, result, began, time.time()))
                told(result)
        steps, measures = tuple(one.result for one in taken), Measures(self._versions, self._disk)
        try:
            attempts = self._refused(taken)
        except WorkError as error:
            return Rehearsal(steps, measures, unlisted=f"{error.message}; an administrator of the host may read it")
        own = zip(steps, attempts, strict=True)
        return Rehearsal(tuple(replace(step, attempts=there) for step, there in own), measures)

    def _taken(self, step: HostStep) -> Step:
        began, log = time.monotonic(), ""
        try:
            good, detail = True, self._detail(step)
        except StepError as error:
            good, detail, log = False, str(error), error.log
        except (OSError, RecursionError) as error:  # what a program left may be more than can be looked at
            good, detail = False, f"what it left cannot be read: {error}"
        return Step(step.name, time.monotonic() - began, good, detail, log=log)

    def _detail(self, step: HostStep) -> str:
        argv = (seatbelt.SANDBOX_EXEC, "-f", str(self._profile), *step.argv)
        running = seatbelt.Running(argv, step.env, str(self._plan.folder))
        try:
            if step.serves:
                return self._served(step, step.serves, running)
            output = _output(step, running)
        finally:
            running.end()
        if step.tells:
            self._versions |= dict(line.split(" ", 1) for line in output.splitlines()[-3:] if " " in line)
        return self._looked(step) or next(reversed(output.strip().splitlines()), "")[:_LONGEST_DETAIL]

    def _served(self, step: HostStep, tried: RehearsalPlan, running: seatbelt.Running) -> str:
        """Have a program serve until it was ready and answered; how long it took to be ready."""
        began = time.monotonic()
        try:
            ready(_Loopback(), tried, lambda: running.running, self._plan.port)
            seconds = time.monotonic() - began
            if tried.ask:
                ask(_Loopback(), self._plan.port, tried.ask)
        except StepError as error:
            end = "was still running" if running.running else "ended"
            _, log = running.end()
            raise StepError(failure(" ".join(step.argv), f"{end}: {error}", log), log) from error
        return f"ready after {seconds:.1f} s"

    def _looked(self, step: HostStep) -> str:
        """What is to be told of the installation's folder. Raises StepError if it is not as it should be."""
        if not step.prefix:
            return ""
        found = jail_files.look(str(self._plan.prefix))
        size = Size(**found)  # type: ignore[arg-type]
        before, self._before = self._before, size
        if step.prefix == "gone":
            if not size.empty:
                raise StepError(f"files are left in {self._plan.prefix}")
            return ""
        if size.empty or (step.prefix == "same" and before != size):
            raise StepError(f"{self._plan.prefix} {'is empty' if size.empty else 'changed'}")
        self._disk = size.size
        return f"{size.files} files unchanged" if step.prefix == "same" else f"{size_text(size.size)} on disk"

    def _refused(self, taken: Sequence[_Taken]) -> Sequence[tuple[Attempt, ...]]:
        """What was refused in each step. Raises WorkError if the log cannot be read, or lacks what the probes tried."""
        for _ in range(_READINGS):
            time.sleep(_LAG)
            denials = seatbelt.refused(self._tag, taken[0].began)
            found = [[what for at, what in denials if one.began <= at <= one.ended] for one in taken]
            if all(there for there, one in zip(found, taken, strict=True) if one.step.probe):
                own = zip(found, taken, strict=True)
                return [() if one.step.probe else tuple(dict.fromkeys(there)) for there, one in own]
        raise WorkError("the system's log does not even have what was tried to see that it has all")


def _output(step: HostStep, running: seatbelt.Running) -> str:
    """What a program wrote that ended well. Raises StepError if it did not."""
    code, output = running.end(step.timeout)
    told = f"did not end in {step.timeout:.0f} s" if code == seatbelt.LATE else f"ended with {code}" if code else ""
    if not told and step.output not in output:
        told = f"writes nothing that holds {step.output!r}"
    if told:
        raise StepError(failure(" ".join(step.argv), told, output), output)
    return output


class _Loopback:
    """Asks servers of this host, from outside the sandbox."""

    def ask(self, port: int, path: str, body: str = "", timeout: float = 10.0, bearer: str = "") -> tuple[int, str]:
        heard: list[jail_files.Json] = []
        question = (port, "POST" if body else "GET", path, body, bearer)
        # One that only trickles is left to itself; it ends with the program that it asks.
        asking = threading.Thread(target=lambda: heard.append(jail_files.ask(*question)), daemon=True)
        asking.start()
        asking.join(timeout)
        answer = heard[0] if heard else None
        return (int(str(answer["status"])), str(answer["body"])) if isinstance(answer, dict) else (0, "in time")
