"""Keys, a trust.yaml that names them, and what an offline host has of a release."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bundler.model import openssh_key
from bundler.model.ed25519 import Ed25519Signer
from tests.cli.releasing import REPO, Releasing
from tests.world import Ran

MAKER, ALICE, BOB, STRANGER = (Ed25519Signer(bytes([number]) * 32) for number in (1, 2, 3, 4))
_NAMES = {"maker": (MAKER, "release"), "alice": (ALICE, "rebuilder"), "bob": (BOB, "rebuilder")}


def text_of(signer: Ed25519Signer) -> str:
    """A private key as OpenSSH keeps it, without a password."""
    return openssh_key.compose(signer, b"").decode()


def trust_of(*names: str, require: str = "", **more: str) -> str:
    """A trust.yaml with keys of these names; `more` are further lines of a key, by its name."""
    lines = ["keys:"]
    for name in names:
        signer, role = _NAMES[name]
        key = signer.public.minisign if name == "maker" else signer.public.openssh
        lines += [f"  - name: {name}", f"    key: {key}", f"    role: {role}"]
        lines += [f"    {more[name]}"] if name in more else []
    return "\n".join([*lines, *([f"require: {require}"] if require else [])]) + "\n"


@dataclass
class Signing:
    """A checkout with a filled dist/, the server that takes it, and a trust.yaml that names a key for releases."""

    releasing: Releasing

    @property
    def root(self) -> Path:
        return self.releasing.world.root

    @property
    def tag(self) -> str:
        return self.releasing.tag

    def trust(self, *names: str, require: str = "", **more: str) -> None:
        self.releasing.world.write("trust.yaml", trust_of(*names, require=require, **more))

    def run(self, *words: str, signer: Ed25519Signer | None = None) -> Ran:
        key = {"AIWS_SIGNING_KEY": text_of(signer)} if signer else {}
        return self.releasing.world.run(*words, **self.releasing.env(), **key)

    def publish(self, *words: str, signer: Ed25519Signer | None = MAKER) -> Ran:
        return self.run("publish", "dist", "--repo", REPO, "--tag", self.tag, *words, signer=signer)

    def download(self, tag: str = "", name: str = "downloaded") -> Path:
        """A folder with the assets of a published release."""
        folder = self.root / name
        folder.mkdir()
        for asset in self.releasing.release(tag or self.tag).assets.values():
            shutil.copy(asset.path, folder / asset.name)
        return folder

    def verify(self, *words: str) -> Ran:
        return self.run("--json", "verify", *words)


def findings(ran: Ran) -> Sequence[str]:
    """What verify found wrong, of folders and releases."""
    told = ran.json()
    return [*told["folders"], *(one for release in told["releases"] for one in release["findings"])]
