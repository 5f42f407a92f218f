"""An archive of ours unpacked without tarfile: what GNU tar makes of it, and nothing that stands there is touched."""

from __future__ import annotations

import ast
import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from bundler.adapters import tar_header, tar_reader, unpack
from bundler.adapters.archive import write_archive
from bundler.errors import IntegrityError
from bundler.model.bundle import Bundle, Folder, Link, text_file

EPOCH = 315532800
TREE = Bundle.of(
    "demo-runtime",
    [
        text_file("install.sh", b"#!/bin/sh\n", executable=True),
        text_file("packages/pip/a-1-py3-none-any.whl", b"wheel" * 500_000),
        text_file("packages/python/" + "deep/" * 30 + "ü ✓", b"long"),
        text_file("empty", b""),
        Link("packages/python/link", "deep/deep"),
        Folder("packages/none"),
    ],
)


def packed(bundle: Bundle) -> bytes:
    out = io.BytesIO()
    write_archive(bundle, out, EPOCH, lambda: False)
    return out.getvalue()


def listed(folder: Path) -> list[tuple[object, ...]]:
    found: list[tuple[object, ...]] = []
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        content = os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else b""
        found.append((path.relative_to(folder), oct(status.st_mode), status.st_mtime, content))
    return found


def test_it_makes_what_gnu_tar_makes(tmp_path: Path) -> None:
    (tmp_path / "x.tar.gz").write_bytes(packed(TREE))
    for name in ("ours", "theirs"):
        (tmp_path / name).mkdir()
    subprocess.run(["tar", "-xzpf", "x.tar.gz", "-C", "theirs"], cwd=tmp_path, check=True)
    before = os.umask(0o077)
    try:
        with (tmp_path / "x.tar.gz").open("rb") as file:
            unpack.unpack(file, tmp_path / "ours")
    finally:
        os.umask(before)
    assert listed(tmp_path / "ours") == listed(tmp_path / "theirs")
    assert len(listed(tmp_path / "ours")) == 40


@pytest.mark.parametrize("planted", ["demo-runtime", "demo-runtime/install.sh", "demo-runtime/packages"])
def test_nothing_that_stands_there_is_followed_or_replaced(tmp_path: Path, planted: str) -> None:
    (tmp_path / "out" / planted).parent.mkdir(parents=True)
    (tmp_path / "away").mkdir()
    (tmp_path / "out" / planted).symlink_to(tmp_path / "away")
    with pytest.raises(FileExistsError):
        unpack.unpack(io.BytesIO(packed(TREE)), tmp_path / "out")
    assert list((tmp_path / "away").iterdir()) == []


def test_a_link_that_leads_out_is_not_made(tmp_path: Path) -> None:
    for target in ("/etc", "../../etc", "a/../../../etc"):
        with pytest.raises(IntegrityError, match="refused"):
            unpack.unpack(io.BytesIO(packed(Bundle.of("top", [Link(f"a{len(target)}", target)]))), tmp_path)
        assert list(tmp_path.glob("top/*")) == []
        (tmp_path / "top").rmdir()


def test_a_damaged_archive_is_told(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match="not a whole archive"):
        unpack.unpack(io.BytesIO(packed(TREE)[:-9]), tmp_path)


def tar_of(*members: str) -> io.BytesIO:
    """An archive of others, with these members in this order; those that end in a slash are folders."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", format=tarfile.USTAR_FORMAT) as tar:
        for name in members:
            info = tarfile.TarInfo(name.rstrip("/"))
            info.type, info.mode = (tarfile.DIRTYPE, 0o755) if name.endswith("/") else (tarfile.REGTYPE, 0o644)
            tar.addfile(info)
    out.seek(0)
    return out


@pytest.mark.parametrize(
    "members",
    [("top/bin/demo",), ("top/bin/demo", "top/bin/", "top/"), ("top/", "top/", "top/bin/demo", "top/bin/")],
    ids=["no folders", "folders last", "folders twice"],
)
def test_folders_that_others_leave_out_or_tell_late_are_made(tmp_path: Path, members: tuple[str, ...]) -> None:
    (out := tmp_path / "out").mkdir()
    unpack.unpack(tar_of(*members), out)
    assert [str(path.relative_to(out)) for path in sorted(out.rglob("*"))] == ["top", "top/bin", "top/bin/demo"]
    assert {oct(path.stat().st_mode) for path in out.rglob("*") if path.is_dir()} == {"0o40755"}


def test_a_folder_that_stood_there_is_not_taken_for_one_that_was_left_out(tmp_path: Path) -> None:
    (tmp_path / "top").mkdir()
    with pytest.raises(FileExistsError):
        unpack.unpack(tar_of("top/bin/demo"), tmp_path)


@pytest.mark.parametrize("module", [unpack, tar_reader, tar_header])
def test_it_needs_the_standard_library_alone(module: object) -> None:
    """It is run as process 1 of a sandbox."""
    tree = ast.parse(Path(str(vars(module)["__file__"])).read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in names} <= {*sys.stdlib_module_names, "bundler"}
