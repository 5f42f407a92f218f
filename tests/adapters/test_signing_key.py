"""Where a private key comes from, and that it goes nowhere else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from bundler.adapters.environment import GIT, NPM, PIP_COMPILE, PIP_CONFIG, SHARED, UV
from bundler.adapters.signing_key import KeyOptions, find_signer
from bundler.errors import BundleError, IntegrityError, UnreachableError, UsageError
from bundler.model import minisign_key, openssh_key
from bundler.model.ed25519 import Ed25519Signer
from bundler.model.minisign import PublicFile
from bundler.progress import Silent
from bundler.session import Session
from tests.adapters.terminals import at_a_terminal
from tests.model.keys import OTHER, SIGNER

NAMES = ("AIWS_SIGNING_KEY", "AIWS_SIGNING_KEY_FILE", "AIWS_SIGNING_KEY_FD", "AIWS_SIGNING_PASSWORD")
OPENSSH = openssh_key.compose(SIGNER, b"").decode()
MINISIGN = minisign_key.compose(OTHER, b"", bytes(32)).decode()
PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def encrypted() -> str:
    """A key of OpenSSH whose password is PASSWORD."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(openssh_key, "_ROUNDS", 1)
        return openssh_key.compose(SIGNER, PASSWORD.encode()).decode()


@pytest.fixture(autouse=True)
def no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bundler.adapters.password._has_terminal", lambda: False)


def kept(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


@contextmanager
def descriptor(content: bytes) -> Iterator[int]:
    """The reading end of a pipe that has a content in it."""
    reading, writing = os.pipe()
    os.write(writing, content)
    os.close(writing)
    try:
        yield reading
    finally:
        os.close(reading)


def refused(env: Mapping[str, str], options: KeyOptions = KeyOptions()) -> BundleError:  # noqa: B008 - frozen
    with pytest.raises(BundleError) as caught:
        find_signer(env, options)
    told = f"{caught.value.message} {caught.value.hint}"
    for secret in (PASSWORD, *OPENSSH.splitlines()[1:-1], *MINISIGN.splitlines()[1:]):
        assert secret not in told
    return caught.value


def test_nobody_signs_where_nothing_is_named() -> None:
    assert find_signer({}) is None
    assert find_signer(dict.fromkeys(NAMES, "")) is None  # as CI sets a secret that is not there


@pytest.mark.parametrize(("text", "signer"), [(OPENSSH, SIGNER), (MINISIGN, OTHER)], ids=["openssh", "minisign"])
def test_a_key_comes_from_each_place(tmp_path: Path, text: str, signer: Ed25519Signer) -> None:
    path = kept(tmp_path / "k", text)

    def found(env: Mapping[str, str], options: KeyOptions = KeyOptions()) -> bytes:  # noqa: B008 - frozen
        signer = find_signer(env, options)
        assert signer
        return signer.public.raw

    for spelt in (text, text.strip(), f"\n{text}\n", text.replace("\n", "\r\n")):
        assert found({"AIWS_SIGNING_KEY": spelt}) == signer.public.raw
    assert found({"AIWS_SIGNING_KEY_FILE": str(path)}) == signer.public.raw
    with descriptor(text.encode()) as number:
        assert found({"AIWS_SIGNING_KEY_FD": str(number)}) == signer.public.raw
    with descriptor(text.encode()) as number:
        assert found({}, KeyOptions(descriptor=number)) == signer.public.raw
    assert found({"AIWS_SIGNING_KEY": "the command line wins"}, KeyOptions(file=path)) == signer.public.raw


def test_two_keys_are_one_too_many(tmp_path: Path) -> None:
    for one in NAMES[:3]:
        for other in NAMES[:3]:
            if one < other:
                assert "more than one key" in refused({one: "3", other: "3"}).message
    assert "two keys" in refused({}, KeyOptions(tmp_path / "k", 3)).message
    assert "cannot have both" in refused({}, KeyOptions(descriptor=3, password_descriptor=3)).message


def test_a_password_comes_from_the_environment_or_a_descriptor(encrypted: str) -> None:
    env = {"AIWS_SIGNING_KEY": encrypted}
    assert find_signer({**env, "AIWS_SIGNING_PASSWORD": PASSWORD}) == SIGNER
    for end in ("", "\n", "\r\n"):
        with descriptor(f"{PASSWORD}{end}".encode()) as number:
            assert find_signer(env, KeyOptions(password_descriptor=number)) == SIGNER
    with descriptor(PASSWORD.encode()) as number:
        both = {**env, "AIWS_SIGNING_PASSWORD": PASSWORD}
        assert "two passwords" in refused(both, KeyOptions(password_descriptor=number)).message
    assert "password is another" in refused({**env, "AIWS_SIGNING_PASSWORD": "wrong"}).message
    for odd in (b"", b"\n", b"two\nlines", b"x" * 2000, b"a\0b"):
        with descriptor(odd) as number:
            assert refused(env, KeyOptions(password_descriptor=number)).exit_code == 2
    without = refused(env)
    assert "no terminal to ask" in without.message
    assert "AIWS_SIGNING_PASSWORD" in without.hint


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o620, 0o610])
def test_a_key_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = kept(tmp_path / "a key", OPENSSH, mode)
    error = refused({}, KeyOptions(file=path))
    assert error.exit_code == 2
    assert f"`chmod 600 '{path}'`" in error.hint
    link = tmp_path / "link"
    link.symlink_to(path)
    assert "others may read" in refused({}, KeyOptions(file=link)).message


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
def test_another_users_key_is_refused(tmp_path: Path) -> None:
    path = kept(tmp_path / "k", OPENSSH)
    os.chown(path, 12345, 12345)
    assert "belongs to another user (uid 12345)" in refused({}, KeyOptions(file=path)).message


def test_a_link_to_ones_own_key_is_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(kept(tmp_path / "k", OPENSSH))
    assert find_signer({}, KeyOptions(file=tmp_path / "link")) == SIGNER


@pytest.mark.parametrize("number", ["-1", "1", "2", "x", "3 4", "9999", "99999999999", "٣"])
def test_what_is_no_descriptor_to_read_is_refused(number: str) -> None:
    assert refused({"AIWS_SIGNING_KEY_FD": number}).exit_code == 2


def test_what_is_no_key_is_refused(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path in (tmp_path, fifo, tmp_path / "none", Path("/dev/zero"), kept(tmp_path / "big", "x" * 20_000)):
        assert isinstance(refused({}, KeyOptions(file=path)), UsageError)
    for text in ("hello", "/home/me/release.key", "-----BEGIN PRIVATE KEY-----\nMC4=\n-----END PRIVATE KEY-----", "é"):
        error = refused({"AIWS_SIGNING_KEY": text})
        assert isinstance(error, UsageError)
        assert "keygen" in error.hint
    assert isinstance(refused({"AIWS_SIGNING_KEY": OPENSSH.replace("b3Bl", "b3Bm", 1)}), IntegrityError)
    assert isinstance(refused({"AIWS_SIGNING_KEY": MINISIGN.replace("RWQAAE", "RWQAAF", 1)}), IntegrityError)
    with descriptor(b"x" * 20_000) as number:
        assert isinstance(refused({}, KeyOptions(descriptor=number)), UsageError)


def test_a_public_key_stands_for_the_agents(tmp_path: Path) -> None:
    file = kept(tmp_path / "k.pub", f"{SIGNER.public.openssh} me\n", 0o644)
    texts = (SIGNER.public.fingerprint, SIGNER.public.minisign, PublicFile(SIGNER.public).compose().decode())
    for env in ({"AIWS_SIGNING_KEY_FILE": str(file)}, *({"AIWS_SIGNING_KEY": text} for text in texts)):
        error = refused(env)
        assert isinstance(error, UnreachableError)
        assert "SSH_AUTH_SOCK is not set" in error.message


def test_a_session_has_the_key_and_shows_nothing_of_it(tmp_path: Path) -> None:
    env = {"AIWS_SIGNING_KEY": OPENSSH, "AIWS_SIGNING_PASSWORD": PASSWORD}
    session = Session(None, tmp_path, env, Silent())
    assert session.signer() == SIGNER
    other = session.signer(KeyOptions(file=kept(tmp_path / "k", MINISIGN)))
    assert other
    assert other.public == OTHER.public
    shown = repr(session) + repr(session.signer())
    assert PASSWORD not in shown
    assert OPENSSH.splitlines()[1] not in shown
    assert repr(SIGNER.seed)[2:-1] not in shown
    assert Session(None, tmp_path, {}, Silent()).signer() is None


def test_other_programs_are_not_given_them() -> None:
    env = {**dict.fromkeys(NAMES, "secret"), "HOME": "/h"}
    for passed in (SHARED, PIP_CONFIG, PIP_COMPILE, UV, GIT, NPM):
        assert "secret" not in passed.of(env).values()


def test_the_key_is_loaded_by_who_signs_only() -> None:
    code = "import sys, bundler.session, bundler.adapters.signing_key, bundler.adapters.ssh_agent\n"
    code += "print([name for name in sys.modules if name.partition('.')[0] in ('cryptography', 'bcrypt', 'getpass')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


ASKS = """
import os, sys
from pathlib import Path
from bundler.adapters.signing_key import KeyOptions, find_signer
from bundler.errors import BundleError
try:
    print("FOUND", find_signer({}, KeyOptions(file=Path(sys.argv[1]))).public.fingerprint)
except BundleError as error:
    print("REFUSED", error.message)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        (f"{PASSWORD}\n", f"FOUND {SIGNER.public.fingerprint}"),
        ("wrong\n", "the password is another"),
        ("\n", "the password: empty"),
        ("\x04", "no password was given"),
    ],
    ids=["right", "wrong", "empty", "end"],
)
def test_who_sits_at_the_terminal_is_asked(tmp_path: Path, encrypted: str, typed: str, shown: str) -> None:
    path = kept(tmp_path / "k", encrypted)
    told = at_a_terminal([sys.executable, "-c", ASKS, str(path)], [("password of", typed)])
    assert shown in told
    assert PASSWORD not in told


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("minisign") is None, reason="minisign is not installed")
@pytest.mark.parametrize("password", ["", "secret"], ids=["plain", "encrypted"])
def test_minisigns_own_keys_are_read(tmp_path: Path, password: str) -> None:
    words = ["minisign", "-G", "-p", "k.pub", "-s", "k.key", *(["-W"] if not password else [])]
    made = subprocess.run(words, cwd=tmp_path, input=f"{password}\n" * 2, capture_output=True, text=True, timeout=300)
    assert made.returncode == 0, made
    env = {"AIWS_SIGNING_PASSWORD": password}
    signer = find_signer(env, KeyOptions(file=tmp_path / "k.key"))
    assert signer
    assert signer.public == PublicFile.parse((tmp_path / "k.pub").read_bytes()).key


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")
@pytest.mark.parametrize("password", ["", "secret"], ids=["plain", "encrypted"])
@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_ssh_keygens_own_keys_are_read(tmp_path: Path, password: str, kind: str) -> None:
    path = tmp_path / "k"
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", password, "-f", str(path)], check=True, timeout=60)
    env = {"AIWS_SIGNING_PASSWORD": password}
    if kind != "ed25519":
        assert "ssh-ed25519" in refused(env, KeyOptions(file=path)).message
        return
    signer = find_signer(env, KeyOptions(file=path))
    assert signer
    assert path.with_suffix(".pub").read_text().startswith(signer.public.openssh)
