"""Start a program that serves HTTP in a sandbox, wait until it is ready, ask it: as a manifest's `rehearsal:` says."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping

from bundler.adapters.sandbox import Sandbox
from bundler.kinds.steps import StepError
from bundler.kinds.wheelhouse.program import Question, RehearsalPlan
from bundler.model.program_log import failure

# The sandbox's own: nothing else listens there.
_PORT = 4000
_PATIENCE, _ANSWER_PATIENCE = 300.0, 120.0
_LOOK_SECONDS = 0.2
_LONGEST_ANSWER = 500


def serve(sandbox: Sandbox, program: str, plan: RehearsalPlan, env: Mapping[str, str], folder: str) -> str:
    """Have `program` serve from `folder`, where nothing is yet; return how long it took to be ready.

    Raises StepError if it ends, is not ready in five minutes, or answers anything else.
    """
    for path, text in {".keep": "", **plan.files}.items():
        sandbox.write(f"{folder}/{path}", text)
    argv = [program, *plan.arguments(_PORT, folder)]
    started = time.monotonic()
    number = sandbox.start(argv, env, folder)
    try:
        for path in plan.ready:
            _await(sandbox, number, path, started + _PATIENCE)
        seconds = time.monotonic() - started
        if plan.ask:
            _ask(sandbox, plan.ask)
    except StepError as error:
        log, ended = sandbox.output(number), not sandbox.running(number)
        code = sandbox.stop(number)
        end = f"ended with {code} after {time.monotonic() - started:.0f} s" if ended else "was still running"
        raise StepError(failure(" ".join(argv), f"{end}: {error}", log), log) from error
    sandbox.stop(number)
    return f"ready after {seconds:.1f} s"


def _await(sandbox: Sandbox, number: int, path: str, deadline: float) -> None:
    """Wait until `path` is answered with 200. Raises StepError if the program ends first, or it takes too long."""
    while True:
        status, body = sandbox.ask(_PORT, path)
        if status == 200:
            return
        if time.monotonic() > deadline or not sandbox.running(number):
            raise StepError(f"{path} answers {status or 'nothing'}: {body[:_LONGEST_ANSWER]}")
        time.sleep(_LOOK_SECONDS)


def _ask(sandbox: Sandbox, question: Question) -> None:
    """Ask once. Raises StepError for any answer but 200 with the text that is expected."""
    status, body = sandbox.ask(_PORT, question.path, json.dumps(question.body), _ANSWER_PATIENCE)
    if status != 200 or question.answer not in body:
        said = f"{question.path} answers {status or 'nothing'}, without {question.answer!r}"
        raise StepError(f"{said}: {body[:_LONGEST_ANSWER]}")
