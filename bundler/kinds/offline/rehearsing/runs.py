"""What a package's manifest has consumers run of it: playbooks, the services that they leave, and all once more."""

from __future__ import annotations

import re
import time

from bundler.adapters.sandbox import Finished
from bundler.kinds.offline.plan import PackageRehearsal, Run, ServiceCheck, filled
from bundler.kinds.offline.rehearsing.host import Host, succeeded
from bundler.kinds.steps import PATIENCE, StepError, ask
from bundler.model.program_log import failure

_PATIENCE, _LOOK_SECONDS = 300.0, 0.5
# What ansible-playbook writes in the end of each host, and of a task that failed, with its default callback.
_RECAP = re.compile(r"^\S+\s*: ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", re.MULTILINE)
_TASK = re.compile(r"^(?:TASK|RUNNING HANDLER) \[(.*)\] \**$", re.MULTILINE)
_FATAL = re.compile(r"^(?:fatal|failed): \[.*$", re.MULTILINE)
_CHANGED = re.compile(r"^changed: \[", re.MULTILINE)
_MESSAGE = re.compile(r'"(?:msg|stderr)": "((?:[^"\\]|\\.)+)"')
_LONGEST = 300


def prepare(host: Host, plan: PackageRehearsal) -> str:
    """Write what an operator has put on the host, and take over what the installer exports besides."""
    for path, text in plan.files.items():
        host.machine.write(path, text)
        host.run("chmod", "600", path)
    host.env |= {name: filled(value, host.root) for name, value in plan.environment.items()}
    return ", ".join((*plan.files, *plan.environment)) or "nothing"


def run(host: Host, one: Run) -> str:
    """Run a command as consumers do."""
    done = _done(host, one)
    changed = changes(done.output)
    return "" if changed is None else f"changed={changed}"


def run_again(host: Host, one: Run) -> str:
    """Run it once more: no more tasks of a playbook may change anything than the manifest says."""
    done = _done(host, one)
    changed = changes(done.output)
    if changed is None:
        return "no recap of Ansible: its exit code is all that is known"
    if changed > one.changes:
        names = ", ".join(changing(done.output))
        raise StepError(f"the second time changed={changed}, where {one.changes} may change: {names}", done.output)
    return f"changed={changed}"


def _done(host: Host, one: Run) -> Finished:
    argv = [filled(word, host.root) for word in one.command]
    done = host.machine.run(argv, host.env, host.root, PATIENCE)
    if done.code:
        if task := failed_task(done.output):
            raise StepError(task, done.output)
        succeeded(" ".join(argv), done)
    return done


def changes(output: str) -> int | None:
    """How many tasks say that they changed things; None where no recap is."""
    recaps = _RECAP.findall(output)
    return sum(int(changed) for _, changed, _, _ in recaps) if recaps else None


def changing(output: str) -> list[str]:
    """The names of tasks that say that they changed something."""
    parts = _TASK.split(output)
    return [name for name, said in zip(parts[1::2], parts[2::2], strict=True) if _CHANGED.search(said)]


def failed_task(output: str) -> str:
    """The last task that failed and what it said, in one line; "" if none did."""
    parts = _TASK.split(output)
    failed = [
        (name, line[0]) for name, said in zip(parts[1::2], parts[2::2], strict=True) if (line := _FATAL.findall(said))
    ]
    if not failed:
        return ""
    name, line = failed[-1]
    said = [text for text in _MESSAGE.findall(line) if text.strip()]
    told = said[-1].replace("\\n", " ").replace('\\"', '"') if said else line
    return f"the task {name!r} failed: {told[:_LONGEST]}"


def serves(host: Host, service: ServiceCheck) -> str:
    """The service runs, and answers as it should."""
    started = time.monotonic()
    try:
        _answers(host, service, started + _PATIENCE)
        if host.attempt("systemctl", "is-active", "--quiet", service.unit).code:
            raise StepError("it is not active")
    except StepError as error:
        journal = host.attempt("journalctl", "--no-pager", "--output=cat", f"--unit={service.unit}").output
        state = host.attempt("systemctl", "is-active", service.unit).output.strip()
        raise StepError(failure(service.unit, f"{state}: {error}", journal), journal) from error
    return f"after {time.monotonic() - started:.1f} s"


def restarted(host: Host, service: ServiceCheck) -> str:
    """The same after a restart."""
    host.run("systemctl", "restart", service.unit)
    return serves(host, service)


def _answers(host: Host, service: ServiceCheck, deadline: float) -> None:
    if service.port is None:
        return
    for question in service.ask[:1]:
        while True:
            try:
                ask(host.machine, service.port, question)
                break
            except StepError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_LOOK_SECONDS)
    for question in service.ask[1:]:
        ask(host.machine, service.port, question)
