"""A small world of its own: an index on loopback with tiny wheels, manifests and locks, and the real command line."""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import http.server
import io
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any
from unittest import mock

from bundler import cli
from tests import json_documents
from tests.prisma_client import client
from tests.server import listening

TARGETS = """\
distros:
  debian:
    "12": {glibc: "2.36", python: 3.11.2}
    "13": {glibc: "2.41", python: 3.13.5}
arches: [amd64, arm64]
"""
WHEELHOUSE = """\
kind: wheelhouse
component: litellm
repository: example/litellm
asset: litellm-runtime-{distro}-{version}-{arch}.tar.gz
requirement: litellm[proxy]==1.0
extra-requirements: [prisma]
bootstrap: [pip>=25.1]
"""
PYTHON = """\
version: 3.13.5
tag: "1"
pins: {}
"""


def make_wheel(
    folder: Path,
    name: str,
    version: str,
    requires: Sequence[str] = (),
    *,
    tag: str = "py3-none-any",
    requires_python: str = "",
    payload: bytes = b"",
    module: str = "",
    script: str = "",
    deflated: bool = False,
    more: Mapping[str, bytes] = MappingProxyType({}),
) -> Path:
    """Write a real, installable wheel; `module` is its code, and its function `script` becomes a program.

    `more` are further files, by path.
    """
    file, info = name.replace("-", "_"), f"{name.replace('-', '_')}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += f"Requires-Python: {requires_python}\n" if requires_python else ""
    metadata += "".join(f"Requires-Dist: {text}\n" for text in requires) + "Provides-Extra: proxy\n"
    files = {
        f"{file}.py": module.encode(),
        f"{file}_data.bin": payload,
        f"{info}/METADATA": metadata.encode(),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: {tag}\n".encode(),
        **more,
    }
    if script:
        files[f"{info}/entry_points.txt"] = f"[console_scripts]\n{name} = {file}:{script}\n".encode()
    record = ""
    for path, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(content)}\n"
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"{file}-{version}-{tag}.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, content in {**files, f"{info}/RECORD": f"{record}{info}/RECORD,,\n".encode()}.items():
            member = zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0))
            archive.writestr(member, content, zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED)
    return wheel


def metadata_of(wheel: Path) -> bytes:
    """The METADATA file inside a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(next(name for name in archive.namelist() if name.endswith("/METADATA")))


@dataclass
class Index:
    """The wheels of a folder as a simple index (PEP 691, PEP 700), filed as the public index files them.

    Metadata apart from a wheel is for clients whose name holds `metadata_for`. `facts` are what the page tells
    otherwise of a file, by its name, None being not told; `pages` what else is served, by path.
    """

    folder: Path
    address: str
    requests: list[str] = field(default_factory=list)
    yanked: set[str] = field(default_factory=set)
    metadata_for: str = ""
    facts: dict[str, dict[str, object]] = field(default_factory=dict)
    pages: dict[str, bytes] = field(default_factory=dict)

    def hint(self, wheel: Path) -> str:
        digest = hashlib.blake2b(wheel.read_bytes(), digest_size=32).hexdigest()
        return f"packages/{digest[:2]}/{digest[2:4]}/{digest[4:]}"

    def _told(self, wheel: Path) -> dict[str, object]:
        """What the page tells of a wheel only if there is something to tell."""
        told: dict[str, object] = {"yanked": "withdrawn"} if wheel.name in self.yanked else {}
        told["core-metadata"] = {"sha256": hashlib.sha256(metadata_of(wheel)).hexdigest()}
        lines = metadata_of(wheel).decode().splitlines()
        python = next((line.partition(": ")[2] for line in lines if line.startswith("Requires-Python: ")), "")
        return told | ({"requires-python": python} if python else {}) | self.facts.get(wheel.name, {})

    def page(self, project: str) -> bytes | None:
        wheels = [w for w in sorted(self.folder.glob("*.whl")) if w.name.split("-")[0].replace("_", "-") == project]
        files = [
            {
                "filename": wheel.name,
                "url": f"../../{self.hint(wheel)}/{wheel.name}",
                "hashes": {"sha256": hashlib.sha256(wheel.read_bytes()).hexdigest()},
                "size": wheel.stat().st_size,
                "upload-time": "2026-01-01T00:00:00Z",
                **self._told(wheel),
            }
            for wheel in wheels
        ]
        files = [{key: value for key, value in file.items() if value is not None} for file in files]
        versions = sorted({wheel.name.split("-")[1] for wheel in wheels})
        page = {"meta": {"api-version": "1.1"}, "name": project, "files": files, "versions": versions}
        return json.dumps(page).encode() if files else None


@contextmanager
def serve(folder: Path) -> Iterator[Index]:
    """Serve the wheels in `folder` on loopback."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else each answer waits 40 ms for the head's acknowledgement

        def do_GET(self) -> None:
            index.requests.append(self.path)
            parts = self.path.strip("/").split("/")
            content: bytes | None = None
            if self.path in index.pages:
                content, kind = index.pages[self.path], "application/json"
            elif parts[0] == "simple":
                content, kind = index.page(parts[1]), "application/vnd.pypi.simple.v1+json"
            else:
                wheel, kind = index.folder / parts[-1].removesuffix(".metadata"), "application/octet-stream"
                if wheel.is_file() and self.path.removesuffix(".metadata") == f"/{index.hint(wheel)}/{wheel.name}":
                    beside = self.path.endswith(".metadata")
                    content = metadata_of(wheel) if beside else wheel.read_bytes()
                    if beside and index.metadata_for not in (self.headers["User-Agent"] or ""):
                        content = None
            self.send_response(200 if content is not None else 404)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    index = Index(folder, f"http://127.0.0.1:{server.server_port}/simple/")
    with listening(server):
        yield index


@dataclass(frozen=True)
class Ran:
    """A finished run of the command line."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class World:
    """A checkout in miniature, its index and its cache."""

    root: Path
    index: Index

    @property
    def dist(self) -> Path:
        return self.root / "dist"

    def env(self, **more: str) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "UV_", "AIWS_", "GITHUB_", "PYTHON"))}
        ours = {
            "PIP_INDEX_URL": self.index.address,
            "AIWS_CACHE_DIR": str(self.root / "cache"),
            "UV_CACHE_DIR": str(self.root / "uv-cache"),
            "NO_PROXY": "127.0.0.1",
        }
        return {**kept, **ours, **more}

    def write(self, name: str, text: str) -> Path:
        path = self.root / "manifests" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def run(self, *words: str, **env: str) -> Ran:
        """Run the command line in this process, which is much quicker than a process of its own."""
        out, err = io.StringIO(), io.StringIO()
        with (
            contextlib.chdir(self.root),
            mock.patch.dict(os.environ, self.env(**env), clear=True),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            code = cli.run(list(words))
        json_documents.hold(words, out.getvalue())
        return Ran(code, out.getvalue(), err.getvalue())

    def run_process(self, *words: str, **env: str) -> Ran:
        """Run the command line as people do."""
        argv = [sys.executable, "-m", "bundler", *words]
        done = subprocess.run(argv, cwd=self.root, env=self.env(**env), capture_output=True, text=True, check=False)
        assert "Traceback" not in done.stderr, done.stderr
        json_documents.hold(words, done.stdout)
        return Ran(done.returncode, done.stdout, done.stderr)


def stock(folder: Path) -> None:
    """Write the wheels that the world's manifests lead to, and some that they do not."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in _stock().items():
        (folder / name).write_bytes(content)


@functools.cache
def _stock() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as name:
        _make_stock(Path(name))
        return {wheel.name: wheel.read_bytes() for wheel in Path(name).iterdir()}


def _make_stock(folder: Path) -> None:
    make_wheel(folder, "litellm", "1.0", ["orjson>=3; extra == 'proxy'", "aiohttp"])
    make_wheel(folder, "litellm", "1.1", ["orjson>=3; extra == 'proxy'", "aiohttp"])
    for python in ("cp311", "cp313"):
        for machine in ("x86_64", "aarch64"):
            tag = f"{python}-{python}-manylinux_2_17_{machine}"
            make_wheel(folder, "orjson", "3.1", tag=tag, payload=tag.encode() * 1000)
    make_wheel(folder, "aiohttp", "3.0", ["async-timeout; python_full_version < '3.11.3'"])
    make_wheel(folder, "async-timeout", "5.0")
    make_wheel(folder, "prisma", "0.15.0", more=client("5.17.0", "c" * 40))
    make_wheel(folder, "pip", "26.0")


# What uv found out of this Python, by its place in uv's cache: it is the same in every world.
_FOUND_OUT: dict[Path, bytes] = {}


def _remember(cache: Path) -> None:
    if not _FOUND_OUT:
        known = (path for path in cache.glob("interpreter-*/**/*") if path.is_file())
        _FOUND_OUT.update((path.relative_to(cache), path.read_bytes()) for path in known)


def _remind(cache: Path) -> None:
    for place, content in _FOUND_OUT.items():
        (cache / place).parent.mkdir(parents=True, exist_ok=True)
        (cache / place).write_bytes(content)


@contextmanager
def world(root: Path) -> Iterator[World]:
    """Make a world in `root`, not locked yet."""
    stock(root / "wheels")
    _remind(root / "uv-cache")
    with serve(root / "wheels") as index:
        made = World(root, index)
        made.write("targets.yaml", TARGETS)
        made.write("litellm.yaml", WHEELHOUSE)
        made.write("python.yaml", PYTHON)
        yield made
    _remember(root / "uv-cache")
