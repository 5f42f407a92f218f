from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.adapters.attempts import ATTEMPTS, OTHER, OTHER_6
from tests.sandboxes import needs_sandbox

pytestmark = needs_sandbox
Seen: TypeAlias = Sequence[Mapping[str, str]]

MALFORMED = ["a malformed name"]
EXPECTED: dict[str, list[str]] = {
    "nothing": [],
    "own services": [],
    "tcp": [f"{OTHER}:443/tcp"],
    "tcp 6": [f"{OTHER_6}:443/tcp"],
    "udp": [f"{OTHER}:9/udp"],
    "udp 6": [f"{OTHER_6}:9/udp"],
    "held": [f"{OTHER}:10/udp"],
    "conversation": [f"{OTHER}:8080/tcp"],
    "udp-lite": [f"{OTHER}:9/udplite"],
    "udp-lite 6": [f"{OTHER_6}:9/udplite"],
    "multicast": ["239.1.2.3:9/udp"],
    "multicast of the link": ["224.0.0.251:5353/udp"],
    "multicast 6": ["ff02::1:9/udp"],
    "multicast 6 of the host": ["ff01::1:9/udp"],
    "multicast 6 of the world": ["ff0e::1:9/udp"],
    "broadcast": ["255.255.255.255:9/udp"],
    "link-local": ["169.254.169.254:80/udp"],
    "link-local 6": ["fe80::7:9/udp"],
    "mapped": [f"{OTHER}:9/udp"],
    "mapped tcp": [f"{OTHER}:443/tcp"],
    "fragments": [f"{OTHER_6}:9/udp", f"{OTHER_6}/udp"],
    "loose source route": [f"{OTHER}:9/udp"],
    "strict source route": [f"{OTHER}:9/udp"],
    "source route of tcp": [f"{OTHER}:9/tcp"],
    "segments": [f"{OTHER_6}:9/udp"],
    "name": ["example.org"],
    "name below localhost": ["secret.localhost"],
    "two names": ["one", "two"],
    "two queries at once": ["more than one name at once"],
    "programs that ask and end": [f"gone{number}" for number in range(5)],
    "odd letters": ["a\\046b\\092\\027\\255"],
    "compression pointer": MALFORMED,
    "pointer after a label": MALFORMED,
    "reserved label": MALFORMED,
    "truncated name": MALFORMED,
    "no question": MALFORMED,
    "no header": MALFORMED,
    "nothing asked": MALFORMED,
    "an answer": ["secret"],
    "other name server": ["secret"],
    "name server 6": ["secret"],
    "name by tcp": ["127.0.0.1:53/tcp"],
    "name by tcp 6": ["::1:53/tcp"],
}
MORE = {"what": "more than could be recorded", "program": ""}
SERVFAIL = "010281820001000000000000046c6173740000010001"
AS_NOBODY = ("--user", "--map-root-user")


def told(*words: str, user: Sequence[str] = ()) -> dict[str, Seen | str]:
    inside = [sys.executable, "-m", "tests.adapters.attempts", *words]
    root = Path(__file__).parents[2]
    for users in (user, AS_NOBODY):
        argv = ["unshare", *users, "--net", *inside]
        done = subprocess.run(argv, cwd=root, stdout=subprocess.PIPE, timeout=120, check=False)
        if done.returncode == 0:
            answer: dict[str, Seen | str] = json.loads(done.stdout)
            return answer
    raise AssertionError(f"the attempts ended with exit code {done.returncode}")


@pytest.fixture(scope="module")
def seen() -> Mapping[str, Seen | str]:
    return told()


@pytest.mark.parametrize("name", ATTEMPTS)
def test_what_goes_to_another_host_is_seen(seen: Mapping[str, Seen | str], name: str) -> None:
    answer = seen[name]
    if isinstance(answer, str):
        pytest.skip(f"this host refuses it: {answer}")
    assert [one["what"] for one in answer] == EXPECTED[name]


def test_the_program_is_named(seen: Mapping[str, Seen | str]) -> None:
    held = seen["held"]
    assert not isinstance(held, str) and held[0]["program"].endswith("-m tests.adapters.attempts")


def test_a_program_that_ends_as_soon_as_it_is_answered_is_named(seen: Mapping[str, Seen | str]) -> None:
    gone = seen["programs that ask and end"]
    assert not isinstance(gone, str) and all("python" in one["program"] for one in gone)


def test_names_are_answered_as_by_a_host_without_network(seen: Mapping[str, Seen | str]) -> None:
    assert seen["answer"] == SERVFAIL


@pytest.mark.slow
@pytest.mark.parametrize("user", [(), AS_NOBODY])
def test_nothing_is_lost_silently_in_a_burst(user: Sequence[str]) -> None:
    """A hundred thousand packets, as root and with the small buffer of everybody else."""
    seen = told("bursts", user=user)
    for name in ("burst", "names in a burst"):
        assert 1 < len(seen[name]) <= 501 and MORE in seen[name]
    noise = seen["noise"]
    assert not isinstance(noise, str) and [one["what"] for one in noise] == [f"{OTHER}:9/udp"]
    assert seen["answer"] == SERVFAIL
