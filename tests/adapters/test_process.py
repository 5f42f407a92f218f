"""Starting other programs."""

from __future__ import annotations

import os
import sys
import time

import pytest

from bundler.adapters.process import run
from bundler.errors import WorkError


def python(script: str, env: dict[str, str] | None = None, timeout: float = 20) -> tuple[int, str, str]:
    done = run([sys.executable, "-c", script], {} if env is None else env, timeout)
    return done.code, done.output, done.errors


def test_exit_code_output_and_errors_are_kept_apart() -> None:
    script = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"
    assert python(script) == (3, "out\n", "err\n")


def test_the_environment_is_exactly_what_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIWS_TEST_SECRET", "here")
    code, output, _ = python(
        "import os; print(os.environ.get('AIWS_TEST_SECRET'), os.environ['GIVEN'])", {"GIVEN": "1"}
    )
    assert (code, output) == (0, "None 1\n")


def test_there_is_no_shell_and_no_input() -> None:
    done = run([sys.executable, "-c", "import sys; print(sys.argv[1], repr(sys.stdin.read()))", "$HOME; `id`"], {}, 20)
    assert done.output == "$HOME; `id` ''\n"


def test_bytes_that_are_no_text_are_replaced() -> None:
    assert python("import sys; sys.stdout.buffer.write(b'a\\xff')")[1] == "a\ufffd"


def test_a_program_that_takes_too_long_is_ended() -> None:
    started = time.monotonic()
    with pytest.raises(WorkError, match=r"did not end within 0 s"):
        python("import time; time.sleep(60)", timeout=0.3)
    assert time.monotonic() - started < 10


def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(WorkError, match="/nowhere/uv cannot be started: No such file"):
        run(["/nowhere/uv", "--secret"], dict(os.environ), 5)
