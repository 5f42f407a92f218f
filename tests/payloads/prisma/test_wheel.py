"""The wheel of database support: what it is made of, and that nothing in it leads elsewhere."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from bundler.adapters.archive import SourceChangedError
from bundler.errors import IntegrityError, LockError
from bundler.model.metadata import read_wheel
from bundler.payloads.prisma.choice import NODE_WHEEL
from bundler.payloads.prisma.notice import notice
from bundler.payloads.prisma.pins import REVISION, LockedClient, LockedDatabase
from bundler.payloads.prisma.wheel import filename_of, write_wheel
from tests.payloads.prisma.test_pins import CLI, CLIENT, COMMIT, DEBUG, PINS
from tests.prisma_client import client
from tests.wheels import whole, zipped
from tests.world import make_wheel

Member = bytes | tuple[str, str]
GOOD_CLI: Mapping[str, Member] = {"package/package.json": b'{"name":"prisma"}', "package/build/index.js": b"cli"}
GOOD_DEBUG: Mapping[str, Member] = {"debug/lib/x.js": b"debug", "debug/bin/run": b"#!"}


def tgz(members: Mapping[str, Member]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for path, content in members.items():
            info = tarfile.TarInfo(path)
            info.mode = 0o755 if "/bin/" in path else 0o644
            if isinstance(content, tuple):
                info.type, info.linkname = (tarfile.SYMTYPE if content[0] == "link" else tarfile.LNKTYPE), content[1]
                tar.addfile(info)
            else:
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return gzip.compress(out.getvalue(), mtime=0)  # the same bytes in any second


class Shelf:
    """Files by digest, and pins that name them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        self.path(digest).write_bytes(content)
        return digest

    def path(self, sha256: str) -> Path:
        return self.folder / sha256

    def client(self, files: Mapping[str, bytes] | None = None) -> LockedClient:
        more = client("5.17.0", COMMIT) if files is None else files
        wheel = make_wheel(self.folder, "prisma", "0.15.0", ["httpx"], more=more)
        return replace(CLIENT, sha256=self.put(wheel.read_bytes()))

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
            client=self.client(),
        )

    def make(self, pins: LockedDatabase, filename: str = PINS.wheel.filename) -> bytes:
        out = io.BytesIO()
        write_wheel(pins, pins.client, filename, self.path, out)
        return out.getvalue()


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def test_everything_stands_where_the_package_looks_for_it(shelf: Shelf) -> None:
    made = shelf.make(shelf.pins())
    with zipfile.ZipFile(io.BytesIO(made)) as wheel:
        found = {one.filename: (wheel.read(one), bool(one.external_attr >> 16 & 0o111)) for one in wheel.infolist()}
    offline = {path.removeprefix("prisma/_offline/"): file for path, file in found.items() if "/_offline/" in path}
    module, project = offline.pop("__init__.py")[0].decode(), offline.pop("cli/package.json")[0]
    assert f'PRISMA_VERSION = "5.17.0"\nENGINE_VERSION = "{COMMIT}"\n' in module
    assert "@" not in module
    assert json.loads(project)["private"] is True
    assert offline == {
        "cli/node_modules/@x/debug/lib/x.js": (b"debug", False),
        "cli/node_modules/@x/debug/bin/run": (b"#!", True),
        "cli/node_modules/prisma/package.json": (b'{"name":"prisma"}', False),
        "cli/node_modules/prisma/build/index.js": (b"cli", False),
        "engines/query-engine": (b"engine", True),
        "engines/schema-engine": (b"engine", True),
    }
    assert b"_offline.environment(config, os.environ)" in found["prisma/cli/prisma.py"][0]
    notice = found["prisma-0.15.0+aiws.1.dist-info/NOTICE"][0].decode()
    assert all(pin.sha256 in notice for pin in shelf.pins().pins())
    assert "licence: MIT" in notice


def test_it_is_a_wheel_that_asks_for_node_and_says_whose_it_is(shelf: Shelf) -> None:
    pins = shelf.pins()
    name = filename_of(pins.client, "linux_x86_64")
    assert name == f"prisma-0.15.0+aiws.{REVISION}-py3-none-linux_x86_64.whl"
    wheel = read_wheel(io.BytesIO(shelf.make(pins, name)), name)
    assert wheel.requires_dist == ("httpx", NODE_WHEEL)
    assert dict(wheel.recorded)["prisma/_offline/engines/query-engine"] == hashlib.sha256(b"engine").hexdigest()
    on_host = read_wheel(io.BytesIO(shelf.make(replace(pins, node=False), name)), name)
    assert on_host.requires_dist == ("httpx",)


def test_the_same_parts_make_the_same_bytes(shelf: Shelf) -> None:
    pins = shelf.pins()
    assert shelf.make(pins) == shelf.make(pins)


def test_what_is_ours_is_counted(shelf: Shelf) -> None:
    """If this fails, raise `pins.REVISION`: locks pin the wheel that the patch, the module and the notice make."""
    with zipfile.ZipFile(io.BytesIO(shelf.make(shelf.pins()))) as wheel:
        made = {one: wheel.read(one) for one in wheel.namelist() if not one.endswith(("/RECORD", "/NOTICE"))}
    made["NOTICE"] = notice(PINS, CLIENT).encode()
    digest = hashlib.sha256(repr(sorted(made.items())).encode()).hexdigest()
    assert (REVISION, digest[:12]) == (1, "83daedf59639")


@pytest.mark.parametrize("path", sorted(client("5.17.0", COMMIT)))
def test_a_client_that_the_patch_is_not_for_is_refused(path: str, shelf: Shelf) -> None:
    files = dict(client("5.17.0", COMMIT))
    for changed in (files[path].replace(b"import", b"from"), files[path] * 2):
        pins = replace(shelf.pins(), client=shelf.client({**files, path: changed}))
        with pytest.raises(
            LockError, match=r"prisma 0\.15\.0 is not the one that aiws-bundle's patch is for"
        ) as caught:
            shelf.make(pins)
        assert path in caught.value.message
        assert "lock --set" in caught.value.hint
    del files[path]
    with pytest.raises(LockError, match="is not there"):
        shelf.make(replace(shelf.pins(), client=shelf.client(files)))


HEADERS = "Metadata-Version: 2.1\nName: prisma\nVersion: 0.15.0\nRequires-Dist: httpx\n"


def of_upstream(
    shelf: Shelf, headers: str = HEADERS, info: str = "prisma-0.15.0.dist-info", more: Mapping[str, bytes] | None = None
) -> LockedDatabase:
    """Pins of a Prisma Client Python that says of itself what is given, and holds `more`."""
    files = whole({**client("5.17.0", COMMIT), f"{info}/METADATA": headers, **(more or {})}, info)
    return replace(shelf.pins(), client=replace(CLIENT, sha256=shelf.put(zipped(files))))


@pytest.mark.parametrize(
    "headers",
    [
        HEADERS.replace("\n", "\r\n") + "\r\nA text.\r\n\r\nVersion: 0.15.0\r\n",
        HEADERS + "\r\nA text.\n\nMore.\n",
        HEADERS.removesuffix("\n"),
        *(f"{HEADERS}Summary: a{end}Requires-Dist: evil\n" for end in "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"),
    ],
    ids=lambda headers: repr(headers[-40:]),
)
def test_what_it_asks_for_is_read_as_all_others_read_it(headers: str, shelf: Shelf) -> None:
    name = PINS.wheel.filename
    made = shelf.make(of_upstream(shelf, headers), name)
    assert read_wheel(io.BytesIO(made), name).requires_dist == ("httpx", NODE_WHEEL)


@pytest.mark.parametrize("info", ["Prisma-0.15.0.dist-info", "prisma-0.15.dist-info"])
def test_its_folder_may_be_spelled_otherwise(info: str, shelf: Shelf) -> None:
    name = PINS.wheel.filename
    made = shelf.make(of_upstream(shelf, info=info), name)
    assert read_wheel(io.BytesIO(made), name).requires_dist == ("httpx", NODE_WHEEL)


def test_what_signed_its_record_is_left_out(shelf: Shelf) -> None:
    name = PINS.wheel.filename
    files = whole({**client("5.17.0", COMMIT), "prisma-0.15.0.dist-info/METADATA": HEADERS}, "prisma-0.15.0.dist-info")
    files |= {f"prisma-0.15.0.dist-info/RECORD.{end}": b"{}" for end in ("jws", "p7s")}
    pins = replace(shelf.pins(), client=replace(CLIENT, sha256=shelf.put(zipped(files))))
    read_wheel(io.BytesIO(shelf.make(pins, name)), name)


@pytest.mark.parametrize(
    "path",
    [
        "prisma/_offline/__init__.py",
        "prisma/_offline/evil.py",
        "prisma/_offline/engines/query-engine",
        "prisma/_Offline/evil.py",
        "prisma/_offline.py",
        "prisma-0.15.0.data/purelib/prisma/x.py",
    ],
)
def test_a_client_with_files_in_our_places_is_refused(path: str, shelf: Shelf) -> None:
    with pytest.raises(LockError, match=f"prisma 0.15.0 has {path}, which") as caught:
        shelf.make(of_upstream(shelf, more={path: b"evil"}))
    assert "lock --set" in caught.value.hint


def test_parts_that_fill_the_memory_are_refused(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(IntegrityError, match=r"prisma-0\.15\.0-py3-none-any\.whl: unpacks to more than 33554432 bytes"):
        shelf.make(of_upstream(shelf, more={f"prisma/{number}": bytes(17 << 20) for number in range(2)}))
    monkeypatch.setattr("bundler.payloads.prisma.wheel._LARGEST_CLI", 1000)
    shelf.make(shelf.pins())
    with pytest.raises(IntegrityError, match=r"with @x/debug 1\.0\.0 they unpack to more than 1000 bytes"):
        shelf.make(shelf.pins(debug={f"debug/{number}": bytes(400) for number in range(3)}))
    monkeypatch.setattr("bundler.payloads.prisma.wheel._MOST_FILES", 10)
    with pytest.raises(IntegrityError, match="or 10 files"):
        shelf.make(shelf.pins(debug={f"debug/{number}": b"" for number in range(11)}))


@pytest.mark.parametrize(("cli", "commit", "chosen"), [("5.18.0", COMMIT, "5.17.0"), ("5.17.0", "4" * 40, COMMIT)])
def test_a_client_that_asks_for_another_prisma_is_refused(cli: str, commit: str, chosen: str, shelf: Shelf) -> None:
    pins = replace(shelf.pins(), client=shelf.client(client(cli, commit)))
    with pytest.raises(LockError, match=f"{chosen} is chosen, it wants {cli}, {commit}") as caught:
        shelf.make(pins)
    assert "prisma-cli" in caught.value.hint


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
        shelf.make(shelf.pins(debug=debug))
    assert "npm package @x/debug 1.0.0" in caught.value.message


def test_a_package_inside_another_may_not_replace_its_files(shelf: Shelf) -> None:
    inner = {"package/node_modules/inner/x.js": b"1"}
    pins = shelf.pins(cli={**GOOD_CLI, **inner})
    nested = replace(DEBUG, at="node_modules/prisma/node_modules/inner", sha256=shelf.put(tgz({"package/x.js": b"2"})))
    with pytest.raises(IntegrityError, match="there twice"):
        shelf.make(replace(pins, npm=(*pins.npm, nested)))


def test_packages_that_make_no_cli_are_refused(shelf: Shelf) -> None:
    with pytest.raises(IntegrityError, match=r"prisma 5\.17\.0 has no build/index\.js"):
        shelf.make(shelf.pins(cli={"package/package.json": b"{}"}))


@pytest.mark.parametrize("engine", [b"not gzip", gzip.compress(b"x" * 1000, mtime=0)[:-4]])
def test_a_broken_engine_is_refused(engine: bytes, shelf: Shelf) -> None:
    with pytest.raises(IntegrityError, match="Prisma's query-engine: not a whole gzip file"):
        shelf.make(shelf.pins(engine=engine))


@pytest.mark.parametrize("which", range(3))
def test_a_copy_that_went_bad_on_disk_is_noticed(which: int, shelf: Shelf) -> None:
    pins = shelf.pins()
    damaged = (pins.engines[0], pins.npm[0], pins.client)[which].sha256
    shelf.path(damaged).write_bytes(b"rust")
    with pytest.raises(SourceChangedError) as caught:
        shelf.make(pins)
    assert caught.value.sha256 == damaged
