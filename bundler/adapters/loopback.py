"""Loopback as the only network, and a watch on what is asked of any other.

All addresses are routed to the loopback device, on which a packet socket (packet(7)) sees every outgoing TCP SYN and
UDP datagram for another host; names are seen by a resolver on 127.0.0.1 that answers SERVFAIL, as a host without
network does in the end. The program is found by the socket's inode (proc(5)).
"""

from __future__ import annotations

import fcntl
import ipaddress
import os
import socket
import struct
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path


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
    """Sees attempts to reach another host: what was asked for, and by which program."""

    def __init__(self) -> None:
        self._seen: list[dict[str, str]] = []
        self._lock = threading.Lock()

    def start(self) -> None:
        """Begin to watch packets and to answer as a resolver without network."""
        packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        names.bind(("127.0.0.1", 53))
        for work, sock in ((self._packets, packets), (self._names, names)):
            threading.Thread(target=work, args=(sock,), daemon=True).start()

    def taken(self) -> list[dict[str, str]]:
        """Return what was seen since the last call."""
        time.sleep(0.05)  # what was sent a moment ago is being looked at
        with self._lock:
            seen, self._seen = self._seen, []
        return seen

    def _note(self, what: str, program: str) -> None:
        with self._lock:
            self._seen.append({"what": what, "program": program})

    def _names(self, sock: socket.socket) -> None:
        while True:
            query, (_, port) = sock.recvfrom(4096)
            with suppress(OSError, ValueError, IndexError, struct.error):
                name = _question(query)
                if name != "localhost" and not name.endswith(".localhost"):  # RFC 6761: never another host
                    self._note(name, _program("udp", port))
                sock.sendto(query[:2] + b"\x81\x82" + query[4:6] + bytes(6) + query[12:], ("127.0.0.1", port))

    def _packets(self, sock: socket.socket) -> None:
        while True:
            frame, (_, _, kind, *_) = sock.recvfrom(2048)
            if kind != 4:  # PACKET_OUTGOING; loopback shows each packet once more as it comes in
                continue
            with suppress(OSError, ValueError, IndexError, struct.error):
                if found := _outward(frame[14:]):
                    protocol, address, port, source = found
                    self._note(f"{address}:{port}/{protocol}", _program(protocol, source))


def _question(query: bytes) -> str:
    """The name that a DNS query asks for (RFC 1035, 4.1.2)."""
    labels, offset = [], 12
    while length := query[offset]:
        labels.append(query[offset + 1 : offset + 1 + length].decode("ascii", "replace"))
        offset += length + 1
    return ".".join(labels)


def _outward(packet: bytes) -> tuple[str, str, int, int] | None:
    """Protocol, address, port and source port of a packet that begins a conversation with another host, or None."""
    version = packet[0] >> 4
    if version == 4:
        protocol, address, rest = packet[9], packet[16:20], packet[(packet[0] & 15) * 4 :]
    elif version == 6:
        protocol, address, rest = packet[6], packet[24:40], packet[40:]
    else:
        return None
    host = ipaddress.ip_address(address)
    if host.is_loopback or host.is_multicast:
        return None
    source, port = struct.unpack_from("!HH", rest)
    if protocol == socket.IPPROTO_TCP and rest[13] & 0x12 == 0x02:  # SYN without ACK
        return "tcp", str(host), port, source
    return ("udp", str(host), port, source) if protocol == socket.IPPROTO_UDP else None


def _program(protocol: str, port: int) -> str:
    """The command that owns a local port, or nothing if it is gone already."""
    for table in (protocol, f"{protocol}6"):
        lines = Path(f"/proc/net/{table}").read_text().splitlines()[1:]
        inodes = {line.split()[9] for line in lines if int(line.split()[1].rpartition(":")[2], 16) == port} - {"0"}
        for inode in inodes:
            if command := _owner(f"socket:[{inode}]"):
                return command
    return ""


def _owner(link: str) -> str:
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):
            if os.readlink(descriptor) == link:  # noqa: PTH115 - not a path
                words = (descriptor.parent.parent / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
                return _shortened([word for word in words if word])
    return ""


def _shortened(words: Sequence[str]) -> str:
    """A command line for people: no emulator, no folders of the program, no more than a line."""
    if words and "qemu" in words[0]:
        words = words[1:]
    shown = " ".join([Path(words[0]).name, *words[1:]]) if words else ""
    return shown if len(shown) <= 100 else shown[:99] + "…"
