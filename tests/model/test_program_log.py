"""The first error of a log, in what Python, pip, Node.js and Go really wrote."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from bundler.model.program_log import failure, first_error, last_line

CHAINED = """\
INFO: starting
Traceback (most recent call last):
  File "/app/proxy.py", line 5, in start
    load()
  File "/app/proxy.py", line 2, in load
    import orjson
ModuleNotFoundError: No module named 'orjson'

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/app/proxy.py", line 9, in <module>
    start()
RuntimeError: the proxy cannot start

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/app/proxy.py", line 11, in <module>
    {}["config"]
    ~~^^^^^^^^^^
KeyError: 'config'
"""
GROUP = """\
  + Exception Group Traceback (most recent call last):
  |   File "/app/group.py", line 9, in <module>
  |     asyncio.run(main())
  |
  |   File "/app/group.py", line 7, in main
  |     async with asyncio.TaskGroup() as g:
  | ExceptionGroup: unhandled errors in a TaskGroup (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "/app/group.py", line 3, in a
    |     raise ValueError("no port\\nand no host")
    | ValueError: no port
and no host
    +---------------- 2 ----------------
    | Traceback (most recent call last):
    |   File "/app/group.py", line 5, in b
    |     raise TypeError("x")
    | TypeError: x
    +------------------------------------
"""
GROUPS_WITHOUT_STACKS = """\
  + Exception Group Traceback (most recent call last):
  |   File "/app/group.py", line 1, in <module>
  |     raise ExceptionGroup("outer", [ExceptionGroup("inner", [OSError(2, "gone", "/x")]), TypeError("z")])
  | ExceptionGroup: outer (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | ExceptionGroup: inner (1 sub-exception)
    +-+---------------- 1 ----------------
      | FileNotFoundError: [Errno 2] gone: '/x'
      +------------------------------------
    +---------------- 2 ----------------
    | TypeError: z
    +------------------------------------
"""
PIP_BUILDS = """\
Processing ./pkg
  error: subprocess-exited-with-error

  × Preparing metadata (pyproject.toml) did not run successfully.
  │ exit code: 1
  ╰─> [18 lines of output]
      Traceback (most recent call last):
        File "/v/pip/_vendor/pyproject_hooks/_in_process/_in_process.py", line 353, in <module>
          main()
                                   ^^^^^^^^^^
        File "<string>", line 1, in <module>
      ModuleNotFoundError: No module named 'numpy'
      [end of output]

error: metadata-generation-failed
"""
PIP_FINDS_NOTHING = """\
Looking in links: /tmp/rehearsal/litellm-runtime/packages/pip
ERROR: Could not find a version that satisfies the requirement litellm==1.0 (from versions: none)
ERROR: No matching distribution found for litellm==1.0
"""
NODE = """\
node:internal/modules/cjs/loader:1210
  throw err;
  ^

Error: Cannot find module './nowhere'
Require stack:
- /app/n.js
    at Module._resolveFilename (node:internal/modules/cjs/loader:1207:15)
    at Module._load (node:internal/modules/cjs/loader:1038:27) {
  code: 'MODULE_NOT_FOUND',
  requireStack: [ '/app/n.js' ]
}

Node.js v20.20.2
"""
NODE_WITH_CODE = """\
TypeError [ERR_INVALID_ARG_TYPE]: The "path" argument must be of type string
    at go (/app/n2.js:1:41) {
  [cause]: Error: spawn EACCES
"""
GO = """\
2026/01/01 00:00:00 listening on :8080
panic: runtime error: invalid memory address or nil pointer dereference

goroutine 1 [running]:
"""
LOGGED = """\
ERROR:    Traceback (most recent call last):
  File "/v/starlette/routing.py", line 692, in lifespan
    async with self.lifespan_context(app) as maybe_state:
  [Previous line repeated 996 more times]
prisma.errors.ClientNotRegisteredError
ERROR:    Application startup failed. Exiting.
"""
WITHOUT_A_STACK = """\
  File "/app/bad.py", line 1
    x = = 1
        ^
SyntaxError: invalid syntax
"""
CUT_SHORT = 'Traceback (most recent call last):\n  File "/app/x.py", line 1, in <module>\n'


@pytest.mark.parametrize(
    ("log", "first"),
    [
        (CHAINED, "ModuleNotFoundError: No module named 'orjson'"),
        (GROUP, "ValueError: no port"),
        (GROUPS_WITHOUT_STACKS, "FileNotFoundError: [Errno 2] gone: '/x'"),
        (PIP_BUILDS, "ModuleNotFoundError: No module named 'numpy'"),
        (
            PIP_FINDS_NOTHING,
            "ERROR: Could not find a version that satisfies the requirement litellm==1.0 (from versions: none)",
        ),
        (NODE, "Error: Cannot find module './nowhere'"),
        (NODE_WITH_CODE, 'TypeError [ERR_INVALID_ARG_TYPE]: The "path" argument must be of type string'),
        (GO, "panic: runtime error: invalid memory address or nil pointer dereference"),
        (LOGGED, "prisma.errors.ClientNotRegisteredError"),
        (WITHOUT_A_STACK, "SyntaxError: invalid syntax"),
        (CUT_SHORT, ""),
        (CUT_SHORT + CHAINED.removeprefix("INFO: starting\n"), "ModuleNotFoundError: No module named 'orjson'"),
        ("\x1b[31mTraceback (most recent call last):\x1b[0m\n  x\n\x1b[1mValueError: 1\x1b[0m\n", "ValueError: 1"),
        ("usage: demo [--help]\nno errors were found\n", ""),
        ("", ""),
    ],
)
def test_the_first_error_is_the_cause(log: str, first: str) -> None:
    assert first_error(log) == first


@pytest.mark.parametrize(
    ("code", "first"),
    [
        ("try:\n  import nowhere\nexcept ImportError as e:\n  raise SystemError(1) from e", "ModuleNotFoundError: "),
        ("raise ExceptionGroup('a', [ExceptionGroup('b', [KeyError('c')])])", "KeyError: 'c'"),
        ("class E(Exception): pass\nraise E", "E"),
    ],
)
def test_this_python_tells_it_so(code: str, first: str) -> None:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert first_error(done.stderr).removeprefix("__main__.").startswith(first)


def test_a_failure_tells_the_command_its_end_the_cause_and_the_last_lines() -> None:
    told = failure("/venv/bin/demo --version", "ended with 1", CHAINED).splitlines()
    assert told[:4] == [
        "/venv/bin/demo --version",
        "ended with 1",
        "the first error: ModuleNotFoundError: No module named 'orjson'",
        "the last lines:",
    ]
    assert told[-1] == "KeyError: 'config'"
    assert len(told) == 4 + 12


def test_a_program_that_writes_nothing_is_told_so() -> None:
    assert failure("demo", "ended with 127", " \n\n") == "demo\nended with 127\nit wrote nothing"


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ("", ""),
        (" \n\n", ""),
        ("1.0\n", "1.0"),
        ("\x1b[92mproxy:ERROR\x1b[0m: odd\r\n  version \x1b[1m1.0\x1b[0m \n\n \x1b[0m\n", "version 1.0"),
    ],
)
def test_the_last_line_is_the_last_that_says_something(log: str, said: str) -> None:
    assert last_line(log) == said


@pytest.mark.parametrize(
    "log",
    [
        "a." * 65_536,
        "E" * 131_072,
        CUT_SHORT * 2000,
        "- " * 65_536,
        "\x1b[0;" * 32_768,
        " |+-" * 32_768,
        "\n" * 131_072,
    ],
    ids=["dots", "letters", "headers", "dashes", "colours", "frames", "lines"],
)
def test_a_log_takes_no_longer_than_its_size(log: str) -> None:
    began = time.process_time()
    failure("demo", "ended with 1", log)
    assert time.process_time() - began < 1
