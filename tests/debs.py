"""Debian packages of a few hundred bytes, and archives of them: signed as they should be, or as a test wants."""

from __future__ import annotations

import gzip
import hashlib
import io
import lzma
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import zstandard

from tests.server import Reply, Server

PACKERS: Mapping[str, Callable[[bytes], bytes]] = {
    "": lambda data: data,
    ".gz": lambda data: gzip.compress(data, mtime=0),
    ".xz": lzma.compress,
    ".zst": lambda data: zstandard.ZstdCompressor().compress(data),
}


def ar(*members: tuple[str, bytes]) -> bytes:
    """An ar archive as dpkg-deb writes it."""
    whole = b"!<arch>\n"
    for name, content in members:
        whole += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode() + content
        whole += b"\n" * (len(content) % 2)
    return whole


def tar(*members: tuple[str, bytes]) -> bytes:
    """A tar of files."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as made:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            made.addfile(info, io.BytesIO(content))
    return file.getvalue()


def control(name: str, version: str = "1.0", arch: str = "all", **fields: str) -> str:
    """The text of a control file."""
    said = {"Package": name, "Version": version, "Architecture": arch, "Maintainer": "Nobody <nobody@example.org>"}
    said |= {key.replace("_", "-"): value for key, value in fields.items()}
    return "".join(f"{key}: {value}\n" for key, value in said.items()) + "Description: a test\n more of it\n .\n end\n"


def deb(text: str, packing: str = ".xz") -> bytes:
    """A package with this control file."""
    members = tar(("./control", text.encode()), ("./md5sums", b""))
    return ar(
        ("debian-binary", b"2.0\n"),
        (f"control.tar{packing}", PACKERS[packing](members)),
        ("data.tar.xz", lzma.compress(tar())),
    )


def sha256(content: bytes) -> str:
    """The digest in hex."""
    return hashlib.sha256(content).hexdigest()


@dataclass(frozen=True)
class Signer:
    """A throw-away OpenPGP key: where gpg has it, its fingerprint, its public part."""

    home: Path
    fingerprint: str
    public: bytes

    def clearsigned(self, text: str) -> bytes:
        """Text with this key's signature around it."""
        return _gpg(self.home, "--clearsign", "--digest-algo", "SHA256", given=text.encode())


@contextmanager
def signer(name: str = "Test archive") -> Iterator[Signer]:
    """A key in a folder that goes with the context, as does gpg's agent; its socket wants a short path."""
    home = Path(tempfile.mkdtemp(prefix="aiws-gpg-", dir="/tmp"))
    try:
        words = ("--passphrase", "", "--pinentry-mode", "loopback")
        _gpg(home, *words, "--quick-generate-key", f"{name} <test@example.org>", "ed25519", "sign", "never")
        listing = _gpg(home, "--with-colons", "--list-keys").decode()
        fingerprint = next(line.split(":")[9] for line in listing.splitlines() if line.startswith("fpr:"))
        yield Signer(home, fingerprint, _gpg(home, "--export"))
    finally:
        subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False)
        shutil.rmtree(home, ignore_errors=True)


def _gpg(home: Path, *words: str, given: bytes = b"") -> bytes:
    done = subprocess.run(
        ["gpg", "--homedir", str(home), "--batch", "--quiet", *words], input=given, capture_output=True, check=True
    )
    return done.stdout


@dataclass
class DebArchive:
    """An archive on a server, at `root`: a suite with the component main, or a folder if its name ends in a slash."""

    server: Server
    key: Signer
    root: str = "/debian"
    suite: str = "bookworm"
    arch: str = "amd64"
    stanzas: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        """What apt is told."""
        return f"{self.server.address}{self.root}"

    @property
    def flat(self) -> bool:
        """Whether it has no components."""
        return self.suite.endswith("/")

    @property
    def place(self) -> str:
        """Where its Release is."""
        return f"{self.root}/{self.suite}" if self.flat else f"{self.root}/dists/{self.suite}/"

    def add(self, text: str, content: bytes | None = None, *, listed: str = "") -> bytes:
        """Publish a package of this control file; the index says `listed`, the server has `content`."""
        true = deb(text)
        given = dict(line.split(": ", 1) for line in text.splitlines() if line[:1] != " ")
        name = f"{given['Package']}_{given['Version'].rpartition(':')[2]}_{given['Architecture']}.deb"
        path = f"./{name}" if self.flat else f"pool/main/{name}"
        reply = Reply(true if content is None else content)
        shown = path.removeprefix("./").replace("+", "%2b")
        for spelled in (shown, shown.replace("%2b", "%2B")):  # as apt spells it, and as everybody else does
            self.server.script(f"{self.root}/{spelled}", reply)
        self.stanzas.append(f"{listed or text}Filename: {path}\nSize: {len(true)}\nSHA256: {sha256(true)}\n")
        return true

    def publish(
        self,
        *,
        signed: bool = True,
        valid: timedelta = timedelta(days=7),
        suite: str = "",
        served: bytes | None = None,
        packing: str = "",
        key: Signer | None = None,
        extra: Sequence[tuple[str, bytes]] = (),
    ) -> None:
        """Write the index and the Release; `served` is served as the index in the place of what was signed."""
        index = "\n".join(self.stanzas).encode()
        folder = "" if self.flat else f"main/binary-{self.arch}/"
        packed = PACKERS[packing](index)
        files = [(f"{folder}Packages", index), *([(f"{folder}Packages{packing}", packed)] if packing else []), *extra]
        now = datetime.now(UTC)
        name = suite or self.suite
        lines = [
            "Origin: Test",
            f"Suite: {name}",
            f"Codename: {name}",
            f"Date: {_date(now - timedelta(days=30))}",
            f"Valid-Until: {_date(now + valid)}",
            f"Architectures: {self.arch}",
            "Components: main",
            "SHA256:",
            *(f" {sha256(content)} {len(content)} {path}" for path, content in files),
        ]
        release = "\n".join(lines) + "\n"
        if signed:
            self.server.script(f"{self.place}InRelease", Reply((key or self.key).clearsigned(release)))
        else:
            self.server.script(f"{self.place}Release", Reply(release.encode()))
        for path, content in files:
            if not (packing and path.endswith("Packages")):
                self.server.script(f"{self.place}{path}", Reply(content if served is None else served))


def _date(moment: datetime) -> str:
    return moment.strftime("%a, %d %b %Y %H:%M:%S UTC")
