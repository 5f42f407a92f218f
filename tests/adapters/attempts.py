"""Asks other hosts for something, in every way that needs no rights, within a network namespace of its own.

`unshare -n python -m tests.adapters.attempts` prints what the watch saw, as JSON: name of the attempt -> what was seen.
"""

from __future__ import annotations

import json
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from bundler.adapters.loopback import Watch, route_everything_to_loopback, up_loopback

OTHER, OTHER_6 = "192.0.2.7", "2001:db8::7"
_LOOSE, _STRICT = 131, 137
_IPV6_ROUTING = 57  # linux/in6.h: IPV6_RTHDR
_UDP_LITE = 136
_UDP_SEGMENT = 103  # linux/udp.h
_HELD: list[socket.socket] = []  # open until the end, so that its program can be found


def _udp(family: int, host: str, port: int = 9, protocol: int = 0, data: bytes = b"x") -> None:
    with socket.socket(family, socket.SOCK_DGRAM, protocol) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        scope = socket.if_nametoindex("lo") if host.startswith(("fe80", "ff")) else 0
        sock.sendto(data, (host, port, 0, scope) if family == socket.AF_INET6 else (host, port))


def _tcp(family: int, host: str, port: int) -> None:
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.settimeout(1)
        sock.connect_ex((host, port))


def _held() -> None:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.sendto(b"x", (OTHER, 10))
    _HELD.append(sock)


def _multicast(host: str, through: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(through))
        sock.sendto(b"x", (host, 9))


def _routed(kind: int, protocol: int) -> None:
    """To this host, and from here to another (RFC 791: source route)."""
    with socket.socket(socket.AF_INET, protocol) as sock:
        hops = socket.inet_aton("127.0.0.1") + socket.inet_aton(OTHER)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, bytes((kind, 3 + len(hops), 4)) + hops + b"\0")
        sock.settimeout(0.2)
        with suppress(OSError):
            sock.connect((OTHER, 9))
            sock.send(b"x")


def _routed_6() -> None:
    """The same with a segment routing header (RFC 8754)."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        segments = socket.inet_pton(socket.AF_INET6, OTHER_6) + socket.inet_pton(socket.AF_INET6, "::1")
        header = struct.pack("BBBBBBH", 0, 4, 4, 1, 1, 0, 0) + segments
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_ROUTING, header)
        sock.sendto(b"x", (OTHER_6, 9))


def _ask(*names: bytes, host: str = "127.0.0.1", header: bytes = b"\1\2\1\0") -> None:
    count = struct.pack("!HHHH", len(names), 0, 0, 0)
    data = header + count + b"".join(name + b"\0\1\0\1" for name in names)
    _udp(socket.AF_INET6 if ":" in host else socket.AF_INET, host, 53, data=data)


def _ask_at_once() -> None:
    """Two queries of one length as segments of one packet (udp(7), UDP_SEGMENT)."""
    first, second = (
        b"\1\2\1\0\0\1" + bytes(6) + name + b"\0\1\0\1" for name in (b"\x09localhost\0", b"\x09secretive\0")
    )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.IPPROTO_UDP, _UDP_SEGMENT, len(first))
        sock.sendto(first + second, ("127.0.0.1", 53))


_GONE = """
import socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    sock.settimeout(5)
    question = b"\\5" + sys.argv[1].encode() + b"\\0\\0\\1\\0\\1"
    sock.sendto(b"\\1\\2\\1\\0\\0\\1" + bytes(6) + question, ("127.0.0.1", 53))
    sock.recv(100)
"""


def _gone() -> None:
    for number in range(5):
        subprocess.run([sys.executable, "-I", "-S", "-c", _GONE, f"gone{number}"], check=True)


def _kept() -> None:
    """A conversation with a server that listens everywhere: one attempt, though packets go both ways."""
    with socket.create_server(("0.0.0.0", 8080)) as server, socket.create_connection((OTHER, 8080)) as client:
        accepted = server.accept()[0]
        for _ in range(20):
            client.sendall(b"x")
            accepted.sendall(accepted.recv(1))
            client.recv(1)
        accepted.close()


def _own_services() -> None:
    """What a program may do on its own host."""
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "127.8.9.10"), (socket.AF_INET6, "::1")):
        with socket.create_server((host, 8081), family=family) as server:
            port = server.getsockname()[1]
            for target in (host, "0.0.0.0" if family == socket.AF_INET else "::"):
                with suppress(ConnectionRefusedError), socket.create_connection((target, port)):
                    server.accept()[0].close()
        _udp(family, host, 9, data=b"x" * 60_000)
    _ask(b"\x09localhost\0")
    _ask(b"\x09LocalHost\0")


ATTEMPTS: dict[str, Callable[[], None]] = {
    "nothing": lambda: time.sleep(0.2),
    "own services": _own_services,
    "tcp": partial(_tcp, socket.AF_INET, OTHER, 443),
    "tcp 6": partial(_tcp, socket.AF_INET6, OTHER_6, 443),
    "udp": partial(_udp, socket.AF_INET, OTHER),
    "udp 6": partial(_udp, socket.AF_INET6, OTHER_6),
    "held": _held,
    "conversation": _kept,
    "udp-lite": partial(_udp, socket.AF_INET, OTHER, protocol=_UDP_LITE),
    "udp-lite 6": partial(_udp, socket.AF_INET6, OTHER_6, protocol=_UDP_LITE),
    "multicast": partial(_multicast, "239.1.2.3", "127.0.0.1"),
    "multicast of the link": partial(_udp, socket.AF_INET, "224.0.0.251", 5353),
    "multicast 6": partial(_udp, socket.AF_INET6, "ff02::1"),
    "multicast 6 of the host": partial(_udp, socket.AF_INET6, "ff01::1"),
    "multicast 6 of the world": partial(_udp, socket.AF_INET6, "ff0e::1"),
    "broadcast": partial(_udp, socket.AF_INET, "255.255.255.255"),
    "link-local": partial(_udp, socket.AF_INET, "169.254.169.254", 80),
    "link-local 6": partial(_udp, socket.AF_INET6, "fe80::7"),
    "mapped": partial(_udp, socket.AF_INET6, f"::ffff:{OTHER}"),
    "mapped tcp": partial(_tcp, socket.AF_INET6, f"::ffff:{OTHER}", 443),
    "fragments": partial(_udp, socket.AF_INET6, OTHER_6, data=b"x" * 65_500),
    "loose source route": partial(_routed, _LOOSE, socket.SOCK_DGRAM),
    "strict source route": partial(_routed, _STRICT, socket.SOCK_DGRAM),
    "source route of tcp": partial(_routed, _LOOSE, socket.SOCK_STREAM),
    "segments": _routed_6,
    "name": partial(_ask, b"\x07example\x03org\0"),
    "name below localhost": partial(_ask, b"\x06secret\x09localhost\0"),
    "two names": partial(_ask, b"\x03one\0", b"\x03two\0"),
    "two queries at once": _ask_at_once,
    "programs that ask and end": _gone,
    "odd letters": partial(_ask, b"\x06a.b\\\x1b\xff\0"),
    "compression pointer": partial(_ask, b"\xc0\x0c"),
    "pointer after a label": partial(_ask, b"\x06secret\xc0\x0c"),
    "reserved label": partial(_ask, b"\x41a\0"),
    "truncated name": partial(_udp, socket.AF_INET, "127.0.0.1", 53, data=b"\1\2\1\0\0\1\0\0\0\0\0\0\x20secret"),
    "no question": partial(_ask),
    "no header": partial(_udp, socket.AF_INET, "127.0.0.1", 53, data=b"secret"),
    "nothing asked": partial(_udp, socket.AF_INET, "127.0.0.1", 53, data=b""),
    "an answer": partial(_ask, b"\x06secret\0", header=b"\1\2\x81\0"),
    "other name server": partial(_ask, b"\x06secret\0", host="127.0.0.53"),
    "name server 6": partial(_ask, b"\x06secret\0", host="::1"),
    "name by tcp": partial(_tcp, socket.AF_INET, "127.0.0.1", 53),
    "name by tcp 6": partial(_tcp, socket.AF_INET6, "::1", 53),
}


def _burst() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for number in range(100_000):
            with suppress(OSError):
                sock.sendto(b"x", (f"10.{number >> 8 & 255}.{number & 255}.{number >> 16}", 9))


def _names_in_a_burst() -> None:
    for number in range(3000):
        label = f"{number:06}".encode()
        _ask(b"\x06" + label + b"\0")


def _noise() -> None:
    """So much on this host itself that an attempt would find no room beside it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for _ in range(50_000):
            with suppress(OSError):
                sock.sendto(b"x" * 1000, ("127.0.0.1", 9))
    _udp(socket.AF_INET, OTHER)


BURSTS: dict[str, Callable[[], None]] = {"burst": _burst, "names in a burst": _names_in_a_burst, "noise": _noise}


def main() -> None:
    """Make each attempt, and tell what was seen of it."""
    up_loopback()
    for family in (socket.AF_INET, socket.AF_INET6):
        route_everything_to_loopback(family)
    watch = Watch()
    watch.start()
    told: dict[str, object] = {}
    time.sleep(0.1)
    watch.taken()
    for name, attempt in (BURSTS if sys.argv[1:] == ["bursts"] else ATTEMPTS).items():
        try:
            attempt()
        except OSError as error:
            told[name] = str(error)
            watch.taken()
            continue
        started = time.monotonic()
        told[name] = watch.taken()
        assert time.monotonic() - started < 5
    assert threading.active_count() == 3, "a thread of the watch has ended"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(5)
        sock.sendto(b"\1\2\1\0\0\1\0\0\0\0\0\0\4last\0\0\1\0\1", ("127.0.0.1", 53))
        told["answer"] = sock.recv(512).hex()
    print(json.dumps(told))


if __name__ == "__main__":
    main()
