from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from installer import install
from installer.destinations import SchemeDictionaryDestination
from installer.sources import WheelFile

from bundler.errors import IntegrityError
from bundler.model.metadata import read_wheel
from bundler.model.wheel_content import WheelContent
from bundler.model.zip_file import ZipReader
from tests.model.bad_wheels import bad_wheels, good_wheels
from tests.wheels import INFO, NAME, wheel

BAD = bad_wheels()
GOOD = good_wheels()
# Nothing but their digests, sizes and CRCs is wrong with these.
DAMAGED = {"another digest", "a wrong CRC", "a wrong size"}


@pytest.mark.parametrize("what", BAD)
def test_what_an_installer_refuses_or_installs_in_its_own_way_is_refused(what: str) -> None:
    filename, content = BAD[what]
    with pytest.raises(IntegrityError) as caught:
        read_wheel(io.BytesIO(content), filename)
    assert filename in caught.value.message


@pytest.mark.parametrize("what", GOOD)
def test_what_every_installer_takes_is_taken(what: str) -> None:
    assert read_wheel(io.BytesIO(GOOD[what]), NAME).filename == NAME


def test_without_digests_only_what_has_to_be_inflated_goes_unseen() -> None:
    taken = set()
    for what, (filename, content) in BAD.items():
        try:
            read_wheel(io.BytesIO(content), filename, digests=False)
        except IntegrityError:
            continue
        taken.add(what)
    assert taken <= DAMAGED


def test_a_record_of_nothing_but_lines_costs_nothing() -> None:
    with pytest.raises(IntegrityError, match="more lines than there are files"):
        read_wheel(io.BytesIO(wheel({f"{INFO}/RECORD": "\n" * (4 << 20)})), NAME)


def test_no_file_is_hidden_by_another_digest() -> None:
    archive = ZipReader(io.BytesIO(GOOD["SHA-512"]), NAME)
    recorded = dict(WheelContent(archive, NAME).recorded())
    assert {path for path, sha256 in recorded.items() if not sha256} == {"some_app/__init__.py"}
    assert recorded.keys() == {member.path for member in archive.members} - {f"{INFO}/RECORD"}


def _installed_by_installer(path: Path, folder: Path) -> bool:
    schemes = {kind: str(folder / kind) for kind in ("purelib", "platlib", "headers", "scripts", "data")}
    try:
        with WheelFile.open(path) as source:
            source.validate_record(validate_contents=True)
            install(source, SchemeDictionaryDestination(schemes, sys.executable, "posix"), {})
    except Exception:  # whatever it raises, it refused
        return False
    return True


def _installed_by(argv: list[str], path: Path, folder: Path) -> bool:
    words = ["install", "-q", "--no-deps", "--no-index", "--target", str(folder / "site"), str(path)]
    env = {**os.environ, "UV_CACHE_DIR": str(folder / "cache")}
    return subprocess.run([*argv, *words], capture_output=True, cwd=folder, env=env, check=False).returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("installer", ["pip", "uv", "installer"])
def test_what_real_installers_refuse_is_in_the_table_and_what_is_good_they_install(
    installer: str, tmp_path: Path
) -> None:
    """Asks them about every wheel of the tables: they take all good ones, and refuse most of the bad."""
    pip = [sys.executable, "-I", "-m", "pip", "--disable-pip-version-check"]
    argv = pip if installer == "pip" else [sys.executable, "-I", "-m", "uv", "pip"]
    refused = set()
    for number, (what, (filename, content)) in enumerate({**BAD, **{w: (NAME, c) for w, c in GOOD.items()}}.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        path = folder / filename
        path.write_bytes(content)
        taken = _installed_by_installer(path, folder) if installer == "installer" else _installed_by(argv, path, folder)
        if not taken:
            refused.add(what)
    assert refused <= BAD.keys()
    assert len(refused) > 25
