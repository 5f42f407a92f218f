from __future__ import annotations

import base64
import contextlib
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.errors import IntegrityError
from bundler.model import minisign
from bundler.model.minisign import PublicFile
from bundler.model.public_key import PublicKey
from tests.model.keys import CONTENT, OTHER, SIGNER, cut, flipped

COMMENT = "tag:v1 commit:0123\tsha256:4fde"
SIGNED = minisign.compose(SIGNER, CONTENT, COMMENT)
LINES = SIGNED.decode().splitlines()
NEEDS_MINISIGN = pytest.mark.skipif(shutil.which("minisign") is None, reason="minisign is not installed")


def fault(signed: bytes, content: bytes = CONTENT, key: PublicKey = SIGNER.public) -> str:
    try:
        return minisign.fault(minisign.parse(signed), key, content)
    except IntegrityError as error:
        return error.message


def test_what_is_signed_is_verified() -> None:
    assert fault(SIGNED) == ""
    assert minisign.parse(SIGNED).comment == COMMENT
    assert minisign.compose(SIGNER, CONTENT, COMMENT) == SIGNED


def test_nothing_changed_is_verified() -> None:
    start = len(LINES[0]) + 1  # nothing protects the untrusted comment
    changed = [signed for signed in flipped(SIGNED) if signed[:start] == SIGNED[:start]]
    assert [signed for signed in changed if not fault(signed)] == []
    assert [content for content in flipped(CONTENT) if not fault(SIGNED, content)] == []
    assert [signed for signed in cut(SIGNED) if not fault(signed)] == []


def test_why_is_told() -> None:
    assert fault(SIGNED, key=OTHER.public).startswith("made with another key: ")
    assert fault(SIGNED, CONTENT + b"\n").startswith("the signature does not fit the content")
    assert fault(SIGNED.replace(b"tag:v1", b"tag:v2")) == "the trusted comment was changed"
    weak = PublicKey(bytes(32), SIGNER.public.key_id)
    assert fault(SIGNED, key=weak) == "the public key is one for which anybody can sign"


def spelt(*lines: str) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def with_algorithm(algorithm: bytes) -> str:
    return base64.b64encode(algorithm + base64.b64decode(LINES[1])[2:]).decode()


@pytest.mark.parametrize(
    ("signed", "why"),
    [
        (spelt(LINES[0], with_algorithm(b"Ed"), *LINES[2:]), "legacy"),
        (spelt(LINES[0], with_algorithm(b"XX"), *LINES[2:]), "not a signature of minisign"),
        (spelt(LINES[0], LINES[1][:-4], *LINES[2:]), "not a signature of minisign"),
        (spelt(LINES[0], f"{LINES[1]}AAAA", *LINES[2:]), "not base64"),
        (spelt(*LINES[:3], LINES[3][:-3] + "/=="), "canonical"),
        (spelt(*LINES[:3], "AAAA"), "not a signature of minisign"),
        (spelt(LINES[0], LINES[1], LINES[2].replace("trusted", "Trusted"), LINES[3]), "begins with"),
        (spelt("untrusted comment:", *LINES[1:]), "begins with"),
        (spelt(f"untrusted comment: {'x' * 1100}", *LINES[1:]), "too long"),
        (spelt(*LINES[:2], f"trusted comment: {'x' * 8200}", LINES[3]), "too long"),
        (spelt(*LINES, ""), "4 lines"),
        (spelt(*LINES[:3]), "4 lines"),
        (SIGNED.replace(b"\n", b"\r\n"), "plain text"),
        (SIGNED.replace(b"tag", b"\x1b[2J"), "plain text"),
        (SIGNED.replace(b"tag", "\u202etag".encode()), "plain text"),
        (SIGNED.replace(b"tag", b"\0tag"), "plain text"),
        (SIGNED.replace(b"tag", b"\xff"), "not text"),
        (b"\xef\xbb\xbf" + SIGNED, "plain text"),
        (SIGNED * 100, "larger"),
        (b"", "4 lines"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_is_spelt_otherwise_is_refused(signed: bytes, why: str) -> None:
    with pytest.raises(IntegrityError, match=why) as caught:
        minisign.parse(signed, "SHA256SUMS.minisig")
    assert caught.value.message.startswith("SHA256SUMS.minisig: ")


@pytest.mark.parametrize("comment", ["two\nlines", "\r", "\x1b[2J", "x" * 8200], ids=["line", "cr", "escape", "long"])
def test_no_such_comment_is_signed(comment: str) -> None:
    with pytest.raises(ValueError, match="one line"):
        minisign.compose(SIGNER, CONTENT, comment)


@given(st.binary(max_size=400))
def test_anything_else_is_refused_in_one_way(content: bytes) -> None:
    with contextlib.suppress(IntegrityError):
        minisign.parse(content)
    with contextlib.suppress(IntegrityError):
        PublicFile.parse(content)


@given(st.integers(0, len(SIGNED)), st.integers(0, len(SIGNED)), st.binary(max_size=8))
def test_no_change_of_what_is_protected_is_verified(start: int, end: int, put: bytes) -> None:
    changed = SIGNED[:start] + put + SIGNED[end:]
    if changed.partition(b"\n")[2] != SIGNED.partition(b"\n")[2]:
        assert fault(changed)


@given(st.binary(max_size=100), st.text(max_size=100))
def test_whatever_is_signed_is_verified(content: bytes, comment: str) -> None:
    try:
        signed = minisign.compose(SIGNER, content, comment)
    except ValueError:
        assert not comment.replace("\t", " ").isprintable()
    else:
        assert fault(signed, content) == ""
        assert minisign.parse(signed).comment == comment


def test_a_public_file_is_read_as_it_is_written() -> None:
    written = PublicFile(SIGNER.public).compose()
    assert PublicFile.parse(written).key == SIGNER.public
    assert minisign.shown_id(SIGNER.public.key_id) in written.decode()
    refused = [
        *cut(written),
        written.replace(b"\n", b"\r\n"),
        b"untrusted comment: x\n" + SIGNER.public.openssh.encode(),
    ]
    for content in refused:
        with pytest.raises(IntegrityError):
            PublicFile.parse(content)


def run(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, cwd=cwd, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)


def verify(folder: Path, signed: bytes, content: bytes = CONTENT) -> int:
    (folder / "sums").write_bytes(content)
    (folder / "sums.minisig").write_bytes(signed)
    return run("minisign", "-V", "-H", "-P", SIGNER.public.minisign, "-m", "sums", cwd=folder).returncode


@pytest.mark.slow
@NEEDS_MINISIGN
def test_minisign_accepts_ours_and_nothing_changed(tmp_path: Path) -> None:
    assert verify(tmp_path, SIGNED) == 0
    (tmp_path / "k.pub").write_bytes(PublicFile(SIGNER.public).compose())
    shown = run("minisign", "-V", "-p", "k.pub", "-Q", "-m", "sums", cwd=tmp_path)
    assert (shown.returncode, shown.stdout.strip()) == (0, COMMENT)
    start = len(LINES[0]) + 1
    changed = [signed for signed in flipped(SIGNED) if signed[:start] == SIGNED[:start] and signed[-1:] == b"\n"][::23]
    accepted = [signed for signed in changed if verify(tmp_path, signed) == 0]
    assert accepted == []
    assert [content for content in [*flipped(CONTENT)][::29] if verify(tmp_path, SIGNED, content) == 0] == []


@pytest.mark.slow
@NEEDS_MINISIGN
def test_ours_accepts_what_minisign_makes(tmp_path: Path) -> None:
    assert run("minisign", "-G", "-W", "-p", "k.pub", "-s", "k.key", cwd=tmp_path).returncode == 0
    key = PublicFile.parse((tmp_path / "k.pub").read_bytes()).key
    assert PublicFile(key).compose().splitlines()[1] == (tmp_path / "k.pub").read_bytes().splitlines()[1]
    (tmp_path / "sums").write_bytes(CONTENT)
    assert run("minisign", "-S", "-s", "k.key", "-m", "sums", "-t", COMMENT, cwd=tmp_path).returncode == 0
    signed = (tmp_path / "sums.minisig").read_bytes()
    assert fault(signed, key=key) == ""
    assert run("minisign", "-S", "-s", "k.key", "-m", "sums", cwd=tmp_path).returncode == 0  # its own comment has tabs
    assert fault((tmp_path / "sums.minisig").read_bytes(), key=key) == ""
    assert run("minisign", "-S", "-l", "-s", "k.key", "-m", "sums", cwd=tmp_path).returncode == 0
    assert "legacy" in fault((tmp_path / "sums.minisig").read_bytes(), key=key)
