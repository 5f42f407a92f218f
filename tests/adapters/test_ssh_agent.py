"""A key of ssh-agent's signs; whatever else answers on its socket signs nothing."""

from __future__ import annotations

import os
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bundler.adapters import ssh_agent
from bundler.adapters.signing_key import KeyOptions, find_signer
from bundler.adapters.ssh_agent import find_in_agent
from bundler.errors import BundleError, IntegrityError, UnreachableError, WorkError
from bundler.model import minisign, openssh_key, sshsig
from bundler.model.minisign import PublicFile
from bundler.model.public_key import PublicKey
from bundler.model.ssh_wire import string
from tests.model.keys import CONTENT, OTHER, SIGNER

RSA = string(b"ssh-rsa") + string(b"\1\0\1") + string(bytes(257))


def number(value: int) -> bytes:
    return struct.pack(">I", value)


def listed(*blobs: bytes) -> bytes:
    return string(b"\x0c" + number(len(blobs)) + b"".join(string(blob) + string(b"a comment") for blob in blobs))


def signed(signature: bytes, kind: bytes = b"ssh-ed25519") -> bytes:
    return string(b"\x0e" + string(string(kind) + string(signature)))


LISTED = listed(RSA, OTHER.public.blob, SIGNER.public.blob)


def honest(message: bytes) -> bytes:
    """What an agent answers to a request: it holds three keys, and signs with one."""
    if message[:1] == b"\x0b":
        return LISTED
    size = int.from_bytes(message[1:5], "big")
    assert message[5 : 5 + size] == SIGNER.public.blob
    data = message[5 + size + 4 : -4]
    return signed(SIGNER.sign(data))


@contextmanager
def agent(answer: Callable[[bytes], bytes], linger: float = 0.0) -> Iterator[dict[str, str]]:
    """Something that answers on a socket; the environment that names it."""
    with tempfile.TemporaryDirectory(prefix="agent") as folder, socket.socket(socket.AF_UNIX) as listening:
        address, over = f"{folder}/s", threading.Event()
        listening.bind(address)
        listening.listen()

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connected, _ = listening.accept()
                    with connected, suppress(OSError):
                        size = int.from_bytes(connected.recv(4, socket.MSG_WAITALL), "big")
                        connected.sendall(answer(connected.recv(size, socket.MSG_WAITALL)))
                        over.wait(linger)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield {"SSH_AUTH_SOCK": address}
        finally:
            over.set()
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_the_agents_key_signs() -> None:
    with agent(honest) as env:
        for wanted in (SIGNER.public, SIGNER.public.fingerprint):
            signer = find_in_agent(env, wanted)
            assert signer.public == SIGNER.public
            assert signer.sign(CONTENT) == SIGNER.sign(CONTENT)
        own = PublicKey(SIGNER.public.raw, b"12345678")
        assert find_in_agent(env, own).public == own  # minisign's own id, which no agent knows
        with pytest.raises(UnreachableError, match=r"does not hold SHA256:.*it holds SHA256:"):
            find_in_agent(env, PublicKey.of(bytes(32)))


LISTS = {
    "closed": b"",
    "no size": b"\0\0",
    "cut": LISTED[:-5],
    "huge": b"\xff\xff\xff\xff" + bytes(100),
    "empty": number(0),
    "another kind": string(b"\x0e"),
    "failure": string(b"\x05"),
    "no number": string(b"\x0c"),
    "many": string(b"\x0c" + number(2**32 - 1)),
    "too many": listed(*[SIGNER.public.blob] * 1001),
    "too large": string(b"\x0c" + number(1) + string(SIGNER.public.blob) + string(bytes(300_000))),
    "fewer": string(b"\x0c" + number(3) + string(SIGNER.public.blob) + string(b"")),
    "more": string(b"\x0c" + number(0) + b"x"),
    "huge key": string(b"\x0c" + number(1) + b"\xff\xff\xff\xff"),
    "short key": listed(string(b"ssh-ed25519") + string(bytes(31))),
    "long key": listed(SIGNER.public.blob + b"x"),
    "none": listed(),
    "others": listed(RSA, OTHER.public.blob),
}


@pytest.mark.parametrize("name", LISTS)
def test_a_list_that_makes_no_sense_is_not_taken(name: str) -> None:
    said = "does not hold" if name in ("none", "others") else "makes no sense"
    with agent(lambda _: LISTS[name]) as env, pytest.raises(UnreachableError, match=said):
        find_in_agent(env, SIGNER.public)


GOOD = SIGNER.sign(CONTENT)
SIGNATURES: dict[str, tuple[bytes, type[BundleError]]] = {
    "refused": (string(b"\x05"), WorkError),
    "closed": (b"", UnreachableError),
    "cut": (signed(GOOD)[:-1], UnreachableError),
    "huge": (b"\x7f\xff\xff\xff", UnreachableError),
    "another kind": (signed(GOOD, b"ssh-rsa"), UnreachableError),
    "short": (signed(GOOD[:-1]), UnreachableError),
    "more": (string(signed(GOOD)[4:] + b"x"), UnreachableError),
    "list": (LISTED, UnreachableError),
    "of another key": (signed(OTHER.sign(CONTENT)), IntegrityError),
    "of something else": (signed(SIGNER.sign(CONTENT + b"x")), IntegrityError),
    "zeros": (signed(bytes(64)), IntegrityError),
}


@pytest.mark.parametrize(("answer", "error"), SIGNATURES.values(), ids=SIGNATURES)
def test_a_signature_that_is_none_is_not_used(answer: bytes, error: type[BundleError]) -> None:
    with agent(lambda message: LISTED if message == b"\x0b" else answer) as env:
        signer = find_in_agent(env, SIGNER.public)
        with pytest.raises(error, match="ssh-agent"):
            signer.sign(CONTENT)
        with pytest.raises(error):
            sshsig.compose(signer, CONTENT, "v1@aiws-bundle")


@settings(max_examples=20)
@given(st.binary(max_size=200))
def test_whatever_it_answers_ends_in_one_way(answer: bytes) -> None:
    for sent in (answer, string(answer), string(b"\x0c" + answer)):
        with agent(lambda _, sent=sent: sent) as env, pytest.raises(BundleError):  # type: ignore[misc]
            find_in_agent(env, SIGNER.public)


@pytest.mark.parametrize("sent", [b"", b"\0\0\1\0\x0c"], ids=["nothing", "a little"])
def test_an_agent_that_says_nothing_is_left(monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    monkeypatch.setattr(ssh_agent, "_LIST_SECONDS", 0.2)
    start = time.monotonic()
    with agent(lambda _: sent, linger=60.0) as env:
        with pytest.raises(UnreachableError, match="did not answer"):
            find_in_agent(env, SIGNER.public)
        assert time.monotonic() - start < 30


def test_where_no_agent_is_that_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for env in ({}, *({"SSH_AUTH_SOCK": path} for path in ("/none", str(tmp_path / "file"), "x" * 500, "a\0b", "/"))):
        with pytest.raises(UnreachableError, match=r"ssh-agent|SSH_AUTH_SOCK") as caught:
            find_in_agent(env, SIGNER.public)
        assert "ssh-add" in caught.value.hint


@pytest.fixture
def real(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A real agent that holds the key."""
    if shutil.which("ssh-agent") is None:
        pytest.skip("ssh-agent is not installed")
    with tempfile.TemporaryDirectory(prefix="agent") as folder:
        process = subprocess.Popen(["ssh-agent", "-D", "-a", f"{folder}/s"], stdout=subprocess.DEVNULL)
        try:
            while not Path(folder, "s").exists():
                assert process.poll() is None
                time.sleep(0.01)
            env = {"SSH_AUTH_SOCK": f"{folder}/s"}
            key = tmp_path / "k"
            key.touch(0o600)
            key.write_bytes(openssh_key.compose(SIGNER, b""))
            add(env, str(key))
            yield env
        finally:
            process.terminate()
            process.wait()


def add(env: dict[str, str], *words: str) -> None:
    subprocess.run(["ssh-add", *words], env={**os.environ, **env}, check=True, capture_output=True, timeout=30)


@pytest.mark.slow
def test_openssh_agent_signs_as_the_key_does(real: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "k.pub").write_text(f"{SIGNER.public.openssh} me\n")
    (tmp_path / "k.minisign.pub").write_bytes(PublicFile(SIGNER.public).compose())
    for name in ("k.pub", "k.minisign.pub"):
        signer = find_signer(real, KeyOptions(file=tmp_path / name))
        assert signer
        assert sshsig.compose(signer, CONTENT, "n") == sshsig.compose(SIGNER, CONTENT, "n")
        assert minisign.compose(signer, CONTENT, "c") == minisign.compose(SIGNER, CONTENT, "c")
    assert find_signer({**real, "AIWS_SIGNING_KEY": SIGNER.public.fingerprint})
    with pytest.raises(UnreachableError, match="does not hold"):
        find_in_agent(real, OTHER.public)


@pytest.mark.slow
def test_a_locked_agent_and_one_that_lost_its_key_are_told(real: dict[str, str]) -> None:
    signer = find_in_agent(real, SIGNER.public)
    add(real, "-D")
    with pytest.raises(WorkError, match="refuses to sign"):
        signer.sign(CONTENT)
    with pytest.raises(UnreachableError, match="is locked"):
        find_in_agent(real, SIGNER.public)
