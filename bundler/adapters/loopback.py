"""Loopback as the only network, and a watch on what is asked of any other.

All addresses are routed to the loopback device, on which a packet socket (packet(7)) sees whatever is for another host,
and the names that any name server is asked for; one on 127.0.0.1 answers SERVFAIL, as a host without network does in
the end. The program is found by the socket's inode (proc(5)).
"""

from __future__ import annotations

import fcntl
import os
import select
import socket
import struct
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from bundler.adapters.bpf import Program
from bundler.adapters.packets import FILTER, SNAP, Asked, Flow, asked

# linux/if_packet.h, asm-generic/socket.h: none of these is in Python's own module.
_SO_ATTACH_FILTER, _SO_RCVBUFFORCE, _SO_MEMINFO, _ETH_P_ALL = 26, 33, 55, 3
_BUFFER = 16 << 20
# What is remembered: attempts that are told at once, and conversations that are not told again.
_MOST, _MOST_FLOWS = 500, 10_000
# Seconds: to find one program, and to look at what came before `taken`.
_LOOKUP, _CATCH_UP = 0.2, 2.0
_MORE = "more than could be recorded"


def up_loopback() -> None:
    """Set the loopback device up (netdevice(7))."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sh", b"lo", 0)
        _, flags = struct.unpack("16sh", fcntl.ioctl(control, 0x8913, request))  # SIOCGIFFLAGS
        fcntl.ioctl(control, 0x8914, struct.pack("16sh", b"lo", flags | 1))  # SIOCSIFFLAGS, IFF_UP


def route_everything_to_loopback(family: int) -> None:
    """Make every address of `family` a local one (rtnetlink(7)), so that attempts become packets that can be seen."""
    attribute = struct.pack("HHI", 8, 4, socket.if_nametoindex("lo"))  # RTA_OIF
    route = struct.pack("BBBBBBBBI", family, 0, 0, 0, 255, 3, 254, 2, 0)  # table local, boot, scope host, RTN_LOCAL
    header = struct.pack("IHHII", 16 + len(route) + len(attribute), 24, 0x1 | 0x4 | 0x400, 1, 0)  # RTM_NEWROUTE
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as netlink:
        netlink.send(header + route + attribute)
        (code,) = struct.unpack_from("i", netlink.recv(4096), 16)
    if code and family == socket.AF_INET:  # a kernel without IPv6 needs no route for it
        raise OSError(-code, os.strerror(-code))


class Watch:
    """Sees attempts to reach another host: what was asked for, and by which program.

    A conversation is an attempt once, when it begins. Whatever is sent, memory and time are bounded; that something
    was left out is told as an attempt of its own.
    """

    def __init__(self) -> None:
        self._packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))  # of all devices
        self._lock = threading.Lock()
        self._seen: dict[tuple[str, str], None] = {}
        self._flows: dict[Flow, None] = {}
        self._lost = 0

    def start(self) -> None:
        """Begin to watch packets and to answer as a resolver without network. Raises OSError."""
        program = Program(FILTER)
        self._packets.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program.header)
        for option in (socket.SO_RCVBUF, _SO_RCVBUFFORCE):  # the second takes the host's root
            with suppress(OSError):
                self._packets.setsockopt(socket.SOL_SOCKET, option, _BUFFER)
        names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        names.bind(("127.0.0.1", 53))
        threading.Thread(target=self._look, daemon=True).start()
        threading.Thread(target=self._refuse_names, args=(names,), daemon=True).start()

    def taken(self) -> list[dict[str, str]]:
        """Return what was seen since the last call.

        A packet is in the socket before its sender goes on, so nothing that was sent before is missing.
        """
        behind = self._catch_up(_CATCH_UP)
        with self._lock:
            lost = self._dropped()
            if lost != self._lost or behind:
                self._seen[_MORE, ""] = None
            seen, self._seen, self._lost = self._seen, {}, lost
        return [{"what": what, "program": program} for what, program in seen]

    def _look(self) -> None:
        while True:
            with suppress(OSError):
                select.select([self._packets], [], [])
                self._look_at_one()

    def _catch_up(self, seconds: float) -> bool:
        """Look at what is there, for so long; say whether that was too short."""
        end = time.monotonic() + seconds
        while self._look_at_one():
            if time.monotonic() > end:
                return True
        return False

    def _look_at_one(self) -> bool:
        """Look at the next frame; say whether there was one."""
        with self._lock:
            try:
                frame = self._packets.recv(SNAP, socket.MSG_DONTWAIT)
            except OSError:  # none, or the device is down
                return False
            for one in asked(frame):
                self._note(one)
            return True

    def _note(self, one: Asked) -> None:
        if one.flow in self._flows or one.about in self._flows:
            return
        if len(self._seen) >= _MOST:
            self._seen[_MORE, ""] = None
            return
        if one.flow:
            self._flows[one.flow] = None
            if len(self._flows) > _MOST_FLOWS:
                del self._flows[next(iter(self._flows))]
        self._seen[one.what, _program(one.protocol, one.source) if one.source else ""] = None

    def _refuse_names(self, sock: socket.socket) -> None:
        """Answer every query with SERVFAIL (RFC 1035, 4.1.1), after a look at who asks: who is answered may end."""
        while True:
            with suppress(OSError):
                query, sender = sock.recvfrom(4096)
                self._catch_up(_LOOKUP)
                if len(query) >= 12 and not query[2] & 0x80:  # an answer is not answered
                    sock.sendto(query[:2] + b"\x81\x82" + query[4:6] + bytes(6) + query[12:], sender)

    def _dropped(self) -> int:
        """How many frames found no room (sock_diag(7): SK_MEMINFO_DROPS, the last of nine)."""
        return int(struct.unpack("9I", self._packets.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 36))[8])


def _program(protocol: str, port: int) -> str:
    """The command that owns a local port, or nothing if it is gone already or hard to find."""
    end = time.monotonic() + _LOOKUP
    inodes: set[str] = set()
    for table in (protocol, f"{protocol}6"):
        with suppress(OSError), Path(f"/proc/net/{table}").open() as lines:
            for line in lines:
                words = line.split()
                if words[1].endswith(f":{port:04X}") and words[9] != "0":
                    inodes.add(f"socket:[{words[9]}]")
                if time.monotonic() > end:
                    return ""
    return _owner(inodes, end) if inodes else ""


def _owner(links: set[str], end: float) -> str:
    for process in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            if not process.name.isdigit():
                continue
            for descriptor in os.scandir(process / "fd"):
                if time.monotonic() > end:
                    return ""
                if os.readlink(descriptor.path) in links:  # noqa: PTH115 - not a path
                    return _command(process)
    return ""


def _command(process: Path) -> str:
    with (process / "cmdline").open("rb") as file:
        words = file.read(4096).decode("utf-8", "replace").split("\0")
    return _shortened([word for word in words if word])


def _shortened(words: Sequence[str]) -> str:
    """A command line for people: no emulator, no folders of the program, no more than a line."""
    if words and "qemu" in words[0]:
        words = words[1:]
    text = " ".join([Path(words[0]).name, *words[1:]]) if words else ""
    shown = "".join(one if one.isprintable() else "?" for one in text)
    return shown if len(shown) <= 100 else shown[:99] + "…"
