"""Two archives that should be the same: what of them differs is told, and nothing else."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from bundler.release.differences import differences

NAME = "litellm-runtime-debian-12-amd64.tar.gz"
Members = list[tuple[tarfile.TarInfo, bytes]]


def members_of(archive: Path) -> Members:
    with tarfile.open(archive) as tar:
        return [(info, file.read() if (file := tar.extractfile(info)) else b"") for info in tar.getmembers()]


def write(path: Path, members: Members, level: int = 6, *, mtime: int = 0) -> None:
    """An archive as some other program writes it."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    path.write_bytes(gzip.compress(out.getvalue(), level, mtime=mtime))


def place(members: Members, path: str) -> int:
    return next(index for index, (info, _) in enumerate(members) if info.name.endswith(path))


def content(members: Members) -> None:
    index = place(members, "runtime.env")
    info, old = members[index]
    info.size = len(old) + 5
    members[index] = (info, old + b"# new")


def same_size(members: Members) -> None:
    index = place(members, "runtime.env")
    info, old = members[index]
    members[index] = (info, old[:-2] + b"#\n")


def mode(members: Members) -> None:
    members[place(members, "install.sh")][0].mode = 0o644


def moment(members: Members) -> None:
    members[place(members, "install.sh")][0].mtime = 1


def surplus(members: Members) -> None:
    info = tarfile.TarInfo("litellm-runtime/metadata/sitecustomize.py")
    members.append((info, b""))


def missing(members: Members) -> None:
    del members[place(members, "requirements.txt")]


def order(members: Members) -> None:
    one, other = place(members, "runtime.env"), place(members, "requirements.txt")
    members[one], members[other] = members[other], members[one]


def owner(members: Members) -> None:
    members[place(members, "install.sh")][0].uname = "somebody"


def nothing(members: Members) -> None:
    pass


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (content, ["litellm-runtime/metadata/runtime.env: content differs"]),
        (same_size, ["litellm-runtime/metadata/runtime.env: content differs"]),
        (mode, ["litellm-runtime/install.sh: mode differs\n    rebuilt  executable\n    actual   plain"]),
        (moment, ["litellm-runtime/install.sh: time differs\n    rebuilt  315532800\n    actual   1"]),
        (surplus, ["surplus: litellm-runtime/metadata/sitecustomize.py"]),
        (missing, ["missing: litellm-runtime/metadata/requirements.txt"]),
        (order, ["the order of its members differs, first at litellm-runtime/metadata/runtime.env"]),
        (owner, ["its members are the same; headers or padding of the tar around them differ"]),
        (nothing, ["the tar inside is the same; only its gzip compression differs"]),
    ],
)
def test_what_differs_is_told(
    dist_of: Callable[[str], Path], tmp_path: Path, change: Callable[[Members], None], told: list[str]
) -> None:
    rebuilt = dist_of("debian-12-amd64") / NAME
    members = members_of(rebuilt)
    change(members)
    write(tmp_path / NAME, members)
    found = list(differences(tmp_path / NAME, rebuilt, NAME))
    assert len(found) == len(told)
    assert all(one.startswith(start) for one, start in zip(found, told, strict=True)), found


def test_what_is_no_archive_is_told(dist_of: Callable[[str], Path], tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"nothing of the kind")
    (found,) = differences(tmp_path / NAME, dist_of("debian-12-amd64") / NAME, NAME)
    assert found.startswith("it cannot be read as an archive: ")
