"""Reading a package's control file, also out of packages that are none."""

from __future__ import annotations

import io
import lzma
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.adapters import deb as module
from bundler.adapters.deb import read_control
from bundler.errors import IntegrityError
from tests.debs import PACKERS, ar, control, deb, tar

TEXT = control("demo")
VERSION = ("debian-binary", b"2.0\n")
GOOD = ("control.tar", tar(("./control", TEXT.encode())))


def reading(tmp_path: Path, content: bytes) -> str:
    path = tmp_path / "demo.deb"
    path.write_bytes(content)
    return read_control(path, "demo.deb")


@pytest.mark.parametrize("packing", PACKERS)
def test_the_control_file_is_read_however_it_is_packed(tmp_path: Path, packing: str) -> None:
    assert reading(tmp_path, deb(TEXT, packing)) == TEXT


def test_members_that_are_to_be_passed_over_are(tmp_path: Path) -> None:
    assert reading(tmp_path, ar(VERSION, ("_gpgorigin", b"odd"), ("_more", b""), GOOD)) == TEXT
    assert reading(tmp_path, ar(("debian-binary/", b"2.1\nmore\n"), ("control.tar/", GOOD[1]))) == TEXT


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"!<arch>\n",
        b"PK\x03\x04",
        ar(GOOD),
        ar(("debian-binary", b"3.0\n"), GOOD),
        ar(VERSION, ("data.tar.xz", b""), GOOD),
        ar(VERSION, GOOD)[:-1000],
        ar(VERSION, GOOD).replace(b"`\n", b"'\n"),
        ar(VERSION).replace(b"4         `", b"-4        `"),
        ar(VERSION, ("control.tar.lzma", b"")),
        ar(VERSION, ("control.tar.xz", lzma.compress(GOOD[1])[:-9])),
        ar(VERSION, ("control.tar.xz", b"no xz")),
        ar(VERSION, ("control.tar.gz", b"no gzip")),
        ar(VERSION, ("control.tar.zst", b"no zstd")),
        ar(VERSION, ("control.tar", b"no tar" * 200)),
        ar(VERSION, ("control.tar", tar())),
        ar(VERSION, ("control.tar", tar(("./control", b"A: 1\n"), ("control", b"A: 2\n")))),
        ar(VERSION, ("control.tar", tar(("./control", b"A: \xff\n")))),
        ar(VERSION, ("control.tar", tar(("./control", bytes((1 << 20) + 1))))),
    ],
)
def test_what_is_no_package_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(IntegrityError, match=r"^demo\.deb: "):
        reading(tmp_path, content)


def test_a_control_file_that_is_a_link_is_refused(tmp_path: Path) -> None:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as made:
        info = tarfile.TarInfo("./control")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        made.addfile(info)
    with pytest.raises(IntegrityError, match="no control file, or an odd one"):
        reading(tmp_path, ar(VERSION, ("control.tar", file.getvalue())))


@pytest.mark.parametrize("packing", [".gz", ".xz", ".zst"])
def test_a_control_member_that_unpacks_without_end_is_refused(
    tmp_path: Path, packing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LARGEST_TAR", 1 << 20)
    with pytest.raises(IntegrityError, match="unpacks to more than"):
        reading(tmp_path, ar(VERSION, (f"control.tar{packing}", PACKERS[packing](bytes(3 << 20)))))


def test_a_control_member_of_absurd_size_is_not_read(tmp_path: Path) -> None:
    huge = ar(VERSION, GOOD).replace(f"{len(GOOD[1]):<10}`".encode(), b"9999999999`")
    with pytest.raises(IntegrityError, match="its control member is larger than"):
        reading(tmp_path, huge)


@given(st.binary(max_size=300), st.integers(0, 400))
def test_damage_is_refused_or_does_no_harm(tmp_path_factory: pytest.TempPathFactory, junk: bytes, at: int) -> None:
    whole = deb(TEXT)
    path = tmp_path_factory.getbasetemp() / "damaged.deb"
    path.write_bytes(whole[:at] + junk + whole[at + len(junk) :])
    try:
        read_control(path, "demo.deb")
    except IntegrityError as error:
        assert error.message.startswith("demo.deb: ")


@pytest.mark.slow
@pytest.mark.parametrize("packing", ["gzip", "xz", "zstd", "none"])
def test_dpkgs_own_packages_are_read(tmp_path: Path, packing: str) -> None:
    (tmp_path / "tree" / "DEBIAN").mkdir(parents=True)
    (tmp_path / "tree" / "DEBIAN" / "control").write_text(TEXT)
    made = tmp_path / "made.deb"
    words = ["dpkg-deb", "--root-owner-group", f"-Z{packing}", "--uniform-compression", "-b"]
    done = subprocess.run([*words, str(tmp_path / "tree"), str(made)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"dpkg-deb cannot: {done.stderr}")
    assert reading(tmp_path, made.read_bytes()) == TEXT
