"""`keygen`: one key in two forms that the real programs read; nothing replaced, nothing secret shown."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

import pytest

from bundler import cli
from bundler.adapters.signing_key import KeyOptions, find_signer
from bundler.kinds.manifests import Manifests
from bundler.model import minisign, minisign_key, openssh_key, sshsig
from bundler.model.minisign import PublicFile
from bundler.model.public_key import PublicKey
from tests import json_documents
from tests.adapters.terminals import at_a_terminal
from tests.model.keys import CONTENT
from tests.world import TARGETS, Ran

FILES = {"rel.key": 0o600, "rel.minisign": 0o600, "rel.minisign.pub": 0o644, "rel.pub": 0o644}
PASSWORD = "correct horse"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No terminal, no variables of ours, and passwords that take no time."""
    for name in [name for name in os.environ if name.startswith("AIWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr("bundler.adapters.password._has_terminal", lambda: False)
    monkeypatch.setattr(minisign_key, "_OPERATIONS", 32768)
    monkeypatch.setattr(minisign_key, "_MEMORY", 1 << 20)
    monkeypatch.setattr(openssh_key, "_ROUNDS", 1)


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


class Keygen:
    """The command, run in a folder; what it says never has what is secret."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = folder, capsys

    def __call__(self, *words: str, **env: str) -> Ran:
        with mock.patch.dict(os.environ, env):
            code = cli.run([*words, "--out", str(self.folder)])
        shown = self._capsys.readouterr()
        json_documents.hold(words, shown.out)
        paths = [*self.folder.glob("*.key"), *self.folder.glob("*.minisign")]
        secret = [path.read_text().splitlines() for path in paths if path.is_file()]
        for line in (PASSWORD, *(line for lines in secret for line in lines if " " not in line)):
            assert line not in shown.out + shown.err
        return Ran(code, shown.out, shown.err)

    def files(self) -> dict[str, int]:
        return {path.name: stat.S_IMODE(path.stat().st_mode) for path in sorted(self.folder.iterdir())}


@pytest.fixture
def keygen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Keygen:
    return Keygen(tmp_path / "keys", capsys)


def test_both_forms_are_of_one_key(keygen: Keygen, umask: None) -> None:
    done = keygen("keygen", "rel", "--no-password")
    assert done.code == 0, done.err
    assert keygen.files() == FILES
    assert stat.S_IMODE(keygen.folder.stat().st_mode) == 0o700
    public = PublicFile.parse((keygen.folder / "rel.minisign.pub").read_bytes()).key
    assert (keygen.folder / "rel.pub").read_text() == f"{public.openssh} rel\n"
    assert public == PublicKey.of(public.raw)
    for name in ("rel.key", "rel.minisign"):
        signer = find_signer({}, KeyOptions(file=keygen.folder / name))
        assert signer
        assert signer.public == public
    for shown in (public.fingerprint, "NOT encrypted", "keep secret", "AIWS_SIGNING_KEY", *FILES):
        assert shown in done.out


def test_a_password_keeps_both_files(keygen: Keygen) -> None:
    assert keygen("keygen", "rel", AIWS_SIGNING_PASSWORD=PASSWORD).code == 0
    reading, writing = os.pipe()
    os.write(writing, f"{PASSWORD}\n".encode())
    os.close(writing)
    assert keygen("keygen", "other", "--password-fd", str(reading)).code == 0
    os.close(reading)
    for name in ("rel.key", "rel.minisign", "other.key", "other.minisign"):
        assert find_signer({"AIWS_SIGNING_PASSWORD": PASSWORD}, KeyOptions(file=keygen.folder / name))


@pytest.mark.parametrize("name", ["rel", "2027", "1e3", "null", "on", "a@b.example"])
def test_what_it_says_to_paste_is_a_trusted_key(keygen: Keygen, name: str) -> None:
    done = keygen("keygen", name, "--no-password")
    pasted = done.out[done.out.index("  - name") :]
    trust = Manifests.parse({"targets.yaml": TARGETS, "trust.yaml": f"keys:\n{pasted}"}).trust
    (key,) = trust.keys
    today = datetime.now(UTC).date()
    assert (key.name, key.role) == (name, "release")
    assert key.public == PublicKey.parse((keygen.folder / f"{name}.pub").read_text())
    assert key.valid_from in (today, today - timedelta(1))  # midnight may have passed
    assert key.valid_from
    assert key.valid_until == key.valid_from + timedelta(730)


def test_a_program_is_told_the_same(keygen: Keygen) -> None:
    done = keygen("--json", "keygen", "rel", "--no-password")
    told = json.loads(done.out)
    public = PublicKey.parse(told["openssh"])
    assert PublicKey.parse(told["minisign"]) == public
    assert (told["encrypted"], told["fingerprint"]) == (False, public.fingerprint)
    assert sorted(Path(path).name for path in (*told["secret_files"], *told["public_files"])) == sorted(FILES)
    assert told["trust"]["key"] == public.openssh


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("what", ["file", "folder", "link"])
def test_nothing_that_is_there_is_replaced(keygen: Keygen, name: str, what: str) -> None:
    keygen.folder.mkdir(mode=0o700)
    path = keygen.folder / name
    if what == "file":
        path.write_text("precious")
    elif what == "folder":
        path.mkdir()
    else:
        path.symlink_to("nowhere")
    done = keygen("keygen", "rel", "--no-password")
    assert (done.code, "is there already" in done.err) == (2, True)
    assert list(keygen.folder.iterdir()) == [path]
    assert what != "file" or path.read_text() == "precious"


def test_what_comes_between_is_not_replaced_either(keygen: Keygen) -> None:
    """Another run writes one of the files while this one asks for a password: all that this one wrote goes again."""
    keygen.folder.mkdir(mode=0o700)
    theirs = keygen.folder / "rel.pub"

    def meanwhile(*_: object) -> bytes:
        theirs.write_text("theirs")
        return b"secret"

    with mock.patch("bundler.adapters.password.given", meanwhile):
        done = keygen("keygen", "rel")
    assert (done.code, list(keygen.folder.iterdir()), theirs.read_text()) == (2, [theirs], "theirs")


def test_a_disk_that_is_full_leaves_nothing(keygen: Keygen) -> None:
    with mock.patch("os.fsync", side_effect=OSError(28, "No space left on device")):
        done = keygen("keygen", "rel", "--no-password")
    assert (done.code, list(keygen.folder.iterdir())) == (1, [])


@pytest.mark.parametrize("mode", [0o770, 0o757, 0o1777])
def test_a_folder_that_others_write_to_is_refused(keygen: Keygen, mode: int) -> None:
    keygen.folder.mkdir()
    keygen.folder.chmod(mode)
    done = keygen("keygen", "rel", "--no-password")
    assert (done.code, list(keygen.folder.iterdir())) == (1, [])
    assert "can be written by others" in done.err
    assert "--out" in done.err
    assert "cache" not in done.err


@pytest.mark.parametrize(
    "name", ["", "../x", "a/b", ".hidden", "a b", "-x", "x" * 65, "a.", "é", "a\n", "a\x1b[2J"], ids=range(11)
)
def test_what_is_no_name_is_refused(keygen: Keygen, name: str) -> None:
    done = keygen("keygen", "--no-password", "--", name) if name != "-x" else keygen("keygen", "--no-password", name)
    assert done.code == 2
    assert not keygen.folder.exists()


def test_a_password_is_said_once_and_somehow(keygen: Keygen) -> None:
    without = keygen("keygen", "rel")
    assert (without.code, "no terminal to ask" in without.err) == (2, True)
    for words in (("--password-fd", "3"), ()):
        done = keygen("keygen", "rel", "--no-password", *words, AIWS_SIGNING_PASSWORD="" if words else PASSWORD)
        assert (done.code, "a password is given" in done.err) == (2, True)
    assert keygen("keygen", "rel", "--password-fd", "999").code == 2
    assert keygen.files() == {}


def test_in_a_checkout_it_warns(keygen: Keygen) -> None:
    (keygen.folder.parent / ".git").mkdir()
    assert "commit neither" in keygen("keygen", "rel", "--no-password").err


def at_keygen(folder: Path, *answers: tuple[str, str]) -> str:
    return at_a_terminal([sys.executable, "-m", "bundler", "keygen", "rel"], answers, cwd=folder)


@pytest.mark.slow
def test_it_asks_twice_at_a_terminal(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    shown = at_keygen(tmp_path, ("password of the new key", "one\n"), ("the same again", "other\n"))
    assert "differ" in shown
    assert list(tmp_path.iterdir()) == []
    shown = at_keygen(tmp_path, ("password of the new key", f"{PASSWORD}\n"), ("the same again", f"{PASSWORD}\n"))
    assert "made the key rel" in shown
    assert PASSWORD not in shown
    for name in ("rel.key", "rel.minisign"):
        assert find_signer({"AIWS_SIGNING_PASSWORD": PASSWORD}, KeyOptions(file=tmp_path / name))


def process(folder: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "bundler", *words]
    return subprocess.run(argv, cwd=folder, env={**os.environ, **env}, capture_output=True, text=True, timeout=300)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("minisign") is None, reason="minisign is not installed")
@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")
@pytest.mark.parametrize("password", ["", PASSWORD], ids=["plain", "encrypted"])
def test_the_real_programs_sign_with_it(tmp_path: Path, password: str) -> None:
    tmp_path.chmod(0o700)
    made = process(tmp_path, "keygen", "rel", *([] if password else ["--no-password"]), AIWS_SIGNING_PASSWORD=password)
    assert made.returncode == 0, made.stderr
    public = PublicKey.parse((tmp_path / "rel.pub").read_text())
    shown = subprocess.run(
        ["ssh-keygen", "-y", "-P", password, "-f", "rel.key"], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert shown.stdout.split()[:2] == public.openssh.split(), shown
    (tmp_path / "sums").write_bytes(CONTENT)
    done = subprocess.run(
        ["minisign", "-S", "-s", "rel.minisign", "-m", "sums"],
        cwd=tmp_path,
        input=f"{password}\n",
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done
    assert minisign.fault(minisign.parse((tmp_path / "sums.minisig").read_bytes()), public, CONTENT) == ""
    checked = ["minisign", "-V", "-p", "rel.minisign.pub", "-m", "sums"]
    assert subprocess.run(checked, cwd=tmp_path, capture_output=True, timeout=60).returncode == 0
    if not password:
        words = ["ssh-keygen", "-Y", "sign", "-f", "rel.key", "-n", "v1@aiws-bundle"]
        signed = subprocess.run(words, cwd=tmp_path, input=CONTENT, capture_output=True, timeout=60).stdout
        assert sshsig.fault(sshsig.parse(signed), public, CONTENT, "v1@aiws-bundle") == ""


@pytest.mark.slow
def test_no_command_tells_what_the_variables_hold(tmp_path: Path) -> None:
    """Whole commands with a key and its password in the environment, at work and in failure."""
    tmp_path.chmod(0o700)
    assert process(tmp_path, "keygen", "rel", "--no-password").returncode == 0
    key = (tmp_path / "rel.key").read_text()
    for words in (("--json", "targets"), ("--json", "keygen", "rel", "--no-password"), ("-v", "verify", "none")):
        done = process(tmp_path, *words, AIWS_SIGNING_KEY=key, AIWS_SIGNING_PASSWORD=PASSWORD)
        assert done.returncode == 2
        for secret in (PASSWORD, *key.splitlines()[1:-1]):
            assert secret not in done.stdout + done.stderr
