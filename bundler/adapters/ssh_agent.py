"""A private key that ssh-agent holds: it signs, and its key never leaves it (RFC 9987, the SSH agent protocol).

Whatever answers on that socket is not believed: answers are bounded in size and time, and signatures are verified.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass

from bundler.errors import IntegrityError, UnreachableError, WorkError
from bundler.model.ed25519 import SIGNATURE_SIZE, verifies
from bundler.model.public_key import SIZE, PublicKey
from bundler.model.ssh_wire import ED25519, Fields, of_ed25519, string

VARIABLE = "SSH_AUTH_SOCK"
_FAILURE, _LIST, _LISTED, _SIGN, _SIGNED = 5, 11, 12, 13, 14
_LARGEST_ANSWER = 256 << 10
_MOST_KEYS = 1000
# An agent may ask its owner before it signs (`ssh-add -c`), or have the key in a token that waits to be touched.
_LIST_SECONDS, _SIGN_SECONDS = 10.0, 120.0


@dataclass(frozen=True)
class AgentSigner:
    """A key of ssh-agent's, by its public half."""

    public: PublicKey
    address: str

    def sign(self, message: bytes) -> bytes:
        """The signature of a message, 64 bytes, verified.

        Raises WorkError if the agent refuses, UnreachableError if it does not answer, IntegrityError for a wrong one.
        """
        request = bytes([_SIGN]) + string(self.public.blob) + string(message) + bytes(4)
        answer = _ask(self.address, request, _SIGN_SECONDS)
        if answer[0] == _FAILURE:
            hint = "unlock it (ssh-add -X), and confirm if it asks; ssh-add -l lists what it holds"
            raise WorkError(f"ssh-agent refuses to sign with {self.public.fingerprint}", hint)
        try:
            fields = _fields(answer, _SIGNED)
            signature = of_ed25519(fields.string(), SIGNATURE_SIZE)
            fields.end()
        except ValueError as error:
            raise _senseless(error) from error
        if not verifies(self.public, signature, message):
            hint = f"is {VARIABLE} your own agent's?"
            raise IntegrityError(f"ssh-agent answers with a signature that is not of {self.public.fingerprint}", hint)
        return signature


def find_in_agent(env: Mapping[str, str], wanted: PublicKey | str) -> AgentSigner:
    """The agent's key of a public key or fingerprint. Raises UnreachableError if there is no agent, or not the key."""
    address = env.get(VARIABLE, "")
    if not address:
        hint = 'start one and add the key: eval "$(ssh-agent)"; ssh-add FILE; or name the private key itself'
        raise UnreachableError(f"a public key is named, and there is no ssh-agent ({VARIABLE} is not set)", hint)
    keys = _keys(address)
    fingerprint = wanted if isinstance(wanted, str) else wanted.fingerprint
    for key in keys:
        if key.fingerprint == fingerprint:
            # A key that minisign made has an id of its own, which the agent does not know.
            return AgentSigner(key if isinstance(wanted, str) else wanted, address)
    held = ", ".join(key.fingerprint for key in keys[:10]) or "none of ssh-ed25519, or is locked"
    raise UnreachableError(f"ssh-agent does not hold {fingerprint}; it holds {held}", "ssh-add FILE adds a key to it")


def _keys(address: str) -> list[PublicKey]:
    """The agent's Ed25519 keys."""
    answer = _ask(address, bytes([_LIST]), _LIST_SECONDS)
    found = []
    try:
        fields = _fields(answer, _LISTED)
        number = fields.number()
        if number > _MOST_KEYS:
            raise ValueError(f"it lists more than {_MOST_KEYS} keys")
        for blob, _ in ((fields.string(), fields.string()) for _ in range(number)):
            if blob.startswith(string(ED25519)):
                found.append(PublicKey.of(of_ed25519(blob, SIZE)))
        fields.end()
    except ValueError as error:
        raise _senseless(error) from error
    return found


def _fields(answer: bytes, kind: int) -> Fields:
    if answer[0] != kind:
        raise ValueError(f"it is of another kind ({answer[0]})")
    return Fields(answer[1:])


def _ask(address: str, request: bytes, seconds: float) -> bytes:
    """Send one message and return the answer, of at least one byte."""
    ends = time.monotonic() + seconds
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as agent:
            agent.settimeout(seconds)
            agent.connect(address)
            agent.sendall(string(request))
            size = int.from_bytes(_received(agent, 4, ends), "big")
            if not 0 < size <= _LARGEST_ANSWER:
                raise _senseless(ValueError(f"it has {size} bytes"))
            return _received(agent, size, ends)
    except TimeoutError as error:
        raise UnreachableError(f"ssh-agent did not answer within {seconds:.0f} s", "is it waiting for you?") from error
    except (OSError, ValueError) as error:  # a path with a zero in it, or too long for a socket
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UnreachableError(
            f"ssh-agent ({VARIABLE}) cannot be asked: {why}", "does `ssh-add -l` reach it?"
        ) from error


def _received(agent: socket.socket, size: int, ends: float) -> bytes:
    received = b""
    while len(received) < size:
        left = ends - time.monotonic()
        if left <= 0:
            raise TimeoutError
        agent.settimeout(left)
        chunk = agent.recv(size - len(received))
        if not chunk:
            raise _senseless(ValueError("it is cut short"))
        received += chunk
    return received


def _senseless(error: ValueError) -> UnreachableError:
    return UnreachableError(f"what ssh-agent answers makes no sense: {error}", f"is {VARIABLE} an agent's?")
