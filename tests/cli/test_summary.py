"""`summary`: a folder of archives as a workflow's page and as its step's outputs."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bundler.adapters.sums import read_sums
from bundler.cli.summary import _markdown
from bundler.commands.summary import Summary, Summed, summary
from bundler.sizes import size_text
from tests.world import World

ARCHIVE = "litellm-runtime-debian-12-amd64.tar.gz"


@pytest.mark.slow
def test_a_folder_is_told_as_a_page_as_json_and_as_outputs(locked: World, dist_of: Callable[[str], Path]) -> None:
    shutil.copytree(dist_of("debian-12"), locked.dist)
    sums = locked.dist / "SHA256SUMS"
    digest = hashlib.sha256(sums.read_bytes()).hexdigest()
    sha256 = hashlib.sha256((locked.dist / ARCHIVE).read_bytes()).hexdigest()
    (locked.root / "output").write_text("before=1\n")
    page = locked.run("summary", "dist", "--github-output", "output")
    assert page.code == 0, page.err
    assert f"`sha256sum SHA256SUMS` tells `{digest}`." in page.out
    sbom = json.loads((locked.dist / f"{ARCHIVE}.cdx.json").read_text())
    size = (locked.dist / ARCHIVE).stat().st_size
    row = f"| {ARCHIVE} | `debian 12 amd64` | {size_text(size)} | {len(sbom['components'])} | `{sha256[:12]}` |"
    assert row in page.out.splitlines()
    told = json.loads(locked.run("--json", "summary", "dist").out)
    assert told["sums"] == digest
    assert told["archives"][0] == {
        "asset": ARCHIVE,
        "for": "debian 12 amd64",
        "size": size,
        "sha256": sha256,
        "packages": len(sbom["components"]),
    }
    outputs = dict(line.split("=", 1) for line in (locked.root / "output").read_text().splitlines())
    assert json.loads(outputs.pop("archives")) == told["archives"]
    assert outputs == {"before": "1", "folder": "dist", "sums": "dist/SHA256SUMS", "digest": digest}

    odd = locked.root / "a\nsums=b"
    locked.dist.rename(odd)
    refused = locked.run("summary", str(odd), "--github-output", "output")
    assert (refused.code, (locked.root / "output").read_text().count("\n")) == (2, 5)
    sums = odd / "SHA256SUMS"
    sums.write_text("nothing of the kind\n")
    assert locked.run("summary", str(odd)).code == 3
    sums.unlink()
    missing = locked.run("summary", str(odd))
    assert missing.code == 2
    assert "give a folder that `build` filled" in missing.err


def test_what_an_archive_says_of_itself_is_no_markup() -> None:
    evil = Summed("x.tar.gz", "`</td><img src=x>` | b\n\n<img src=y>", 1, "", 2)
    page = "\n".join(_markdown(Summary(Path("dist"), "0" * 64, (evil,))))
    (row,) = (line for line in page.splitlines() if "img" in line)
    nothing = "\N{REPLACEMENT CHARACTER}" * 2
    assert row == f"| x.tar.gz | `'</td><img src=x>' \N{BROKEN BAR} b{nothing}<img src=y>` | 1 byte | 2 | `-` |"


@pytest.mark.slow
def test_the_folder_is_looked_through_once_for_all_archives(
    locked: World, dist_of: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(dist_of("debian-12"), locked.dist)
    asked: list[Path] = []

    def counted(path: Path) -> dict[str, str]:
        asked.append(path)
        return read_sums(path)

    monkeypatch.setattr("bundler.release.holdings.read_sums", counted)
    assert len(summary(locked.dist).archives) == 2
    assert len(asked) == 1
