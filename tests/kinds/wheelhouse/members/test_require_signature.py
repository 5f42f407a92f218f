"""`install.sh --require-signature`, with real signatures: what was signed is installed, anything else is not."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from bundler.model.public_key import PublicKey
from tests.installing import ARCH, archive, copied, relist

PROGRAMS = ("minisign", "ssh-keygen")
pytestmark = [
    pytest.mark.slow,
    *(pytest.mark.skipif(shutil.which(name) is None, reason=f"takes {name}") for name in PROGRAMS),
]

TAG = "runtime-3ad385a8a469"
ASSET = f"litellm-runtime-debian-12-{ARCH}.tar.gz"
TOP = "litellm-runtime"


@dataclass(frozen=True)
class Release:
    """A folder of release assets, unpacked in the same folder, and the keys that signed them, which are elsewhere."""

    base: Path

    @property
    def assets(self) -> Path:
        return self.base / "assets"

    @property
    def unpacked(self) -> Path:
        return self.assets / TOP

    @property
    def prefix(self) -> Path:
        return self.base / "opt"

    def key(self, name: str) -> str:
        return str(self.base / "keys" / name)

    def run(self, *words: str, shell: tuple[str, ...] = ("sh",), path: str = "") -> subprocess.CompletedProcess[str]:
        """Run install.sh; with `path` as if the system had only these programs (it makes PATH anew otherwise)."""
        script = [str(self.unpacked / "install.sh"), "--prefix", str(self.prefix), *words]
        clean = ["sh", "-c", 'AIWS_CLEAN=$$ exec "$@"', "sh"] if path else []
        env = {"PATH": path or os.environ["PATH"], "LC_ALL": "C"}
        return subprocess.run(
            [*clean, *shell, *script], cwd=self.base, env=env, capture_output=True, text=True, check=False, timeout=60
        )

    def refused(self, *words: str, path: str = "") -> str:
        done = self.run(*words, path=path)
        assert done.returncode == 1, done.stdout + done.stderr
        assert not self.prefix.exists()
        return done.stderr

    def sign(self, tag: str = TAG) -> None:
        sign(self.base / "keys", self.assets, tag)


def sign(keys: Path, assets: Path, tag: str) -> None:
    sums = assets / "SHA256SUMS"
    for left in assets.glob("SHA256SUMS.*"):
        left.unlink()
    said = f"tag:{tag} sha256:{hashlib.sha256(sums.read_bytes()).hexdigest()}"
    run("minisign", "-S", "-W", "-s", keys / "mini.key", "-m", sums, "-x", assets / "SHA256SUMS.minisig", "-t", said)
    run("ssh-keygen", "-q", "-Y", "sign", "-f", keys / "ssh", "-n", f"{tag}@aiws-bundle", sums)


def run(*words: str | Path) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, (words, done.stderr)


def list_archive(assets: Path) -> None:
    digest = hashlib.sha256((assets / ASSET).read_bytes()).hexdigest()
    (assets / "SHA256SUMS").write_text(f"{digest}  {ASSET}\n{'0' * 64}  litellm-runtime-debian-11-amd64.tar.gz\n")


def pack(assets: Path) -> None:
    with tarfile.open(assets / ASSET, "w:gz") as tar:
        tar.add(assets / TOP, TOP)
    list_archive(assets)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("release")
    keys, assets = base / "keys", base / "assets"
    keys.mkdir()
    archive(assets / TOP, "1.0")
    pack(assets)
    for name in ("mini", "other"):
        run("minisign", "-G", "-W", "-p", keys / f"{name}.pub", "-s", keys / f"{name}.key")
    for name in ("ssh", "stranger"):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", keys / name)
    line = (keys / "ssh.pub").read_text()
    (keys / "allowed_signers").write_text(f'release-1 namespaces="*@aiws-bundle" {line}')
    (keys / "for-mail").write_text(f'release-1 namespaces="mail" {line}')
    (keys / "minisign.openssh").write_text(PublicKey.parse((keys / "mini.pub").read_text().split("\n")[1]).openssh)
    (keys / "ssh.minisign").write_text(PublicKey.parse(line).minisign + "\n")
    (keys / "two.pub").write_text(line + (keys / "stranger.pub").read_text())
    (keys / "none").write_text("no key\n")
    sign(keys, assets, TAG)
    return base


@pytest.fixture
def release(made: Path, tmp_path: Path) -> Release:
    for name in ("keys", "assets"):
        copied(made / name, tmp_path / name)
    return Release(tmp_path)


@pytest.fixture(scope="module")
def without(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """A folder of all the system's programs but some."""

    def path(*names: str) -> str:
        folder = tmp_path_factory.mktemp("bin")
        for place in ("/usr/sbin", "/usr/bin"):
            for program in Path(place).iterdir():
                if program.name not in names and not (folder / program.name).exists():
                    (folder / program.name).symlink_to(program)
        return str(folder)

    return path


KEYS = ("mini.pub", "ssh.pub", "allowed_signers", "minisign.openssh", "ssh.minisign")


@pytest.mark.parametrize("name", KEYS)
def test_what_the_key_signed_is_installed_and_its_release_told(release: Release, name: str) -> None:
    done = release.run("--require-signature", release.key(name), "--tag", TAG)
    assert done.returncode == 0, done.stderr
    assert f"signed by the key, for {TAG}\n{ASSET}: what SHA256SUMS lists, and what is unpacked here\n" in done.stdout
    assert (release.prefix / "bin" / "litellm").exists()


@pytest.mark.parametrize("shell", [("dash",), ("bash",), ("busybox", "sh")], ids=" ".join)
def test_every_shell_checks_it(release: Release, shell: tuple[str, ...]) -> None:
    if shutil.which(shell[0]) is None:
        pytest.skip(f"takes {shell[0]}")
    path = "/usr/sbin:/usr/bin:/sbin:/bin"
    for name in ("ssh.pub", "mini.pub"):
        done = release.run("--require-signature", release.key(name), shell=shell, path=path)
        assert f"signed by the key, for {TAG}" in done.stdout, done.stderr
        done = release.run("--require-signature", release.key("none"), shell=shell, path=path)
        assert "is no Ed25519 public key" in done.stderr


def test_a_tag_may_have_all_that_a_release_is_called_by(release: Release) -> None:
    release.sign("v1/rc+2")
    done = release.run("--require-signature", release.key("ssh.pub"), "--tag", "v1/rc+2")
    assert "SHA256SUMS.sig: signed by the key, for v1/rc+2" in done.stdout, done.stderr


def test_a_key_may_be_given_as_text_and_the_assets_may_be_elsewhere(release: Release) -> None:
    (release.base / "stick").mkdir()
    for path in release.assets.iterdir():
        if path.is_file():
            path.rename(release.base / "stick" / path.name)
    for text in (Path(release.key("mini.pub")).read_text().split("\n")[1], Path(release.key("ssh.pub")).read_text()):
        done = release.run("--require-signature", text, "--assets", "stick")
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("lacking", "key"), [("minisign", "ssh.minisign"), ("ssh-keygen", "minisign.openssh")])
def test_either_program_checks_a_key_of_either_form(
    release: Release, without: Callable[..., str], lacking: str, key: str
) -> None:
    done = release.run("--require-signature", release.key(key), path=without(lacking))
    assert done.returncode == 0, done.stderr


def test_what_is_missing_on_the_host_is_told(release: Release, without: Callable[..., str]) -> None:
    neither = without(*PROGRAMS)
    assert "neither ssh-keygen nor minisign is installed" in release.refused(
        "--require-signature", release.key("mini.pub"), path=neither
    )
    told = release.refused("--require-signature", release.key("allowed_signers"), path=without("ssh-keygen"))
    assert "apt install openssh-client" in told


def flip(name: str, place: int) -> Callable[[Release], object]:
    def work(release: Release) -> None:
        content = bytearray((release.assets / name).read_bytes())
        content[place] ^= 1
        (release.assets / name).write_bytes(content)

    return work


def change_unpacked(release: Release) -> None:
    (release.unpacked / "metadata" / "requirements.txt").write_text("litellm==6.6.6\n")
    relist(release.unpacked)


def repack(release: Release) -> None:
    change_unpacked(release)
    pack(release.assets)


def older(release: Release) -> None:
    """The archive of an older release in place of the new one, with the new one's SHA256SUMS."""
    change_unpacked(release)
    with tarfile.open(release.assets / ASSET, "w:gz") as tar:
        tar.add(release.unpacked, TOP)


def remove(*names: str) -> Callable[[Release], object]:
    def work(release: Release) -> None:
        for name in names:
            (release.assets / name).unlink()

    return work


def sign_for_something_else(release: Release) -> None:
    """A signature over the same file by the same key, for another purpose."""
    (release.assets / "SHA256SUMS.minisig").unlink()
    (release.assets / "SHA256SUMS.sig").unlink()
    run("ssh-keygen", "-q", "-Y", "sign", "-f", release.key("ssh"), "-n", "file", release.assets / "SHA256SUMS")


WRONG: dict[str, tuple[Callable[[Release], object], str, str]] = {
    "SHA256SUMS changed": (flip("SHA256SUMS", -2), "mini.pub", "none of"),
    "SHA256SUMS changed, ssh": (flip("SHA256SUMS", -2), "ssh.pub", "none of"),
    "archive changed": (flip(ASSET, 200), "mini.pub", "is not what SHA256SUMS lists"),
    "unpacked files changed": (change_unpacked, "mini.pub", f"is not what is in {ASSET}"),
    "all made anew, not signed": (repack, "mini.pub", "none of"),
    "all made anew, not signed, ssh": (repack, "ssh.pub", "none of"),
    "another archive below the name": (older, "ssh.pub", "is not what SHA256SUMS lists"),
    "another key": (lambda _: None, "other.pub", "none of"),
    "another key, ssh": (lambda _: None, "stranger.pub", "none of"),
    "a key for something else": (lambda _: None, "for-mail", "none of"),
    "signed for something else": (sign_for_something_else, "ssh.pub", "none of"),
    "no key in the file": (lambda _: None, "none", "is no Ed25519 public key"),
    "two keys": (lambda _: None, "two.pub", "it holds several keys"),
    "no such file": (lambda _: None, "nowhere", "is no Ed25519 public key"),
    "no signature": (remove("SHA256SUMS.sig", "SHA256SUMS.minisig"), "ssh.pub", "holds no signature that"),
    "no SHA256SUMS": (remove("SHA256SUMS"), "ssh.pub", "holds no SHA256SUMS"),
    "no archive": (remove(ASSET), "ssh.pub", f"does not hold {ASSET}"),
}


@pytest.mark.parametrize("name", WRONG)
def test_anything_else_is_refused_before_anything_is_made(release: Release, name: str) -> None:
    spoil, key, told = WRONG[name]
    spoil(release)
    said = release.refused("--require-signature", release.key(key))
    assert told in said
    assert "hint: " in said


@pytest.mark.parametrize("key", ["ssh.pub", "mini.pub"])
@pytest.mark.parametrize("name", ["SHA256SUMS.sig", "SHA256SUMS.minisig"])
def test_no_flipped_byte_of_a_signature_passes(release: Release, name: str, key: str) -> None:
    (release.assets / ({"SHA256SUMS.sig", "SHA256SUMS.minisig"} - {name}).pop()).unlink()
    content = (release.assets / name).read_text()
    parts = re.findall(r"(?m)(?:^[A-Za-z0-9+/=]{20,}\n)+", content)
    assert parts
    for part in parts:
        raw = base64.b64decode(part)
        for place in range(0, len(raw), 7):
            changed = bytearray(raw)
            changed[place] ^= 4
            text = base64.encodebytes(changed) if name.endswith(".sig") else base64.b64encode(changed) + b"\n"
            (release.assets / name).write_text(content.replace(part, text.decode()))
            release.refused("--require-signature", release.key(key))


def test_a_release_that_is_signed_but_not_the_one_asked_for_is_refused(release: Release) -> None:
    for key in ("mini.pub", "ssh.pub"):
        told = release.refused("--require-signature", release.key(key), "--tag", "runtime-000000000000")
        assert f"it is signed for {TAG}, not for runtime-000000000000" in told


def test_one_of_several_signers_is_enough_for_who_asks_for_that_one(release: Release) -> None:
    sums = release.assets / "SHA256SUMS"
    shutil.copy(sums, release.base / "SHA256SUMS")
    words = ("-f", release.key("stranger"), "-n", f"{TAG}@aiws-bundle", release.base / "SHA256SUMS")
    run("ssh-keygen", "-q", "-Y", "sign", *words)
    shutil.move(release.base / "SHA256SUMS.sig", release.assets / "SHA256SUMS.alice.sig")
    done = release.run("--require-signature", release.key("stranger.pub"))
    assert "SHA256SUMS.alice.sig: signed by the key" in done.stdout, done.stderr


def test_options_that_mean_nothing_are_refused(release: Release) -> None:
    assert "go with --require-signature" in release.refused("--assets", "x")
    assert "needs something after it" in release.refused("--require-signature")
    assert "not of what --uninstall does" in release.refused("--require-signature", "x", "--uninstall")
