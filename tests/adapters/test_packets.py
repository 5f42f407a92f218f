from __future__ import annotations

import ipaddress
import struct

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bundler.adapters import packets
from bundler.adapters.packets import asked, questions
from tests import bpf
from tests.model.samples import examples

HOME, AWAY = ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("192.0.2.7")
HOME_6, AWAY_6 = ipaddress.ip_address("::1"), ipaddress.ip_address("2001:db8::7")
PORTS = struct.pack("!HH", 50_000, 9) + bytes(16)


def link(kind: int, body: bytes) -> bytes:
    return bytes(12) + kind.to_bytes(2) + body


def ip(
    to: packets.Address, protocol: int, body: bytes = PORTS, options: bytes = b"", fragment: int = 0,
    sender: packets.Address | None = None,
) -> bytes:  # fmt: skip
    sender = sender or to
    if to.version == 4:
        first = 0x45 + len(options) // 4
        head = struct.pack("!BBHHHBBH", first, 0, 20 + len(options) + len(body), 7, fragment, 64, protocol, 0)
        return link(0x0800, head + sender.packed + to.packed + options + body)
    return link(0x86DD, struct.pack("!IHBB", 6 << 28, len(body), protocol, 64) + sender.packed + to.packed + body)


def what(frame: bytes) -> list[str]:
    return [one.what for one in asked(frame)]


@pytest.mark.parametrize(
    ("protocol", "shown"),
    [
        (6, "192.0.2.7:9/tcp"), (17, "192.0.2.7:9/udp"), (33, "192.0.2.7:9/dccp"), (132, "192.0.2.7:9/sctp"),
        (136, "192.0.2.7:9/udplite"), (1, "192.0.2.7/icmp"), (2, "192.0.2.7/igmp"), (47, "192.0.2.7/protocol 47"),
        (255, "192.0.2.7/protocol 255"),
    ],
)  # fmt: skip
def test_every_protocol_is_an_attempt(protocol: int, shown: str) -> None:
    assert what(ip(AWAY, protocol)) == [shown]
    assert what(ip(HOME, protocol)) == []


@pytest.mark.parametrize(
    ("frame", "shown"),
    [
        (link(0x0806, b"x" * 28), "a frame of type 0x0806"),
        (link(0x8100, b"\0\1" + ip(AWAY, 17)[12:]), "a frame of type 0x8100"),
        (link(0x88CC, b""), "a frame of type 0x88cc"),
        (b"", "a packet that cannot be read"),
        (b"short", "a packet that cannot be read"),
        (link(0x0800, b""), "a packet that cannot be read"),
        (link(0x0800, b"\x55" + bytes(40)), "a packet that cannot be read"),
        (link(0x0800, b"\x41" + bytes(40)), "a packet that cannot be read"),
        (ip(AWAY, 17, b"\0"), "a packet that cannot be read"),
        (ip(HOME, 17, options=b"\x83\x00\x00\x00"), "a packet that cannot be read"),
        (ip(AWAY_6, 0, b""), "a packet that cannot be read"),
        (ip(AWAY_6, 0, b"\x11\0" + bytes(6) + PORTS), "2001:db8::7:9/udp"),
        (ip(AWAY_6, 60, b"\x06\0" + bytes(6) + PORTS), "2001:db8::7:9/tcp"),
        (ip(AWAY_6, 44, b"\x11\0\0\0" + bytes(4) + PORTS), "2001:db8::7:9/udp"),
        (ip(AWAY_6, 44, b"\x11\0\1\0" + bytes(4) + b"x"), "2001:db8::7/udp"),
        (ip(HOME_6, 43, b"\x11\2\0\1" + bytes(4) + AWAY_6.packed + PORTS), "2001:db8::7:9/udp"),
        (ip(AWAY, 17, b"x", fragment=185), "192.0.2.7/udp"),
        (ip(HOME, 17, options=b"\x01\x83\x07\x04" + AWAY.packed + bytes(4)), "192.0.2.7:9/udp"),
        (ip(ipaddress.ip_address("::ffff:192.0.2.7"), 17), "::ffff:192.0.2.7:9/udp"),
    ],
)
def test_odd_packets_are_attempts(frame: bytes, shown: str) -> None:
    (found,) = what(frame)
    assert found == shown or ipaddress.ip_address(found[: -len(":9/udp")]) == ipaddress.ip_address("::ffff:c000:207")
    assert bpf.run(packets.FILTER, frame, "big") or len(frame) < 34


def test_both_directions_and_errors_are_one_conversation() -> None:
    there, back = struct.pack("!HH", 50_000, 443), struct.pack("!HH", 443, 50_000)
    (begun,) = asked(ip(AWAY, 6, there + bytes(16)))
    (answered,) = asked(ip(AWAY, 6, back + bytes(16)))
    refused = b"\3\3" + bytes(6) + ip(AWAY, 6, there + bytes(4))[14:]
    (error,) = asked(ip(AWAY, 1, refused))
    assert begun.flow == answered.flow == error.about
    (echo,) = asked(ip(AWAY, 1, b"\x08" + refused[1:]))
    assert echo.about is None


def query(*names: bytes) -> bytes:
    return b"\1\2\1\0" + struct.pack("!4H", len(names), 0, 0, 0) + b"".join(name + b"\0\1\0\1" for name in names)


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (query(b"\x07example\x03org\0"), ["example.org"]),
        (query(b"\0"), ["."]),
        (query(b"\x01a\0", b"\x01b\0", b"\xc0\x0c"), ["a", "b", "a malformed name"]),
        (query(b"\x01a\0")[:-4], ["a"]),
        (query(b"\x3f" + b"a" * 63 + b"\0"), ["a" * 63]),
        (query(b"\x40" + b"a" * 64 + b"\0"), ["a malformed name"]),
        (query((b"\x3f" + b"a" * 63) * 4 + b"\0"), ["a malformed name"]),
        (query(b"\x05a b\nc\0"), ["a\\032b\\010c"]),
    ],
)
def test_names_of_a_query(data: bytes, shown: list[str]) -> None:
    assert questions(data) == shown


def test_a_query_for_this_host_hides_no_other_in_its_packet() -> None:
    local, other = query(b"\x09localhost\0"), query(b"\x07example\x03org\0")
    option = b"\0\0\x29\x04\xd0" + bytes(6)

    def seen(data: bytes) -> list[str]:
        return what(ip(HOME, 17, struct.pack("!HHHH", 50_000, 53, 8 + len(data), 0) + data))

    assert seen(local) == seen(local + option) == []
    assert seen(local + other) == seen(local + option + b"\0") == ["more than one name at once"]


@settings(max_examples=examples(150))
@given(st.binary(max_size=120))
@example(b"\1\2\1\0\xff\xff")
def test_any_query_has_a_name_that_can_be_shown(data: bytes) -> None:
    assert all(name.isprintable() and name.isascii() and name for name in questions(data))
    assert questions(data)


ODD = st.builds(
    ip,
    st.sampled_from([HOME, AWAY, HOME_6, AWAY_6, ipaddress.ip_address("127.255.0.9"), ipaddress.ip_address("ff02::1")]),
    st.sampled_from([0, 1, 6, 17, 43, 44, 58, 60, 132, 136]) | st.integers(0, 255),
    st.builds(lambda ports, rest: struct.pack("!HH", *ports) + rest,
              st.tuples(st.sampled_from([53, 9]), st.sampled_from([53, 9])), st.binary(max_size=60)),
    st.sampled_from([b"", b"\x83\x07\x04" + AWAY.packed + b"\0", b"\x83\x07\x04" + HOME.packed + b"\0", b"\x94\4\0\0"]),
    st.sampled_from([0, 0x2000, 0x4000, 1]),
)  # fmt: skip


@settings(max_examples=examples(300))
@given(ODD | st.builds(link, st.sampled_from([0x0800, 0x86DD, 0x0806]), st.binary(min_size=40, max_size=90)))
def test_what_the_kernel_leaves_out_is_no_attempt(frame: bytes) -> None:
    found = asked(frame)  # never raises
    if not bpf.run(packets.FILTER, frame, "big"):
        assert found == []
