"""Objects of Git made by hand, the malformed too, in packs and bare repositories; and Git's own server on loopback."""

from __future__ import annotations

import hashlib
import os
import ssl
import struct
import subprocess
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from bundler.adapters.git_pack import Kind, Pack, read_pack
from tests.server import listening

NUMBERS: Mapping[str, int] = {"commit": 1, "tree": 2, "blob": 3, "tag": 4}
WHO = b"A U Thor <a@example.org> 1700000000 +0000"


def entry_head(number: int, size: int) -> bytes:
    """The head of an object in a pack."""
    made = bytearray([number << 4 | size & 15])
    size >>= 4
    while size:
        made[-1] |= 0x80
        made.append(size & 0x7F)
        size >>= 7
    return bytes(made)


def pack_of(entries: Sequence[bytes], *, number: int | None = None, version: int = 2) -> bytes:
    """A pack of entries, with its checksum."""
    made = struct.pack(">4sII", b"PACK", version, len(entries) if number is None else number) + b"".join(entries)
    return made + hashlib.sha1(made).digest()


@dataclass
class Objects:
    """Objects by their names."""

    found: dict[bytes, tuple[Kind, bytes]] = field(default_factory=dict)

    def add(self, kind: Kind, content: bytes) -> bytes:
        """Add an object; return its name."""
        identity = hashlib.sha1(b"%s %d\0" % (kind.encode(), len(content)) + content).digest()
        self.found[identity] = (kind, content)
        return identity

    def blob(self, content: bytes) -> bytes:
        """A file's content."""
        return self.add("blob", content)

    def tree(self, *entries: tuple[str, bytes, bytes]) -> bytes:
        """A tree of mode, name and object, in the order given."""
        return self.add("tree", b"".join(mode.encode() + b" " + name + b"\0" + one for mode, name, one in entries))

    def commit(self, tree: bytes, *parents: bytes) -> str:
        """A commit; its name in hex."""
        lines = [b"tree " + tree.hex().encode(), *(b"parent " + parent.hex().encode() for parent in parents)]
        text = b"\n".join((*lines, b"author " + WHO, b"committer " + WHO, b"", b"a message\n"))
        return self.add("commit", text).hex()

    def entries(self) -> list[bytes]:
        """Their entries in a pack."""
        return [entry_head(NUMBERS[k], len(data)) + zlib.compress(data) for k, data in self.found.values()]

    def pack(self, path: Path) -> Pack:
        """A pack of them, read."""
        path.write_bytes(pack_of(self.entries()))
        return read_pack(path, "demo")

    def repository(self, folder: Path, refs: Mapping[str, str]) -> Path:
        """A bare repository of them, with `refs`: objects by their names in hex."""
        for name in ("objects/pack", "refs"):
            (folder / name).mkdir(parents=True)
        (folder / "HEAD").write_text("ref: refs/heads/main\n")
        (folder / "config").write_text("[core]\n\trepositoryformatversion = 0\n\tbare = true\n")
        pack = self.pack(folder / "objects/pack/pack-1.pack")
        (folder / "objects/pack/pack-1.idx").write_bytes(pack.index())
        for name, identity in refs.items():
            (folder / "refs" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "refs" / name).write_text(f"{identity}\n")
        return folder


def files(objects: Objects, **contents: bytes) -> str:
    """A commit with files of these names."""
    return objects.commit(
        objects.tree(*(("100644", name.encode(), objects.blob(data)) for name, data in sorted(contents.items())))
    )


def git(folder: Path, *words: str, **variables: str) -> str:
    """What the real git says in a folder, with no configuration but `safe.directory`. Fails if it fails."""
    env = {
        "PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C",
        "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.org", "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@example.org", **variables,
    }  # fmt: skip
    done = subprocess.run(["git", *words], cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def git_server(folder: Path, tls: ssl.SSLContext | None = None) -> Iterator[tuple[str, list[str]]]:
    """Git's own server (git-http-backend(1)) for the repositories in a folder: its address, and what it was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self._serve()

        def _serve(self) -> None:
            path, _, query = self.path.partition("?")
            asked.append(f"{self.command} {self.path} {self.headers.get('Authorization', '')}".strip())
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            env = {
                "PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_PROJECT_ROOT": str(folder),
                "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path, "QUERY_STRING": query, "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(body)),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            }  # fmt: skip
            done = subprocess.run(["git", "http-backend"], env=env, input=body, capture_output=True, check=False)
            head, _, content = done.stdout.partition(b"\r\n\r\n")
            headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
            self.send_response(int(headers.pop("Status", "200").split()[0]))
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listener.daemon_threads = True
    if tls:
        listener.socket = tls.wrap_socket(listener.socket, server_side=True)
    with listening(listener):
        yield f"{'https' if tls else 'http'}://127.0.0.1:{listener.server_port}", asked
