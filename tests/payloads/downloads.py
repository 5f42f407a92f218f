"""What tests of collections share: a session and a network of their own, and contents of an archive that was made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bundler.adapters.http import Http, Mirror
from bundler.model.bundle import Entry, File, Link
from bundler.model.contents import Contents, ListedFile
from bundler.model.target import Target
from bundler.progress import Silent
from bundler.session import Network, Session

HOST = "https://files.test"
AMD64 = Target("debian", "12", "amd64", 36, "3.11.2")
ARM64 = Target("debian", "12", "arm64", 36, "3.11.2")
DARWIN = Target("macos", "11", "arm64", 0, None)


@dataclass
class Told(Silent):
    """Progress that remembers what was said."""

    lines: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        self.lines.append(text)


def session_in(folder: Path, said: Told | None = None) -> Session:
    return Session(None, folder / "cache", {}, said or Told())


@contextmanager
def network_to(address: str = "") -> Iterator[Network]:
    """A network in which `HOST` is the server at `address`."""
    nowhere: Future[str] = Future()
    mirrors = [Mirror(f"{HOST}/", f"{address}/")] if address else []
    with closing(Http(mirrors)) as http:
        yield Network(lambda: http, nowhere.result, lambda: "")


def contents_of(entries: Iterable[Entry]) -> Contents:
    """What reading an archive of these entries gives."""
    files = {}
    for entry in entries:
        if isinstance(entry, File):
            files[entry.path] = ListedFile(entry.path, entry.size, entry.sha256, entry.executable)
        elif isinstance(entry, Link):
            files[entry.path] = ListedFile(entry.path, link=entry.target)
    return Contents("top", files, frozenset(), {}, (), "", 0, {})


def content_of(entry: Entry) -> bytes:
    assert isinstance(entry, File)
    if isinstance(entry.content, bytes):
        return entry.content
    begin = entry.content.offset
    return Path(entry.content.file).read_bytes()[begin : begin + entry.content.length]


def elf(machine: int, rest: bytes = b"") -> bytes:
    """What begins like an ELF program: 62 is x86-64, 183 AArch64."""
    return b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00" + machine.to_bytes(2, "little") + bytes(44) + rest
