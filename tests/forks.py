"""Real processes that start in milliseconds: one fresh interpreter imports what they need and forks them.

Forking the test process itself would copy its threads' locks; starting an interpreter for each takes half a second.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

_KILLED = -signal.SIGKILL


class Forks:
    """Starts processes that each call one function of a module with JSON-able arguments."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def start(self, function: str, *arguments: object) -> int:
        """Call `function` in a new process; return its id."""
        return self._ask([function, *arguments])

    def wait(self, pid: int) -> int:
        """Wait for a process; return its exit code, negative for a signal."""
        return self._ask(pid)

    def kill(self, pid: int) -> bool:
        """Kill a process that cannot defend itself; say whether it was still at work."""
        os.kill(pid, signal.SIGKILL)  # it stays a zombie until `wait`, so the id is still its own
        return self.wait(pid) == _KILLED

    def _ask(self, request: object) -> int:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


@contextmanager
def forks(module: str) -> Iterator[Forks]:
    """Run an interpreter that has imported `module` and forks on demand."""
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    env = {**kept, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    argv = [sys.executable, "-m", "tests.forks", module]
    with subprocess.Popen(argv, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Forks(process)
        finally:
            assert process.stdin
            process.stdin.close()


def _serve(module: str) -> None:
    loaded = importlib.import_module(module)
    for line in sys.stdin:
        request = json.loads(line)
        if isinstance(request, int):
            answer = os.waitstatus_to_exitcode(os.waitpid(request, 0)[1])
        elif answer := os.fork():
            pass
        else:
            _run(getattr(loaded, request[0]), request[1:])
        print(answer, flush=True)


def _run(function: object, arguments: list[object]) -> None:
    assert callable(function)
    try:
        function(*arguments)
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)


if __name__ == "__main__":
    _serve(sys.argv[1])
