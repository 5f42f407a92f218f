"""What a frame on the loopback device of a sandbox asks of another host (RFC 791, RFC 8200, RFC 1035).

Only 127.0.0.0/8 and ::1 are this host: whatever goes elsewhere is an attempt, in whichever protocol, and also what
cannot be read. So is a question to a name server of this host, since names may carry anything.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from bundler.adapters.bpf import Instruction, answer, equal, keep, load, unless

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

# As much of a frame as is looked at: headers, and the longest name.
SNAP = 1024

_LINK = 14  # bytes of an Ethernet header; the kind of packet is its last two
_IPV4, _IPV6 = 0x0800, 0x86DD
_TCP, _UDP, _DOMAIN = 6, 17, 53
_NAMES = {1: "icmp", 2: "igmp", 6: "tcp", 17: "udp", 33: "dccp", 58: "icmp6", 132: "sctp", 136: "udplite"}
_WITH_PORTS = (6, 17, 33, 132, 136)
_ERRORS = {1: (3, 4, 5, 11, 12), 58: (1, 2, 3, 4)}  # ICMP messages that quote a packet (RFC 792, RFC 4443)
_SOURCE_ROUTES = (131, 137)  # RFC 791: loose and strict
_HOP_BY_HOP, _ROUTING, _FRAGMENT, _DESTINATION = 0, 43, 44, 60
_UNREADABLE = "a packet that cannot be read"
_MALFORMED = "a malformed name"
_MORE = "more than one name at once"
# The longest query for `localhost` alone: header, question, and an OPT record without options (RFC 6891, 6.1.2).
_LONGEST_LOCALHOST = 12 + 15 + 11

# A conversation: the protocol's number, or a name that is asked for, and the two ends in no order.
Flow: TypeAlias = tuple[int | str, frozenset[tuple[Address, int]]]


@dataclass(frozen=True)
class Asked:
    """What was asked of another host, the conversation that it belongs to, and where it comes from.

    `about` is the conversation that an ICMP error is about, which is no attempt of its own.
    """

    what: str
    flow: Flow | None = None
    about: Flow | None = None
    protocol: str = ""
    source: int = 0


@dataclass(frozen=True)
class _Packet:
    """An IP packet, without its own header."""

    source: Address
    destination: Address
    protocol: int
    body: bytes
    fragment: bool = False  # not the first one
    towards: tuple[Address, ...] = ()  # where the sender wants it to go from there


def asked(frame: bytes) -> list[Asked]:
    """Return what the frame asks of other hosts: nothing, if it is for this one."""
    try:
        kind = int.from_bytes(frame[12:_LINK])
        if kind not in (_IPV4, _IPV6):
            return [Asked(f"a frame of type {kind:#06x}" if len(frame) >= _LINK else _UNREADABLE)]
        return list(_asked(_packet(frame[_LINK:])))
    except (IndexError, ValueError, struct.error):
        return [Asked(_UNREADABLE)]


def _asked(packet: _Packet) -> Iterator[Asked]:
    host = next((one for one in (packet.destination, *packet.towards) if not one.is_loopback), packet.destination)
    protocol = _NAMES.get(packet.protocol, f"protocol {packet.protocol}")
    flow = _flow(packet)
    source, port = _ports(packet)
    if not host.is_loopback:
        name = f"{host}:{port}" if port else str(host)
        yield Asked(f"{name}/{protocol}", flow, _quoted(packet), protocol, source)
    elif port == _DOMAIN and packet.protocol == _UDP:
        query = packet.body[8:]
        for name in questions(query):
            # The kernel shows queries that a program sends with one call (udp(7), UDP_SEGMENT) as one packet.
            what = _MORE if name.lower() == "localhost" and len(query) > _LONGEST_LOCALHOST else name
            if what.lower() != "localhost":
                yield Asked(what, (what, flow[1]), None, protocol, source)
    elif port == _DOMAIN:
        yield Asked(f"{host}:{port}/{protocol}", flow, None, protocol, source)


def _flow(packet: _Packet) -> Flow:
    source, port = _ports(packet)
    return packet.protocol, frozenset(((packet.source, source), (packet.destination, port)))


def _ports(packet: _Packet) -> tuple[int, int]:
    if packet.protocol not in _WITH_PORTS or packet.fragment:
        return 0, 0
    source, destination = struct.unpack_from("!HH", packet.body)
    return source, destination


def _quoted(packet: _Packet) -> Flow | None:
    if packet.protocol not in _ERRORS or packet.body[0] not in _ERRORS[packet.protocol]:
        return None
    return _flow(_packet(packet.body[8:]))


def _packet(data: bytes) -> _Packet:
    """Raises IndexError, ValueError or struct.error."""
    version = data[0] >> 4
    if version == 4:
        return _packet_4(data)
    if version == 6:
        return _packet_6(data)
    raise ValueError(version)


def _packet_4(data: bytes) -> _Packet:
    length = (data[0] & 15) * 4
    if length < 20:
        raise ValueError(length)
    source, destination = ipaddress.IPv4Address(data[12:16]), ipaddress.IPv4Address(data[16:20])
    fragment = bool(struct.unpack_from("!H", data, 6)[0] & 0x1FFF)
    return _Packet(source, destination, data[9], data[length:], fragment, tuple(_route_4(data[20:length])))


def _route_4(options: bytes) -> Iterator[Address]:
    """The addresses of a source route (RFC 791, 3.1)."""
    while options and options[0]:
        length = 1 if options[0] == 1 else options[1]
        if not 0 < length <= len(options):
            raise ValueError(length)
        if options[0] in _SOURCE_ROUTES:
            yield from (ipaddress.IPv4Address(options[at : at + 4]) for at in range(3, length - 3, 4))
        options = options[length:]


def _packet_6(data: bytes) -> _Packet:
    source, destination = ipaddress.IPv6Address(data[8:24]), ipaddress.IPv6Address(data[24:40])
    protocol, body, fragment = data[6], data[40:], False
    towards: list[Address] = []
    while protocol in (_HOP_BY_HOP, _ROUTING, _FRAGMENT, _DESTINATION) and not fragment:
        length = 8 if protocol == _FRAGMENT else 8 + 8 * body[1]
        if protocol == _ROUTING:
            towards += (ipaddress.IPv6Address(body[at : at + 16]) for at in range(8, length - 15, 16))
        fragment = protocol == _FRAGMENT and bool(struct.unpack_from("!H", body, 2)[0] & 0xFFF8)
        protocol, body = body[0], body[length:]
    return _Packet(source, destination, protocol, body, fragment, tuple(towards))


def questions(query: bytes) -> list[str]:
    """Return the names that a DNS query asks for (RFC 1035, 4.1), and whether there is one that cannot be read."""
    names: list[str] = []
    offset = 12
    try:
        for _ in range(max(1, int.from_bytes(query[4:6]))):
            labels = list(_labels(query, offset))
            offset += sum(len(label) + 1 for label in labels) + 5  # the root, type and class
            names.append(".".join(map(_shown, labels)) or ".")
    except (IndexError, ValueError):
        names.append(_MALFORMED)
    return names


def _labels(query: bytes, offset: int) -> Iterator[bytes]:
    start = offset
    while length := query[offset]:
        label = query[offset + 1 : offset + 1 + length]
        offset += length + 1
        if length > 63 or len(label) < length or offset - start > 254:  # a pointer has nothing to point at here
            raise ValueError(length)
        yield label


def _shown(label: bytes) -> str:
    """A label as people write it (RFC 1035, 5.1)."""
    return "".join(chr(one) if 0x20 < one < 0x7F and one not in b".\\" else f"\\{one:03}" for one in label)


_SEEN, _UNSEEN = answer(SNAP), answer(0)


def _unless_names(protocol: int, port: int, errors: int) -> tuple[Instruction, ...]:
    """Leave out TCP, UDP and ICMP within this host, except to a name server; these are the fields' offsets."""
    judged = (load(port, 2), *equal(_DOMAIN, _SEEN), *_UNSEEN)
    return (load(protocol, 1), *equal(_TCP, judged), *equal(_UDP, judged), *equal(errors, _UNSEEN), *_SEEN)


# Leaves out what plainly stays on this host, so that the socket's buffer holds attempts alone.
FILTER: tuple[Instruction, ...] = (
    load(12, 2),
    *equal(_IPV4, (
        load(_LINK, 1), *unless(0x45, _SEEN),  # it has options
        load(_LINK + 16, 1), *unless(127, _SEEN),
        load(_LINK + 6, 2), keep(0x3FFF), *unless(0, _SEEN),  # it is a fragment
        *_unless_names(_LINK + 9, _LINK + 22, 1),
    )),
    *unless(_IPV6, _SEEN),
    load(_LINK + 24), *unless(0, _SEEN), load(_LINK + 28), *unless(0, _SEEN),
    load(_LINK + 32), *unless(0, _SEEN), load(_LINK + 36), *unless(1, _SEEN),
    *_unless_names(_LINK + 6, _LINK + 42, 58),
)  # fmt: skip
