"""Try a program in a sandbox as a manifest's `rehearsal:` says: run it to its end, or have it serve HTTP and ask it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from bundler.adapters.sandbox import Sandbox
from bundler.kinds.steps import PATIENCE, Asking, StepError, ask
from bundler.kinds.wheelhouse.program import RehearsalPlan
from bundler.model.program_log import failure

# The sandbox's own: nothing else listens there.
PORT = 4000
_PATIENCE = 300.0
_LOOK_SECONDS = 0.2
_LONGEST_ANSWER = 500


def tried(sandbox: Sandbox, program: str, plan: RehearsalPlan, env: Mapping[str, str], folder: str) -> str:
    """Run `program` in `folder` to its end, as often as the plan says; return what it did last.

    Raises StepError if one run ends with another exit code than 0, or does not write what it should.
    """
    _prepare(sandbox, plan, folder)
    for trial in plan.run:
        argv = [program, *trial.words(folder)]
        done = sandbox.run(argv, env, folder, PATIENCE)
        if done.code:
            raise StepError(failure(" ".join(argv), f"ended with {done.code}", done.output), done.output)
        if trial.output and trial.output not in done.output:
            told = f"writes nothing that holds {trial.output!r}"
            raise StepError(failure(" ".join(argv), told, done.output), done.output)
    return f"{len(plan.run)} run{'s' if len(plan.run) > 1 else ''}, each as it should be"


def _prepare(sandbox: Sandbox, plan: RehearsalPlan, folder: str) -> None:
    for path, text in {".keep": "", **plan.files}.items():
        sandbox.write(f"{folder}/{path}", text)


def serve(sandbox: Sandbox, program: str, plan: RehearsalPlan, env: Mapping[str, str], folder: str) -> str:
    """Have `program` serve from `folder`, where nothing is yet; return how long it took to be ready.

    Raises StepError if it ends, is not ready in five minutes, or answers anything else.
    """
    _prepare(sandbox, plan, folder)
    argv = [program, *plan.arguments(PORT, folder)]
    started = time.monotonic()
    number = sandbox.start(argv, env, folder)
    try:
        ready(sandbox, plan, lambda: sandbox.running(number))
        seconds = time.monotonic() - started
        if plan.ask:
            ask(sandbox, PORT, plan.ask)
    except StepError as error:
        log, ended = sandbox.output(number), not sandbox.running(number)
        code = sandbox.stop(number)
        end = f"ended with {code} after {time.monotonic() - started:.0f} s" if ended else "was still running"
        raise StepError(failure(" ".join(argv), f"{end}: {error}", log), log) from error
    sandbox.stop(number)
    return f"ready after {seconds:.1f} s"


def ready(sandbox: Asking, plan: RehearsalPlan, running: Callable[[], bool], port: int = PORT) -> None:
    """Wait until the program is ready. Raises StepError if it ends first, as `running` tells, or takes five minutes."""
    deadline = time.monotonic() + _PATIENCE
    for path in plan.ready:
        _await(sandbox, running, port, path, deadline)


def _await(sandbox: Asking, running: Callable[[], bool], port: int, path: str, deadline: float) -> None:
    """Wait until `path` is answered with 200."""
    while True:
        status, body = sandbox.ask(port, path)
        if status == 200:
            return
        if time.monotonic() > deadline or not running():
            raise StepError(f"{path} answers {status or 'nothing'}: {body[:_LONGEST_ANSWER]}")
        time.sleep(_LOOK_SECONDS)
