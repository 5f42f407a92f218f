"""The watch on the network, as a process of its own beside process 1 of a sandbox, which so stays single-threaded."""

from __future__ import annotations

import json
import os
import socket

from bundler.adapters.jail_fork import fork, only_descriptors
from bundler.adapters.loopback import Watch, route_everything_to_loopback, up_loopback

_PATIENCE = 20.0
_MOST_ATTEMPTS, _LARGEST_ANSWER = 1000, 4 << 20


class Watcher:
    """Brings loopback up and sees attempts. Raises OSError."""

    def __init__(self) -> None:
        up_loopback()
        for family in (socket.AF_INET, socket.AF_INET6):
            route_everything_to_loopback(family)
        self._here, there = socket.socketpair()
        self._here.settimeout(_PATIENCE)
        fork(lambda: _serve(there))
        there.close()
        self._line()

    def attempts(self) -> list[dict[str, str]]:
        """Return and forget the attempts seen so far."""
        self._here.sendall(b"?")
        seen: list[dict[str, str]] = json.loads(self._line())
        return seen

    def _line(self) -> bytes:
        line = bytearray()
        while not line.endswith(b"\n"):
            data = self._here.recv(1 << 16)
            if not data or len(line) > _LARGEST_ANSWER:
                raise OSError("the network cannot be watched")
            line += data
        return bytes(line)


def _serve(there: socket.socket) -> int:
    null = os.open("/dev/null", os.O_RDWR)
    only_descriptors((null, null, null), (there.fileno(),))
    watch = Watch()
    try:
        watch.start()
    except RuntimeError:  # no thread can be started
        return 1
    there.sendall(b"ready\n")
    while there.recv(1):
        seen = [dict(one) for one in watch.taken()[:_MOST_ATTEMPTS]]
        there.sendall(json.dumps(seen).encode() + b"\n")
    return 0
