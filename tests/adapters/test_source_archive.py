from __future__ import annotations

import io
import os
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from bundler.adapters import source_archive
from bundler.adapters.source_archive import EPOCH, unpack_source
from bundler.errors import IntegrityError
from tests.sources import tar_of, zip_of

FILES = {"pyproject.toml": "[project]\n", "src/a.py": "", "src/deep/er/b.py": "b"}


def unpack(content: bytes, folder: Path) -> Path:
    archive = folder / "archive"
    archive.write_bytes(content)
    (folder / "out").mkdir()
    return unpack_source(archive, "the source", folder / "out")


def zip_with(name: str, text: str = "", mode: int = 0) -> bytes:
    out = io.BytesIO(zip_of(FILES, "top"))
    with zipfile.ZipFile(out, "a") as archive:
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        archive.writestr(info, text)
    return out.getvalue()


def tar_with(info: tarfile.TarInfo) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        file = tarfile.TarInfo("top/pyproject.toml")
        archive.addfile(file, io.BytesIO())
        archive.addfile(info, io.BytesIO(bytes(info.size)))
    return out.getvalue()


def look(top: Path) -> dict[str, tuple[str, int, float]]:
    """Every path below `top`: its content, mode and time."""
    found = {}
    for path in sorted(top.rglob("*")):
        status = path.lstat()
        text = path.read_text() if path.is_file() else ""
        found[str(path.relative_to(top))] = text, status.st_mode, status.st_mtime
    return found


def test_zip_and_tar_of_the_same_files_are_the_same_tree_under_any_umask(tmp_path: Path) -> None:
    seen = []
    for number, content in enumerate((zip_of(FILES), tar_of(FILES), zip_of(FILES))):
        (tmp_path / str(number)).mkdir()
        old = os.umask(0o077 if number else 0o022)
        try:
            seen.append(look(unpack(content, tmp_path / str(number))))
        finally:
            os.umask(old)
    assert seen[0] == seen[1] == seen[2]
    assert {path for path, (_, mode, _) in seen[0].items() if stat.S_ISREG(mode)} == set(FILES)
    assert {time for _, _, time in seen[0].values()} == {EPOCH}


def test_a_program_stays_one(tmp_path: Path) -> None:
    top = unpack(zip_with("top/run.sh", "#!/bin/sh\n", stat.S_IFREG | 0o775), tmp_path)
    assert stat.S_IMODE((top / "run.sh").stat().st_mode) == 0o755


def test_a_link_inside_is_kept(tmp_path: Path) -> None:
    top = unpack(zip_with("top/link", "src/a.py", stat.S_IFLNK | 0o777), tmp_path)
    assert (top / "link").readlink() == Path("src/a.py")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (zip_with("top/../../escaped"), "climbs"),
        (zip_with("/escaped"), "absolute"),
        (zip_with("top/link", "../../etc/passwd", stat.S_IFLNK), "out of top/"),
        (zip_with("top/link", "/etc/passwd", stat.S_IFLNK), "/etc/passwd"),
        (zip_with("top/fifo", "", stat.S_IFIFO), "neither file nor folder"),
        (zip_with("other/file"), "outside the top folder"),
        (zip_with("file"), "outside the top folder"),
        (zip_with("top/src"), "there twice"),
        (zip_with("top/pyproject.toml/x"), "as a file and as a folder"),
        (zip_with("top/a\\b"), "backslash"),
        (b"PK\x03\x04 and no more", "not a readable ZIP"),
        (b"neither", "not gzip"),
        (zip_of({}, "top")[:-10], "not a readable ZIP"),
    ],
)
def test_what_is_unsafe_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(IntegrityError, match=words.replace("\\", "\\\\")):
        unpack(content, tmp_path)
    assert not (tmp_path / "escaped").exists()
    assert not (tmp_path.parent / "escaped").exists()


def test_a_link_cannot_be_written_through(tmp_path: Path) -> None:
    out = io.BytesIO(zip_with("top/link", "src", stat.S_IFLNK))
    with zipfile.ZipFile(out, "a") as archive:
        archive.writestr("top/link/a.py", "")
    with pytest.raises(IntegrityError, match="as a file and as a folder"):
        unpack(out.getvalue(), tmp_path)


def test_hard_links_and_devices_in_a_tar_are_refused(tmp_path: Path) -> None:
    link = tarfile.TarInfo("top/hard")
    link.type, link.linkname = tarfile.LNKTYPE, "top/pyproject.toml"
    with pytest.raises(IntegrityError, match="hard link"):
        unpack(tar_with(link), tmp_path)


def test_a_bomb_is_stopped_before_it_fills_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_archive, "_LARGEST", 1 << 20)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("top/bomb", bytes(64 << 20))
    with pytest.raises(IntegrityError, match="unpacks to more than"):
        unpack(out.getvalue(), tmp_path)
    assert sum(path.stat().st_size for path in (tmp_path / "out").rglob("*") if path.is_file()) <= 1 << 20


def test_too_many_members_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_archive, "_MOST_MEMBERS", 10)
    with pytest.raises(IntegrityError, match="more than 10 members"):
        unpack(zip_of({f"f{number}": "" for number in range(11)}), tmp_path)
