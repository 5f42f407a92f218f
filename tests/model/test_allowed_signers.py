from __future__ import annotations

import contextlib
import shutil
import subprocess
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.errors import IntegrityError
from bundler.model import allowed_signers, sshsig
from bundler.model.allowed_signers import AllowedSigner
from bundler.model.trust import TrustedKey
from tests.model.keys import CONTENT, SIGNER

KEY = SIGNER.public.openssh
TRUSTED = TrustedKey(
    "release-2027", SIGNER.public.minisign, valid_from=date(2027, 1, 1), valid_until=date(2028, 12, 31)
)
LINE = f'release-2027 namespaces="*@aiws-bundle",valid-after="20270101",valid-before="20290101" {KEY}\n'


def parse(text: str) -> tuple[AllowedSigner, ...]:
    return allowed_signers.parse(text.encode())


def test_a_trusted_key_has_a_line_that_is_read_again() -> None:
    signer = AllowedSigner.of(TRUSTED, "*@aiws-bundle")
    assert signer.compose() == LINE
    (read,) = parse(LINE)
    assert (read.key.raw, read.valid_after, read.valid_before) == (
        SIGNER.public.raw,
        datetime(2027, 1, 1, tzinfo=UTC),
        datetime(2029, 1, 1, tzinfo=UTC),
    )
    assert allowed_signers.compose((signer, signer)) == (LINE * 2).encode()


@pytest.mark.parametrize(
    ("first", "last"), [(None, None), (date(1970, 1, 1), date.max), (date.min, date.max)], ids=["no", "epoch", "all"]
)
def test_what_ssh_keygen_cannot_say_is_left_out(first: date | None, last: date | None) -> None:
    trusted = TrustedKey("me", KEY, valid_from=first, valid_until=last)
    assert AllowedSigner.of(trusted).compose() == f"me {KEY}\n"


def test_what_ssh_keygen_allows_is_read() -> None:
    text = f'# ours\n\na@b.example,c NAMESPACES="file,git?",Valid-Before="202701311259Z"\t{KEY}  a comment\nme {KEY}'
    first, second = parse(text)
    assert (first.principals, first.namespaces) == (("a@b.example", "c"), ("file", "git?"))
    assert first.valid_before == datetime(2027, 1, 31, 12, 59, tzinfo=UTC)
    assert second == AllowedSigner(("me",), SIGNER.public)


@pytest.mark.parametrize(
    "line",
    [
        f"me cert-authority {KEY}",
        f"me namespaces=file {KEY}",
        f'me namespaces="" {KEY}',
        f'me namespaces="!file" {KEY}',
        f'me namespaces="a",namespaces="b" {KEY}',
        f'me namespaces="a", {KEY}',
        f'me namespaces="a"valid-after="20270101" {KEY}',
        f'me namespaces="a\\"b" {KEY}',
        f'me valid-after="2027-01-01" {KEY}',
        f'me valid-after="20271301" {KEY}',
        f'me valid-after="19700101" {KEY}',
        f'me valid-after="20270102",valid-before="20270102" {KEY}',
        f"!me {KEY}",
        f"*@b {KEY}",
        f'"me" {KEY}',
        f"me,, {KEY}",
        f"me {KEY}\r",
        f"me {KEY} \x1b[2J",
        f"me \xa0{KEY}",
        f"me {KEY[:-2]}",
        "me ssh-rsa AAAA",
        "me ssh-ed25519",
        "me",
        KEY,
        "# \n" * 100_000,
    ],
    ids=lambda line: line[:60].replace(KEY, "KEY"),
)
def test_what_it_refuses_and_what_would_mean_more_here_is_refused(line: str) -> None:
    with pytest.raises(IntegrityError, match="allowed_signers"):
        parse(line)


@given(st.binary(max_size=300))
def test_anything_else_is_refused_in_one_way(content: bytes) -> None:
    for text in (content, b"me " + content + f" {KEY}".encode(), content + f" {KEY}".encode()):
        with contextlib.suppress(IntegrityError):
            allowed_signers.parse(text)


moments = st.datetimes(datetime(1971, 1, 1), datetime(2999, 1, 1)).map(lambda moment: moment.replace(microsecond=0))


@given(
    st.lists(st.from_regex(r"[a-z0-9@.]{1,9}", fullmatch=True), min_size=1, max_size=3),
    st.lists(st.from_regex(r"[a-z*@.]{1,9}", fullmatch=True), max_size=3),
    st.none() | moments,
)
def test_what_is_written_is_read_again(names: list[str], namespaces: list[str], after: datetime | None) -> None:
    start = after and after.replace(tzinfo=UTC)
    signer = AllowedSigner(tuple(names), SIGNER.public, tuple(namespaces), start)
    assert parse(signer.compose()) == (signer,)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")
@pytest.mark.parametrize(
    ("when", "good"),
    [("202612310000", False), ("202701011200", True), ("202812311200", True), ("202901020000", False)],
    ids=["before", "first", "last", "after"],
)
def test_ssh_keygen_keeps_to_the_days(tmp_path: Path, when: str, good: bool) -> None:
    (tmp_path / "allowed").write_text(LINE)
    (tmp_path / "sig").write_bytes(sshsig.compose(SIGNER, CONTENT, "v1@aiws-bundle"))
    words = ["ssh-keygen", "-Y", "verify", "-f", "allowed", "-I", "release-2027", "-n", "v1@aiws-bundle", "-s", "sig"]
    done = subprocess.run(
        [*words, f"-Overify-time={when}"], cwd=tmp_path, input=CONTENT, capture_output=True, timeout=60
    )
    assert (done.returncode == 0) is good, done
