"""Requests at a server without a pause, each on a connection of its own, and what came of every one."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field

_PATIENCE = 120.0


@dataclass(frozen=True)
class Sent:
    """One request: when it was begun and when it ended (s of the monotonic clock), and its status or the error."""

    began: float
    ended: float
    came: str


@dataclass
class Load:
    """Asks from several threads at once until it is stopped."""

    port: int
    path: str
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    pause: float = 0.05
    sent: list[Sent] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask_on, daemon=True) for _ in range(4)]

    def during(self, work: Callable[[], object]) -> dict[str, object]:
        """Ask for a second before, all the while, and a second after; the figures."""
        for thread in self._threads:
            thread.start()
        time.sleep(1)
        work()
        time.sleep(1)
        self._stop.set()
        for thread in self._threads:
            thread.join()
        lost = [one for one in self.sent if one.came != "200"]
        return {
            "sent": len(self.sent),
            "answered": len(self.sent) - len(lost),
            "lost": [[one.came, one.began, one.ended] for one in lost],
            "longest": round(max(one.ended - one.began for one in self.sent), 1),
        }

    def _ask_on(self) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            came = self._ask()
            self.sent.append(Sent(began, time.monotonic(), came))
            time.sleep(self.pause)

    def _ask(self) -> str:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=_PATIENCE)) as connection:
            try:
                connection.request("POST" if self.body else "GET", self.path, self.body or None, dict(self.headers))
                response = connection.getresponse()
                response.read()
                return str(response.status)
            except (OSError, http.client.HTTPException) as error:
                return f"{type(error).__name__}: {error}"
