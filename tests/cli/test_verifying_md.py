"""The commands of docs/verifying.md, run as they stand there, on a release that the real command line signed."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.signing import MAKER, STRANGER, Signing

ROOT = Path(__file__).parents[2]
PROGRAMS = ("minisign", "ssh-keygen", "sha256sum", "tar", "jq")
pytestmark = [
    pytest.mark.slow,
    *(pytest.mark.skipif(shutil.which(name) is None, reason=f"takes {name}") for name in PROGRAMS),
]
TEXT = (ROOT / "docs" / "verifying.md").read_text(encoding="utf-8")
BLOCKS: list[str] = re.findall(r"^```sh\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
SETTINGS = re.findall(
    r"^([A-Z]+)=", re.findall(r"^```sh settings\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)[0], re.M
)
ARCHIVE = "litellm-runtime-debian-12-amd64.tar.gz"


@dataclass(frozen=True)
class Stick:
    """The assets of a release, and the keys of who looks at them."""

    assets: Path
    settings: dict[str, str]

    def run(self, *blocks: str) -> subprocess.CompletedProcess[str]:
        told = "".join(f"{name}={shlex.quote(self.settings[name])}\n" for name in SETTINGS)
        words = ["sh", "-euc", told + "\n".join(blocks)]
        return subprocess.run(words, cwd=self.assets, capture_output=True, text=True, check=False, timeout=120)


def block_with(*words: str) -> str:
    """The one block of the document with these words."""
    (found,) = [block for block in BLOCKS if all(word in block for word in words)]
    return found


@pytest.fixture
def stick(signed: Signing, tmp_path: Path) -> Stick:
    assets = signed.download()
    old = tmp_path / "old"
    old.mkdir()
    sbom = (assets / f"{ARCHIVE}.cdx.json").read_text()
    assert "aiohttp@3.0" in sbom
    (old / f"{ARCHIVE}.cdx.json").write_text(sbom.replace("aiohttp@3.0", "aiohttp@2.9"))
    keys = tmp_path / "keys"
    keys.mkdir()
    (keys / "minisign.pub").write_text(f"untrusted comment: by letter\n{MAKER.public.minisign}\n")
    (keys / "allowed_signers").write_text(f'maker namespaces="*@aiws-bundle" {MAKER.public.openssh}\n')
    settings = {"TAG": signed.tag, "ARCHIVE": ARCHIVE, "KEYS": str(keys), "OLD": str(old)}
    return Stick(assets, settings)


def test_every_command_does_what_is_said(stick: Stick) -> None:
    done = stick.run(*BLOCKS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Trusted comment: tag:{stick.settings['TAG']} commit:" in done.stdout
    assert 'Good "' in done.stdout
    assert f"{ARCHIVE}: OK" in done.stdout
    assert "pkg:pypi/litellm@1.0" in done.stdout
    assert "< pkg:pypi/aiohttp@2.9" in done.stdout
    assert "> pkg:pypi/aiohttp@3.0" in done.stdout


def test_every_block_is_run(stick: Stick) -> None:
    assert len(BLOCKS) >= 9
    assert list(stick.settings) == SETTINGS
    assert len(re.findall(r"^```sh", TEXT, re.MULTILINE)) == len(BLOCKS) + 1


def test_what_is_damaged_is_noticed_by_each_step(stick: Stick) -> None:
    minisign, ssh = block_with("minisign -V"), block_with("-Y verify")
    whole, one = block_with("--ignore-missing"), block_with("sha256sum -c -", "grep")
    archive, sums = stick.assets / ARCHIVE, stick.assets / "SHA256SUMS"
    good = archive.read_bytes()
    archive.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    assert [stick.run(block).returncode == 0 for block in (minisign, ssh, whole, one)] == [True, True, False, False]
    archive.write_bytes(good)
    sums.write_text(sums.read_text().replace("0", "1", 1))
    assert [stick.run(block).returncode == 0 for block in (minisign, ssh)] == [False, False]


def test_another_tag_and_another_key_are_noticed(stick: Stick) -> None:
    keys = Path(stick.settings["KEYS"])
    minisign, ssh = block_with("minisign -V"), block_with("-Y verify")
    other = Stick(stick.assets, {**stick.settings, "TAG": "runtime-000000000000"})
    assert other.run(ssh).returncode != 0
    (keys / "minisign.pub").write_text(f"untrusted comment: x\n{STRANGER.public.minisign}\n")
    (keys / "allowed_signers").write_text(f'maker namespaces="*@aiws-bundle" {STRANGER.public.openssh}\n')
    assert [stick.run(block).returncode == 0 for block in (minisign, ssh)] == [False, False]


def test_an_unpacked_tree_that_changed_is_noticed(stick: Stick) -> None:
    unpack = block_with("tar -xzf")
    top = block_with("TOP=")
    assert stick.run(top, unpack).returncode == 0
    (stick.assets / "litellm-runtime" / "metadata" / "runtime.env").write_text("changed\n")
    assert stick.run(top, unpack.partition("\n")[2]).returncode != 0
