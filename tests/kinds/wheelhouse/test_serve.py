"""A program that serves in a sandbox: what it is told, what it is asked, and what is told when it fails."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import pytest

from bundler.adapters.sandbox import Sandbox
from bundler.kinds.question import Question
from bundler.kinds.steps import StepError
from bundler.kinds.wheelhouse import serve as serving
from bundler.kinds.wheelhouse.program import RehearsalPlan
from bundler.kinds.wheelhouse.serve import serve

PLAN = RehearsalPlan(
    start=("--port={port}", "--config", "{folder}/config.yaml"),
    ready=("/alive", "/ready"),
    ask=Question("/greet", "hello", {"name": "nobody"}),
    files={"config.yaml": "greeting: hello"},
)
LOG = "Traceback (most recent call last):\n  File x\nKeyError: 'port'\n"


@dataclass
class Served:
    """A sandbox with one program, which answers as `answers` says, a path or "" for any other."""

    answers: Mapping[str, Callable[[], tuple[int, str]]]
    ended: bool = False
    did: list[tuple[object, ...]] = field(default_factory=list)

    def write(self, path: str, text: str) -> None:
        self.did.append(("write", path, text))

    def start(self, argv: Sequence[str], env: Mapping[str, str], cwd: str) -> int:
        self.did.append(("start", *argv, cwd))
        return 7

    def ask(self, port: int, path: str, body: str = "", timeout: float = 10.0, bearer: str = "") -> tuple[int, str]:
        self.did.append(("ask", port, path, body))
        return self.answers[path]()

    def running(self, number: int) -> bool:
        return not self.ended

    def output(self, number: int) -> str:
        return LOG

    def stop(self, number: int) -> int:
        self.did.append(("stop", number))
        return 3


def always(status: int, body: str = "") -> Callable[[], tuple[int, str]]:
    return lambda: (status, body)


def run(served: Served) -> str:
    return serve(cast(Sandbox, served), "/venv/bin/demo", PLAN, {}, "/there")


def test_files_are_written_then_it_is_started_awaited_in_order_asked_and_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(serving, "_LOOK_SECONDS", 0.0)
    starting = itertools.chain([(0, "refused"), (503, "soon")], itertools.repeat((200, "")))
    served = Served({"/alive": lambda: next(starting), "/ready": always(200), "/greet": always(200, "well, hello")})
    assert run(served).startswith("ready after 0.")
    assert served.did == [
        ("write", "/there/.keep", ""),
        ("write", "/there/config.yaml", "greeting: hello"),
        ("start", "/venv/bin/demo", "--port=4000", "--config", "/there/config.yaml", "/there"),
        *[("ask", 4000, "/alive", "")] * 3,
        ("ask", 4000, "/ready", ""),
        ("ask", 4000, "/greet", '{"name": "nobody"}'),
        ("stop", 7),
    ]


@pytest.mark.parametrize("answer", [(500, "hello"), (200, "good day"), (0, "timed out")])
def test_any_other_answer_fails(answer: tuple[int, str]) -> None:
    served = Served({"/alive": always(200), "/ready": always(200), "/greet": always(*answer)})
    with pytest.raises(StepError) as caught:
        run(served)
    told = str(caught.value)
    assert f"was still running: /greet answers {answer[0] or 'nothing'}, without 'hello': {answer[1]}" in told
    assert caught.value.log == LOG
    assert served.did[-1] == ("stop", 7)


def test_a_program_that_ends_is_told_with_its_code_and_its_first_error() -> None:
    with pytest.raises(StepError) as caught:
        run(Served({"/alive": always(0, "refused")}, ended=True))
    assert str(caught.value).splitlines()[:3] == [
        "/venv/bin/demo --port=4000 --config /there/config.yaml",
        "ended with 3 after 0 s: /alive answers nothing: refused",
        "the first error: KeyError: 'port'",
    ]
    assert caught.value.log == LOG


def test_one_that_is_never_ready_is_not_awaited_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "_LOOK_SECONDS", 0.0)
    monkeypatch.setattr(serving, "_PATIENCE", 0.05)
    with pytest.raises(StepError, match="was still running: /ready answers 503: later"):
        run(Served({"/alive": always(200), "/ready": always(503, "later")}))
