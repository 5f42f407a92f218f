"""A sidecar that nobody knows yet: one new file and one line, and every command does its part."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path

import pytest

import bundler
from tests.cli.conftest import impatient, ready  # noqa: F401
from tests.cli.releasing import REPO, Releasing
from tests.world import Ran

ARCHIVE = "litellm-runtime-debian-12-amd64.tar.gz"
BESIDE = """
import hashlib
from typing import Final
from bundler.model.verdict import Finding
OF: Final = "archive"
LARGEST = 1000
def name(subject):
    return f"{subject}.toy"
def render(facts):
    digest = hashlib.blake2b()
    for chunk in facts.read(facts.subject):
        digest.update(chunk)
    return f"{digest.hexdigest()}  {facts.subject}\\n".encode()
def findings(content, facts):
    if content is not None and content != render(facts):
        yield Finding(f"{name(facts.subject)}: is of another archive")
"""
OVER_ALL = """
import hashlib
from typing import Final
from bundler.model.verdict import Finding
OF: Final = "release"
LARGEST = 100_000
def name(subject):
    return "SHA512SUMS"
def render(facts):
    lines = [f"{hashlib.sha512(b''.join(facts.read(one))).hexdigest()}  {one}\\n" for one in sorted(facts.files)]
    return "".join(lines).encode()
def findings(content, facts):
    if content is not None and content != render(facts):
        yield Finding("SHA512SUMS: is of other files")
"""


@pytest.fixture
def tool(ready: Releasing, tmp_path: Path, request: pytest.FixtureRequest) -> Path:  # noqa: F811
    """A copy of the tool that has one more sidecar."""
    folder = tmp_path / "tool" / "bundler"
    shutil.copytree(Path(bundler.__file__).parent, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "sidecars" / "toy.py").write_text(request.param)
    table = folder / "sidecars" / "table.py"
    entry = r"from bundler.sidecars import toy\n\n\g<0>    toy,\n"
    text, tables = re.subn(r"^SIDECARS\b.*= \(\n", entry, table.read_text(), flags=re.MULTILINE)
    assert tables == 1
    table.write_text(text)
    return folder.parent


def run(ready: Releasing, tool: Path, *words: str) -> Ran:  # noqa: F811
    return ready.world.run_process(*words, PYTHONPATH=str(tool), **ready.env())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tool", "name"),
    [(BESIDE, f"{ARCHIVE}.toy"), (OVER_ALL, "SHA512SUMS")],
    indirect=["tool"],
    ids=["archive", "release"],
)
def test_a_new_sidecar_is_published_listed_and_checked(ready: Releasing, tool: Path, name: str) -> None:  # noqa: F811
    done = run(ready, tool, "publish", "dist", "--repo", REPO, "--tag", ready.tag, "--channel", "latest-runtime")
    assert done.code == 0, done.err
    held = ready.release(ready.tag).assets
    assert name in held
    assert f"{held[name].sha256}  {name}\n" in held["SHA256SUMS"].path.read_text()
    assert name in ready.release("latest-runtime").assets
    done = run(ready, tool, "verify", f"{REPO}@{ready.tag}", f"{REPO}@latest-runtime")
    assert done.code == 0, done.out + done.err

    folder = ready.world.root / "downloaded"
    folder.mkdir()
    for asset in held.values():
        shutil.copy(asset.path, folder / asset.name)
    assert run(ready, tool, "verify", "downloaded").code == 0

    # A sidecar that is as its line says, and wrong all the same.
    wrong = b"wrong\n"
    (folder / name).write_bytes(wrong)
    lines = [line.split("  ") for line in (folder / "SHA256SUMS").read_text().splitlines()]
    digests = {file: hashlib.sha256(wrong).hexdigest() if file == name else digest for digest, file in lines}
    (folder / "SHA256SUMS").write_text("".join(f"{digest}  {file}\n" for file, digest in sorted(digests.items())))
    done = run(ready, tool, "verify", "downloaded")
    assert done.code == 3
    assert f"downloaded/{name}: is of " in done.out

    ready.hub.add_release("other", {path.name: path.read_bytes() for path in folder.iterdir()})
    done = run(ready, tool, "--json", "verify", f"{REPO}@other")
    assert done.code == 3
    assert [one for one in json.loads(done.out)["releases"][0]["findings"] if one.startswith(f"{name}: is of ")]
