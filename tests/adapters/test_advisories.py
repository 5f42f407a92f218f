"""Files of advisories, from whoever wrote them."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest

from bundler.adapters.advisories import read_advisories
from bundler.adapters.durable import write_whole
from bundler.errors import IntegrityError, UsageError, WorkError
from bundler.model.advisory import LARGEST_RECORD
from bundler.model.snapshot import compose
from tests.model.test_advisory import DOCUMENT, package

OTHER: dict[str, Any] = DOCUMENT | {"id": "X-2", "modified": "2026-02-03T00:00:00Z"}
BOTH = (DOCUMENT, OTHER)


def zipped(path: Path, *members: tuple[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), content)
    return path


def export(path: Path) -> Path:
    return zipped(path, *((f"{one['id']}.json", json.dumps(one, indent=2).encode()) for one in BOTH))


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    "text",
    [json.dumps(BOTH), json.dumps(BOTH, indent=2), "".join(f"{json.dumps(one)}\n" for one in BOTH) + "\n"],
    ids=["a list", "a list in lines", "one a line"],
)
def test_records_of_osv_in_every_form(tmp_path: Path, text: str) -> None:
    known, same = read_advisories(written(tmp_path / "osv.json", text)), read_advisories(export(tmp_path / "all.zip"))
    assert known.records == same.records and [one.id for one in known.records] == ["X-1", "X-2"]
    assert str(known.made) == "2026-02-03" and known.source.startswith("OSV (osv.json, sha256 ")
    assert len(known.issues({package("0.5")})) == 2


def test_one_record_in_many_lines(tmp_path: Path) -> None:
    assert len(read_advisories(written(tmp_path / "x", json.dumps(DOCUMENT, indent=2))).records) == 1


def test_a_snapshot_is_read_again_as_it_was_written(tmp_path: Path) -> None:
    known = read_advisories(export(tmp_path / "all.zip")).subset({package("0.5"), package("1.0")})
    write_whole(tmp_path / "advisories.json", compose(known))
    assert read_advisories(tmp_path / "advisories.json") == known
    assert not list(tmp_path.glob(".advisories*")), "nothing half-written is left"
    with pytest.raises(WorkError):
        write_whole(tmp_path / "not" / "there.json", b"")


RECORD = json.dumps(DOCUMENT).encode()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "used: it"),
        (b"[]", "holds no advisory"),
        (b"no json", "used: it"),
        (RECORD[:-1], "line 1: it"),
        (RECORD + b"\n" + RECORD[:-2] + b"\n", "line 2"),
        (b"[" + RECORD, "EOF"),
        (b"[" * 300_000, "used: it"),
        (b"[" + b"," * 4_100_000 + b"]", "more than 4000000 values"),
        (b" " * (LARGEST_RECORD + 2), "larger than"),
        (b'{"format": 1}', "made: Field required"),
        (b"PK\x03\x04", "not a readable ZIP"),
        (b"\xff\xfe", "used: it"),
    ],
    ids=range(12),
)
def test_what_is_none_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(IntegrityError) as caught:
        read_advisories(written(tmp_path / "all.json", content))
    assert said in caught.value.message and caught.value.exit_code == 3


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ([("../X-1.json", RECORD)], "X-1.json"),
        ([("a/X-1.json", RECORD)], "is no record of OSV"),
        ([("X-1.txt", RECORD)], "is no record of OSV"),
        ([("X-9.json", RECORD)], "is the record of X-1"),
        ([("X-1.json", RECORD[:-1])], "X-1.json: it"),
        ([("X-1.json", RECORD), ("X-1.json", RECORD)], "there twice"),
        ([("X-1.json", b" " * (LARGEST_RECORD + 1))], "larger than"),
        ([], "no advisory"),
    ],
    ids=range(8),
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_export_that_is_none_is_refused(tmp_path: Path, members: list[tuple[str, bytes]], said: str) -> None:
    with pytest.raises(IntegrityError) as caught:
        read_advisories(zipped(tmp_path / "all.zip", *members))
    assert said in caught.value.message


def test_a_cut_or_changed_export_is_refused(tmp_path: Path) -> None:
    content = export(tmp_path / "all.zip").read_bytes()
    for bad in (content[:-1], content[:100], content + b"x", content.replace(b"X-1.json", b"X-3.json", 1)):
        with pytest.raises(IntegrityError):
            read_advisories(written(tmp_path / "bad.zip", bad))


def test_a_pipe_or_folder_holds_nobody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(UsageError, match="not a regular file"):
            read_advisories(path)
    with pytest.raises(WorkError):
        read_advisories(tmp_path / "nothing")
