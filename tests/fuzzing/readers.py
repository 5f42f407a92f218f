"""Everything that reads untrusted bytes, each with seeds: the one list that the fuzzing tests go through."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bundler.adapters.github_answer import checked
from bundler.adapters.http import Answer
from bundler.adapters.simple_page import read_page
from bundler.adapters.source_archive import unpack_source
from bundler.code.macho import is_macho, read_macho
from bundler.kinds import runtime_env
from bundler.kinds.manifests import Manifests
from bundler.kinds.prebuilt import component_manifest
from bundler.kinds.prebuilt.asset_lock import AssetLock
from bundler.kinds.prebuilt.examine import judge
from bundler.kinds.wheelhouse.build_lock import BuildLock
from bundler.kinds.wheelhouse.examine import examine
from bundler.kinds.wheelhouse.lock import Lock
from bundler.kinds.wheelhouse.members import archive_manifest
from bundler.model.closure import prove
from bundler.model.interpreter import Interpreter
from bundler.model.metadata import parse_metadata, read_wheel
from bundler.model.release import Release, read_json
from bundler.release.record import Verification, parse
from bundler.sidecars import channel, parts, sums
from tests.kinds.prebuilt.test_asset_lock import LOCK as ASSET_LOCK
from tests.kinds.wheelhouse.test_build_lock import LOCK as BUILD_LOCK
from tests.mach_o import fat, thin
from tests.sources import tar_of, zip_of
from tests.world import PYTHON, TARGETS, WHEELHOUSE, make_wheel, world

ROOT = Path(__file__).parent.parent.parent
_WHEEL = "demo-1.0-py3-none-any.whl"
_ARCHIVE = "litellm-runtime-debian-12-amd64.tar.gz"


@dataclass(frozen=True)
class Reader:
    """A reader of bytes that nobody vouches for.

    `read` raises BundleError for what it refuses, or ValueError where its caller turns that into one. `seeds` are good,
    `words` are of the format, `examples` is how many a second or so tries.
    """

    read: Callable[[bytes], object]
    seeds: Callable[[], tuple[bytes, ...]]
    words: tuple[bytes, ...] = ()
    examples: int = 300
    refuses: tuple[type[Exception], ...] = ()


def _code(content: bytes) -> object:
    return read_macho(lambda at, size: content[at : at + size], len(content)) if is_macho(content) else None


def _on_disk(read: Callable[[Path], object], name: str) -> Callable[[bytes], object]:
    def on_disk(content: bytes) -> object:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, name)
            path.write_bytes(content)
            return read(path)

    return on_disk


def _packed(read: Callable[[bytes], object]) -> Callable[[bytes], object]:
    """For seeds that are tars: a changed byte of a gzip file is found by its CRC, and nothing behind that is tried."""
    return lambda content: read(gzip.compress(content, 1, mtime=0))


@cache
def _bundle() -> bytes:
    """A small archive of ours that verifies."""
    with tempfile.TemporaryDirectory() as folder, world(Path(folder)) as made:
        for words in (("lock", "debian-12-amd64"), ("build", "debian-12-amd64")):
            done = made.run(*words)
            assert done.code == 0, done.err
        return (made.root / "dist" / _ARCHIVE).read_bytes()


@cache
def _component() -> bytes:
    out = io.BytesIO()
    manifest = b'{"component": "demo", "commit": "%s", "os": "linux", "arch": "amd64", "binary": "bin/demo"}' % (
        b"a" * 40
    )
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, content in {
            "manifest.json": manifest,
            "bin/demo": b"#!/bin/sh\n",
            "d" * 90 + "/" + "e" * 90: b"x",
        }.items():
            info = tarfile.TarInfo(f"demo/{name}")
            info.size, info.mode = len(content), 0o755
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


@cache
def _wheel() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return make_wheel(Path(folder), "demo", "1.0", ["litellm>=1; extra == 'proxy'", "aiohttp"]).read_bytes()


def _component_of(path: Path) -> object:
    return judge(path, path.name)


def _unpack(path: Path) -> object:
    out = path.with_name("out")
    out.mkdir()
    return unpack_source(path, "the source", out)


def _manifests(name: str) -> Callable[[bytes], object]:
    texts = {"targets.yaml": TARGETS, "litellm.yaml": WHEELHOUSE, "python.yaml": PYTHON}
    return lambda content: Manifests.parse({**texts, name: content.decode("utf-8", "replace")})


def _committed(*patterns: str) -> Callable[[], tuple[bytes, ...]]:
    return lambda: tuple(path.read_bytes()[:6000] for pattern in patterns for path in sorted(ROOT.glob(pattern))[:3])


def _locked(content: bytes) -> object:
    return Lock.parse(content.decode("utf-8", "replace"), "pylock.toml")


def _proven(content: bytes) -> object:
    """Metadata as text, a wheel a paragraph: what the closure proof makes of it."""
    wheel = parse_metadata(b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n" + content, _WHEEL)
    return prove(("demo[proxy]==1.0",), (wheel,), Interpreter("3.11.2", "linux-amd64", 36))


def _api(content: bytes) -> object:
    checked(Answer(422, {}, content), "GET /x") if content[:1] == b"{" else None
    return read_json(Release, content, "here")


_LOCK = b"""\
lock-version = "1.0"
created-by = "aiws-bundle"
[[packages]]
name = "demo"
version = "1.0"
[[packages.wheels]]
name = "demo-1.0-py3-none-any.whl"
path = "demo-1.0-py3-none-any.whl"
size = 10
[packages.wheels.hashes]
sha256 = "%s"
""" % (b"0" * 64)
_RELEASE = json.dumps(
    {
        "id": 1,
        "tag_name": "runtime-3ad385a8a469",
        "name": "x",
        "body": "y",
        "draft": False,
        "prerelease": False,
        "immutable": False,
        "target_commitish": "main",
        "created_at": "2026-01-01T00:00:00Z",
        "published_at": None,
        "html_url": "https://github.com/a/b",
        "upload_url": "https://uploads.github.com/x{?name,label}",
        "url": "https://api.github.com/x",
        "assets": [
            {
                "id": 1,
                "name": "a.tar.gz",
                "size": 5,
                "state": "uploaded",
                "digest": "sha256:00",
                "url": "https://api.github.com/x",
                "browser_download_url": "https://x/y",
            }
        ],
    }
).encode()
_JSON_PAGE = json.dumps(
    {
        "meta": {"api-version": "1.1"},
        "name": "demo",
        "versions": ["1.0"],
        "files": [
            {
                "filename": _WHEEL,
                "url": f"../../packages/{_WHEEL}",
                "hashes": {"sha256": "0" * 64},
                "size": 5,
                "upload-time": "2026-01-01T00:00:00Z",
                "core-metadata": {"sha256": "0" * 64},
                "yanked": False,
                "requires-python": ">=3.9",
            }
        ],
    }
).encode()
_HTML_PAGE = b"""\
<!DOCTYPE html><html><head><meta name="pypi:repository-version" content="1.1"><base href="/x/"></head><body>
<a href="../demo-1.0-py3-none-any.whl#sha256=00" data-requires-python="&gt;=3.9" data-yanked="">
demo-1.0-py3-none-any.whl</a><br/></body></html>"""
_ENV = b"""\
LITELLM_PACKAGE_SPEC=litellm[proxy]==1.89.0
export LITELLM_LOCAL_MODEL_COST_MAP=True
export ANSIBLE_BECOME_FLAGS=-HSnE
"""
_NEEDS = b"""Requires-Python: >=3.9,<3.14
Requires-Dist: aiohttp (>=3,<4) ; (python_full_version < "3.11.3" and extra == "proxy") or os_name != "nt"
Requires-Dist: orjson[x,y]~=3.1; platform_machine in "x86_64 aarch64"
Provides-Extra: proxy
"""

READERS: Mapping[str, Reader] = {
    "archive": Reader(
        _packed(_on_disk(examine, _ARCHIVE)),
        lambda: (gzip.decompress(_bundle()),),
        (b"0000644\0", b"./", b"x/"),
        60,
    ),
    "archive-gzip": Reader(_on_disk(examine, _ARCHIVE), lambda: (_bundle(),), (b"\x1f\x8b\x08\x1c",), 60),
    "component": Reader(
        _packed(_on_disk(_component_of, "demo-linux-amd64.tar.gz")),
        lambda: (_component(),),
        (b"L", b"K", b"x", b"g"),
        150,
    ),
    "source-tar": Reader(
        _packed(_on_disk(_unpack, "source")),
        lambda: (gzip.decompress(tar_of({"pyproject.toml": "", "a/b.py": "x"})),),
        (),
        150,
    ),
    "source-zip": Reader(
        _on_disk(_unpack, "source"), lambda: (zip_of({"pyproject.toml": "", "a/b.py": "x"}),), (), 150
    ),
    "wheel": Reader(
        lambda content: read_wheel(io.BytesIO(content), _WHEEL),
        lambda: (_wheel(),),
        (b"demo-1.0.dist-info/RECORD", b"../x"),
        200,
    ),
    "mach-o": Reader(
        _code,
        lambda: (thin(), fat(thin(cpu="amd64"), thin(), wide=True)),
        (b"\xfa\xde\x0c\x02", b"\xca\xfe\xba\xbe", b"\xff\xff\xff\xff"),
    ),
    "metadata": Reader(
        _proven, lambda: (_NEEDS,), (b"Requires-Dist: ", b"extra == ", b" and ", b"[", b"==1.*", b"==="), 300
    ),
    "lock": Reader(
        _locked, lambda: (_LOCK, *_committed("manifests/locks/pylock.*.toml")()), (b"[[packages]]", b"[tool.x]"), 150
    ),
    "asset-lock": Reader(
        lambda content: AssetLock.parse(content.decode("utf-8", "replace"), "assets.toml"),
        lambda: (ASSET_LOCK.render().encode(),),
        (b"[[assets]]",),
    ),
    "build-lock": Reader(
        lambda content: BuildLock.parse(content.decode("utf-8", "replace"), "pylock.toml"),
        lambda: (BUILD_LOCK.render().encode(),),
        (b"[tool.aiws-bundle]",),
    ),
    "manifest": Reader(
        _manifests("litellm.yaml"), _committed("manifests/litellm.yaml"), (b"kind: ", b"- ", b"overrides:"), 100
    ),
    "targets": Reader(_manifests("targets.yaml"), _committed("manifests/targets.yaml"), (b"glibc: ", b"arches:"), 100),
    "python": Reader(_manifests("python.yaml"), _committed("manifests/python.yaml"), (b"pins:",), 100),
    "component-manifest": Reader(
        _manifests("qmd.yaml"), _committed("manifests/qmd.yaml", "manifests/console.yaml"), (), 100
    ),
    "json-page": Reader(
        lambda content: read_page(content, "application/vnd.pypi.simple.v1+json", "https://a.test/simple/demo/"),
        lambda: (_JSON_PAGE,),
        (b"file:///", b"-1"),
        refuses=(ValueError,),
    ),
    "html-page": Reader(
        lambda content: read_page(content, "text/html", "https://a.test/simple/demo/"),
        lambda: (_HTML_PAGE,),
        (b"<a href=", b"<base href=", b"&#0;", b"<![CDATA["),
        refuses=(ValueError,),
    ),
    "api": Reader(
        _api, lambda: (_RELEASE, b'{"message": "no", "errors": [{"code": "already_exists", "field": "tag_name"}]}')
    ),
    "sha256sums": Reader(lambda c: sums.parse(c.decode("utf-8", "replace")), lambda: (b"0" * 64 + b"  a.tar.gz\n",)),
    "runtime.env": Reader(
        lambda c: runtime_env.parse(c, "litellm"), lambda: (_ENV,), (b"export PATH=", b"$(id)", b"`id`", b";")
    ),
    "manifest.json": Reader(archive_manifest.parse, lambda: (_manifest_json(),)),
    "their manifest.json": Reader(
        component_manifest.parse, lambda: (b'{"component": "demo", "os": "linux", "arch": "amd64"}',)
    ),
    "channel.json": Reader(
        channel.parse, lambda: (b'{"schema_version": 1, "tag": "runtime-3ad385a8a469", "assets": []}',)
    ),
    "parts": Reader(lambda c: parts.parse(c, "a.tar.gz"), lambda: (b"a.tar.gz.part-000\na.tar.gz.part-001\n",)),
    "verification": Reader(
        lambda c: parse(Verification, c, "here"), lambda: (b'{"ok": true, "archives": [], "releases": []}',)
    ),
}


def _manifest_json() -> bytes:
    with tarfile.open(fileobj=io.BytesIO(_bundle()), mode="r:gz") as tar:
        file = tar.extractfile(next(name for name in tar.getnames() if name.endswith("/manifest.json")))
        assert file is not None
        return file.read()
