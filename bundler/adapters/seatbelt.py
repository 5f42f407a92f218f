"""The sandbox that macOS has for any program: sandbox-exec(1), its profile, and what the log says that it refused.

Apple tells little of the language of profiles: sandbox(7) and sandbox-exec(1), its own profiles in
/System/Library/Sandbox/Profiles. The rules are as the Apple Sandbox Guide tells them
(https://reverse.put.as/wp-content/uploads/2011/09/Apple-Sandbox-Guide-v1.0.pdf): the last that matches counts, and an
address is `localhost` or `*` with a port. `(with message …)` has the kernel end what it logs of a refusal with a line
of ours, as https://github.com/anthropic-experimental/sandbox-runtime does:

    Sandbox: python3.13(4711) deny(1) network-outbound 192.0.2.1:443
    <tag>

It keeps a program from the network and from files, and lists what it tried; what asks another process of the system to
do something is not kept from that. It is no wall against who means harm.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from bundler.adapters.sandbox import Attempt
from bundler.errors import WorkError

SANDBOX_EXEC, LOG = "/usr/bin/sandbox-exec", "/usr/bin/log"
# The exit code of a program that was ended, as timeout(1) has it.
LATE = 124
_CHUNK, _KEPT, _LARGEST_LOG = 1 << 16, 1 << 20, 16 << 20
_GRACE, _LOG_PATIENCE = 10.0, 120.0
_LONGEST_TARGET, _LONGEST_LINE = 200, 1 << 16
# What programs open to write though they keep nothing there.
_DEVICES = ("/dev/null", "/dev/zero", "/dev/tty", "/dev/dtracehelper")
_NETWORK = "network-"
# Where the resolver of names listens. Which name was asked for stays in the question.
_RESOLVER = "/private/var/run/mDNSResponder"
_DENIAL = re.compile(
    r"(?:[0-9]{1,9} duplicate reports? for )?Sandbox: (?P<program>.{1,64})\([0-9]{1,10}\) deny\([0-9]\) "
    r"(?P<operation>[a-z*-]{1,64})(?: (?P<target>[^\n]*))?"
)


def profile(folder: Path, tag: str) -> str:
    """The profile of a program that reaches no network but loopback, and writes nothing outside `folder`.

    `folder` is a real path, no link in it. `tag` ends what is logged of a refusal: letters, digits and `-`.
    """
    told = f'(with message "{tag}")'
    devices = " ".join(f'(literal "{path}")' for path in _DEVICES)
    return f"""(version 1)
(allow default)
(deny network* {told})
(allow network-bind (local ip "localhost:*"))
(allow network-inbound (local ip "localhost:*"))
(allow network-outbound (remote ip "localhost:*"))
(deny file-write* {told})
(allow file-write* (subpath {json.dumps(str(folder), ensure_ascii=False)}) {devices})
"""


class Running:
    """A program that was started, in a session of its own, the end of whose output is kept."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], cwd: str, kept: int = _KEPT) -> None:
        try:
            self._process = subprocess.Popen(  # noqa: S603 - argv is ours, no shell
                list(argv),
                env=dict(env),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise WorkError(
                f"{argv[0]} cannot be started: {error.strerror}", "is this a Mac as it was set up?"
            ) from error
        self._kept, self._said = kept, bytearray()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        if (pipe := self._process.stdout) is None:
            return
        with pipe, suppress(OSError, ValueError):
            while data := os.read(pipe.fileno(), _CHUNK):
                self._said += data
                del self._said[: -self._kept]

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def end(self, timeout: float = 0.0) -> tuple[int, str]:
        """Wait `timeout` seconds, then end it with all of its session; its exit code (LATE) and its output's end."""
        try:
            code = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            code = LATE
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._reader.join(_GRACE)
        return code, bytes(self._said).decode("utf-8", "replace")


def refused(tag: str, since: float) -> tuple[tuple[float, Attempt], ...]:
    """What of the network was refused under this `tag`, and when (seconds since 1970, as `since` is), by the log.

    Raises WorkError if the log cannot be read, as by who is no administrator.
    """
    start = datetime.fromtimestamp(int(since), UTC).strftime("%Y-%m-%d %H:%M:%S+0000")
    asked = f'processID == 0 AND sender == "Sandbox" AND eventMessage CONTAINS "{tag}"'
    argv = (LOG, "show", "--style", "ndjson", "--start", start, "--predicate", asked)
    code, output = Running(argv, {"PATH": "/usr/bin:/bin", "TZ": "UTC"}, "/", _LARGEST_LOG).end(_LOG_PATIENCE)
    if code:
        last = next(reversed(output.splitlines()), "")[:_LONGEST_TARGET]
        raise WorkError(f"the system's log cannot be read: {last or f'log ended with {code}'}")
    return denials(output, tag)


def denials(text: str, tag: str) -> tuple[tuple[float, Attempt], ...]:
    """The same, in lines of `log show --style ndjson`. Programs have a hand in them: all else is passed over."""
    found = (_denial(line, tag) for line in text.split("\n") if len(line) <= _LONGEST_LINE)
    return tuple(one for one in found if one is not None)


def _denial(line: str, tag: str) -> tuple[float, Attempt] | None:
    try:
        record = json.loads(line)
        if not isinstance(record, dict) or record["processID"] != 0:
            return None
        message, at = record["eventMessage"], datetime.strptime(record["timestamp"], "%Y-%m-%d %H:%M:%S.%f%z")
        body, _, last = message.rstrip("\n").rpartition("\n")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    said = _DENIAL.match(body) if last == tag else None
    if said is None or not said["operation"].startswith(_NETWORK):
        return None
    target = (said["target"] or said["operation"]).removeprefix("remote:")[:_LONGEST_TARGET]
    return at.timestamp(), Attempt("a name" if target == _RESOLVER else target, said["program"])
