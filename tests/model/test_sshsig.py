from __future__ import annotations

import base64
import contextlib
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.errors import IntegrityError
from bundler.model import sshsig
from bundler.model.allowed_signers import AllowedSigner
from bundler.model.public_key import PublicKey
from bundler.model.ssh_wire import string
from tests.model.keys import CONTENT, OTHER, SIGNER, cut, flipped

NAMESPACE = "v1.2.3@aiws-bundle"
SIGNED = sshsig.compose(SIGNER, CONTENT, NAMESPACE)
NEEDS_SSH = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")


def fault(signed: bytes, content: bytes = CONTENT, key: PublicKey = SIGNER.public, namespace: str = NAMESPACE) -> str:
    try:
        return sshsig.fault(sshsig.parse(signed), key, content, namespace)
    except IntegrityError as error:
        return error.message


def test_what_is_signed_is_verified() -> None:
    assert fault(SIGNED) == ""
    assert sshsig.compose(SIGNER, CONTENT, NAMESPACE) == SIGNED


def test_nothing_changed_is_verified() -> None:
    assert [signed for signed in flipped(SIGNED) if not fault(signed)] == []
    assert [content for content in flipped(CONTENT) if not fault(SIGNED, content)] == []
    assert [signed for signed in cut(SIGNED) if not fault(signed)] == []


def test_why_is_told() -> None:
    assert fault(SIGNED, key=OTHER.public).startswith(f"made with another key: {SIGNER.public.fingerprint}")
    assert fault(SIGNED, namespace="v1@aiws-bundle").startswith("made for something else: ")
    assert fault(SIGNED, CONTENT + b"\n").startswith("the signature does not fit the content")
    assert fault(SIGNED, key=PublicKey.of(bytes(32))) == "the public key is one for which anybody can sign"


def blob(
    magic: bytes = b"SSHSIG\0\0\0\1",
    key: bytes = SIGNER.public.blob,
    namespace: bytes = NAMESPACE.encode(),
    reserved: bytes = b"",
    name: bytes = b"sha512",
    kind: bytes = b"ssh-ed25519",
    signature: bytes = bytes(64),
    end: bytes = b"",
) -> bytes:
    fields = (key, namespace, reserved, name, string(kind) + string(signature))
    return magic + b"".join(map(string, fields)) + end


def armored(value: bytes, width: int = 70) -> bytes:
    text = base64.b64encode(value).decode()
    lines = [text[at : at + width] for at in range(0, len(text), width)]
    return "\n".join(("-----BEGIN SSH SIGNATURE-----", *lines, "-----END SSH SIGNATURE-----", "")).encode()


def test_the_blobs_made_here_are_good_ones() -> None:
    assert sshsig.parse(armored(blob())).namespace == NAMESPACE


@pytest.mark.parametrize(
    ("signed", "why"),
    [
        (armored(blob(magic=b"SSHSIG\0\0\0\2")), "version 1"),
        (armored(blob(magic=b"SSHSIG\0\0\0\0")), "version 1"),
        (armored(blob(magic=b"SSHSIH\0\0\0\1")), "version 1"),
        (armored(blob(key=string(b"ssh-rsa") + string(bytes(32)))), "no other kind"),
        (armored(blob(key=string(b"ssh-ed25519") + string(bytes(31)))), "31 bytes, not 32"),
        (armored(blob(key=SIGNER.public.blob + b"x")), "more in it"),
        (armored(blob(namespace=b"")), "one word"),
        (armored(blob(namespace=b"two words")), "one word"),
        (armored(blob(namespace=b"\x1b[2J")), "one word"),
        (armored(blob(namespace=b"a\0b")), "one word"),
        (armored(blob(namespace=b"\xff")), "ascii"),
        (armored(blob(reserved=b"x")), "reserved"),
        (armored(blob(name=b"sha1")), "sha256, sha512"),
        (armored(blob(name=b"SHA512")), "sha256, sha512"),
        (armored(blob(kind=b"ssh-rsa")), "no other kind"),
        (armored(blob(signature=bytes(63))), "63 bytes, not 64"),
        (armored(blob(signature=bytes(65))), "65 bytes, not 64"),
        (armored(blob(end=b"x")), "more in it"),
        (armored(blob()[:-1]), "cut short"),
        (armored(blob()[:40] + struct.pack(">I", 2**32 - 1)), "cut short"),
        (armored(blob(), 76), "70 characters"),
        (armored(blob(), 35), "70 characters"),
        (SIGNED.replace(b"\n", b"\r\n"), "has to begin"),
        (SIGNED + b"\n", "has to begin"),
        (b"\n" + SIGNED, "has to begin"),
        (SIGNED[:-1], "has to begin"),
        (b"x" * 5000, "too much"),
        (b"", "has to begin"),
        (b"-----BEGIN SSH SIGNATURE-----\n-----END SSH SIGNATURE-----\n", "cut short"),
        (b"-----BEGIN SSH SIGNATURE-----\n", "has to begin"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_is_spelt_otherwise_is_refused(signed: bytes, why: str) -> None:
    with pytest.raises(IntegrityError, match=why) as caught:
        sshsig.parse(signed, "SHA256SUMS.sig")
    assert caught.value.message.startswith("SHA256SUMS.sig: ")


@pytest.mark.parametrize("namespace", ["", "two words", "é", "a\nb", "x" * 501], ids=["no", "two", "é", "line", "long"])
def test_no_such_namespace_is_signed_for(namespace: str) -> None:
    with pytest.raises(ValueError, match="one word"):
        sshsig.compose(SIGNER, CONTENT, namespace)


@given(st.binary(max_size=400))
def test_anything_else_is_refused_in_one_way(content: bytes) -> None:
    for signed in (content, armored(content), armored(b"SSHSIG\0\0\0\1" + content)):
        with contextlib.suppress(IntegrityError):
            sshsig.parse(signed)


@given(st.integers(0, len(SIGNED)), st.integers(0, len(SIGNED)), st.binary(max_size=8))
def test_no_change_is_verified(start: int, end: int, put: bytes) -> None:
    changed = SIGNED[:start] + put + SIGNED[end:]
    assert changed == SIGNED or fault(changed)


@given(st.integers(0, 200), st.integers(0, 200), st.binary(max_size=8))
def test_no_change_inside_is_verified(start: int, end: int, put: bytes) -> None:
    good = base64.b64decode(b"".join(SIGNED.splitlines()[1:-1]))
    changed = good[:start] + put + good[end:]
    assert changed == good or fault(armored(changed))


def keygen(folder: Path, *words: str, content: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["ssh-keygen", *words], cwd=folder, capture_output=True, input=content, timeout=60)


def verify(folder: Path, signed: bytes, content: bytes = CONTENT, namespace: str = NAMESPACE) -> int:
    (folder / "allowed").write_text(AllowedSigner(("me",), SIGNER.public, ("*@aiws-bundle",)).compose())
    (folder / "sums.sig").write_bytes(signed)
    told = ("-Y", "verify", "-f", "allowed", "-I", "me", "-n", namespace, "-s", "sums.sig")
    return keygen(folder, *told, content=content).returncode


@pytest.mark.slow
@NEEDS_SSH
def test_ssh_keygen_accepts_ours_and_nothing_changed(tmp_path: Path) -> None:
    assert verify(tmp_path, SIGNED) == 0
    assert verify(tmp_path, SIGNED, namespace="v2@aiws-bundle") != 0
    changed = [signed for signed in [*flipped(SIGNED)][::23] if b"\nU1NI" in signed]
    # Of the base64, whose last bits it does not look at, and of what follows the last line, it is less strict.
    start, end = SIGNED.index(b"U1NI"), SIGNED.index(b"\n-----END") - 4
    inside = [signed for signed in changed if signed[:start] == SIGNED[:start] and signed[end:] == SIGNED[end:]]
    assert [signed for signed in inside if verify(tmp_path, signed) == 0] == []
    assert [content for content in [*flipped(CONTENT)][::29] if verify(tmp_path, SIGNED, content) == 0] == []


@pytest.mark.slow
@NEEDS_SSH
@pytest.mark.parametrize("name", ["sha256", "sha512"])
def test_ours_accepts_what_ssh_keygen_makes(tmp_path: Path, name: str) -> None:
    assert keygen(tmp_path, "-q", "-t", "ed25519", "-N", "", "-f", "k").returncode == 0
    done = keygen(tmp_path, "-Y", "sign", "-f", "k", "-n", NAMESPACE, "-O", f"hashalg={name}", content=CONTENT)
    key = PublicKey.parse((tmp_path / "k.pub").read_text())
    assert fault(done.stdout, key=key) == ""
    assert sshsig.parse(done.stdout).hash == name
    assert fault(done.stdout, CONTENT + b"x", key=key)
