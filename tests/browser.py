"""A headless Chromium, driven over a pipe with the DevTools protocol (chromedevtools.github.io/devtools-protocol)."""

from __future__ import annotations

import base64
import json
import os
import selectors
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium")
_PATIENCE = 30.0
# It reads what it is asked from descriptor 3, and answers to 4.
_START = """\
import fcntl, os, sys
pipes = [fcntl.fcntl(int(number), fcntl.F_DUPFD_CLOEXEC, 10) for number in sys.argv[1:3]]
for place, pipe in enumerate(pipes, 3):
    os.dup2(pipe, place)
os.execv(sys.argv[3], sys.argv[3:])
"""
_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-pipe"),
    *("--no-first-run", "--disable-extensions", "--disable-background-networking", "--disable-dev-shm-usage"),
)


@dataclass
class Browser:
    """One tab; `events` are what it told by itself, oldest first."""

    reading: int
    writing: int
    session: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)
    _left: bytes = b""
    _number: int = 0

    def call(self, method: str, **parameters: object) -> Any:
        """Ask, and wait for the answer."""
        self._number += 1
        words = {"id": self._number, "method": method, "params": parameters}
        os.write(
            self.writing, json.dumps(words | ({"sessionId": self.session} if self.session else {})).encode() + b"\0"
        )
        while (message := self._next()).get("id") != self._number:
            self.events.append(message)
        assert "error" not in message, message
        return message["result"]

    def _next(self) -> dict[str, Any]:
        end = time.monotonic() + _PATIENCE
        with selectors.DefaultSelector() as ready:
            ready.register(self.reading, selectors.EVENT_READ)
            while b"\0" not in self._left:
                assert ready.select(end - time.monotonic()), "the browser does not answer"
                more = os.read(self.reading, 1 << 20)
                assert more, "the browser has ended"
                self._left += more
        message, _, self._left = self._left.partition(b"\0")
        said: dict[str, Any] = json.loads(message)
        return said

    def open(self, address: str) -> None:
        """Load a page, and forget what was told before."""
        self.events.clear()
        self.call("Page.navigate", url=address)
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self.events.append(self._next())

    def ask(self, script: str) -> Any:
        """What an expression is in the page. Fails if it raises."""
        done = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    def told(self, *methods: str) -> list[dict[str, Any]]:
        """What it told of its own accord by these methods."""
        self.ask("0")
        return [event["params"] for event in self.events if event["method"] in methods]

    def size(self, width: int, height: int, *, phone: bool = False) -> None:
        """Show pages at a size in CSS pixels."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)

    def prefer(self, scheme: str) -> None:
        """Prefer `light` or `dark`."""
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def picture(self, path: Path, *, whole: bool = False) -> None:
        """Write what is shown as PNG; `whole`: all of the page."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start it with a profile of its own, and end it."""
    assert CHROMIUM
    to_it, ours = os.pipe()
    mine, from_it = os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        argv = [CHROMIUM, *_FLAGS, f"--user-data-dir={profile}"]
        started = subprocess.Popen(
            [sys.executable, "-c", _START, str(to_it), str(from_it), *argv],
            pass_fds=(to_it, from_it),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_it)
        os.close(from_it)
        try:
            browser = Browser(mine, ours)
            target = browser.call("Target.createTarget", url="about:blank")["targetId"]
            browser.session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in ("Page", "Runtime", "Log", "Network"):
                browser.call(f"{domain}.enable")
            yield browser
        finally:
            os.close(ours)  # it ends when nobody is left to ask it
            os.close(mine)
            try:
                started.wait(10)
            except subprocess.TimeoutExpired:
                started.kill()
                started.wait()
