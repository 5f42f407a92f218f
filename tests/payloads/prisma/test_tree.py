"""The Prisma CLI and engines in an archive: as npm would install them, and nothing that leads elsewhere."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from bundler.adapters.archive import SourceChangedError
from bundler.errors import IntegrityError
from bundler.model.bundle import File, Slice
from bundler.payloads.prisma.pins import LockedDatabase
from bundler.payloads.prisma.tree import take_prisma
from tests.payloads.prisma.test_pins import CLI, DEBUG, PINS

Member = bytes | tuple[str, str]
GOOD_CLI: Mapping[str, Member] = {"package/package.json": b'{"name":"prisma"}', "package/build/index.js": b"cli"}
GOOD_DEBUG: Mapping[str, Member] = {"debug/lib/x.js": b"debug", "debug/bin/run": b"#!"}


def tgz(members: Mapping[str, Member]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for path, content in members.items():
            info = tarfile.TarInfo(path)
            info.mode = 0o755 if "/bin/" in path else 0o644
            if isinstance(content, tuple):
                info.type, info.linkname = (tarfile.SYMTYPE if content[0] == "link" else tarfile.LNKTYPE), content[1]
                tar.addfile(info)
            else:
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


class Shelf:
    """Files by digest, and pins that name them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.spool = folder / "spool"

    def put(self, content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        self.path(digest).write_bytes(content)
        return digest

    def path(self, sha256: str) -> Path:
        return self.folder / sha256

    def pins(
        self,
        cli: Mapping[str, Member] = GOOD_CLI,
        debug: Mapping[str, Member] = GOOD_DEBUG,
        engine: bytes = gzip.compress(b"engine"),
    ) -> LockedDatabase:
        return replace(
            PINS,
            engines=tuple(replace(one, sha256=self.put(engine)) for one in PINS.engines),
            npm=(replace(DEBUG, sha256=self.put(tgz(debug))), replace(CLI, sha256=self.put(tgz(cli)))),
        )

    def take(self, pins: LockedDatabase) -> dict[str, File]:
        with self.spool.open("wb") as spool:
            entries = take_prisma(pins, self.path, spool)
        return {entry.path: entry for entry in entries if isinstance(entry, File)}

    def content(self, file: File) -> bytes:
        if isinstance(file.content, Slice):
            data = Path(file.content.file).read_bytes()
            return data[file.content.offset : file.content.offset + file.content.length]
        return file.content


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def test_everything_stands_where_prisma_client_py_looks_for_it(shelf: Shelf) -> None:
    files = shelf.take(shelf.pins())
    found = {path: (shelf.content(file), file.executable) for path, file in files.items()}
    project = found.pop("packages/prisma/cli/package.json")
    assert json.loads(project[0])["private"] is True
    assert found == {
        "packages/prisma/cli/node_modules/@x/debug/lib/x.js": (b"debug", False),
        "packages/prisma/cli/node_modules/@x/debug/bin/run": (b"#!", True),
        "packages/prisma/cli/node_modules/prisma/package.json": (b'{"name":"prisma"}', False),
        "packages/prisma/cli/node_modules/prisma/build/index.js": (b"cli", False),
        "packages/prisma/engines/query-engine": (b"engine", True),
        "packages/prisma/engines/schema-engine": (b"engine", True),
    }
    for file in files.values():
        assert file.sha256 == hashlib.sha256(shelf.content(file)).hexdigest()
        assert file.size == len(shelf.content(file))


@pytest.mark.parametrize(
    ("debug", "reason"),
    [
        ({"package/../../evil": b""}, "climbs"),
        ({"/etc/evil": b""}, "absolute"),
        ({"package/evil": ("link", "/etc/passwd")}, "no file below"),
        ({"package/a": b"", "package/evil": ("hard", "package/a")}, "no file below"),
        ({"evil": b""}, "no file below"),
        ({"package/a.js": b"", "package/A.js": b""}, "differ only in case"),
        ({"package/a.js": b"", "other/a.js": b""}, "there twice"),
        ({"package/a.js": b"", "package/a.js/b": b""}, "no folder"),
    ],
)
def test_an_unsafe_package_is_refused(debug: Mapping[str, Member], reason: str, shelf: Shelf) -> None:
    with pytest.raises(IntegrityError, match=reason) as caught:
        shelf.take(shelf.pins(debug=debug))
    assert "npm package @x/debug 1.0.0" in caught.value.message


def test_a_package_inside_another_may_not_replace_its_files(shelf: Shelf) -> None:
    inner = {"package/node_modules/inner/x.js": b"1"}
    pins = shelf.pins(cli={**GOOD_CLI, **inner})
    nested = replace(DEBUG, at="node_modules/prisma/node_modules/inner", sha256=shelf.put(tgz({"package/x.js": b"2"})))
    with pytest.raises(IntegrityError, match="there twice"):
        shelf.take(replace(pins, npm=(*pins.npm, nested)))


def test_packages_that_make_no_cli_are_refused(shelf: Shelf) -> None:
    with pytest.raises(IntegrityError, match=r"prisma 5\.17\.0 has no build/index\.js"):
        shelf.take(shelf.pins(cli={"package/package.json": b"{}"}))


@pytest.mark.parametrize("engine", [b"not gzip", gzip.compress(b"x" * 1000, mtime=0)[:-4]])
def test_a_broken_engine_is_refused(engine: bytes, shelf: Shelf) -> None:
    with pytest.raises(IntegrityError, match="Prisma's query-engine: not a whole gzip file"):
        shelf.take(shelf.pins(engine=engine))


@pytest.mark.parametrize("which", [0, 1])
def test_a_copy_that_went_bad_on_disk_is_noticed(which: int, shelf: Shelf) -> None:
    pins = shelf.pins()
    damaged = pins.npm[0].sha256 if which else pins.engines[0].sha256
    shelf.path(damaged).write_bytes(b"rust")
    with pytest.raises(SourceChangedError) as caught:
        shelf.take(pins)
    assert caught.value.sha256 == damaged
