"""`report`: the delivery record, from real archives and from what real commands printed."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.world import World

ARCHIVE = "litellm-runtime-debian-12-amd64.tar.gz"
RUN = {
    "GITHUB_SERVER_URL": "https://github.example",
    "GITHUB_REPOSITORY": "example/litellm",
    "GITHUB_RUN_ID": "42",
    "GITHUB_RUN_ATTEMPT": "2",
    "GITHUB_SHA": "c" * 40,
}


@pytest.fixture
def built(locked: World, dist_of: Callable[[str], Path]) -> World:
    shutil.copytree(dist_of("debian-12"), locked.dist)
    return locked


def rehearsal(archive: str = f"dist/{ARCHIVE}", *, ok: bool = True, attempt: str = "") -> str:
    attempts = [{"what": attempt, "program": None}] if attempt else []
    step = {"name": "install", "seconds": 1.5, "ok": ok, "detail": "", "attempts": attempts}
    document = {
        "archive": archive,
        "root": "/",
        "ok": ok,
        "versions": {"litellm": "1.0"},
        "disk_bytes": 1,
        "steps": [step],
    }
    return json.dumps(document)


def test_a_record_names_run_tag_commit_and_every_asset(built: World) -> None:
    (built.root / "verified.json").write_text(built.run("--json", "verify", "dist").out)
    (built.root / "rehearsed.json").write_text(rehearsal())
    words = ("report", "dist", "--tag", "runtime-cccccccccccc", "--verification", "verified.json")
    done = built.run(
        *words, "--rehearsal", "rehearsed.json", "--out", "record.md", GITHUB_STEP_SUMMARY="summary.md", **RUN
    )
    assert done.code == 0, done.err
    assert done.out == (built.root / "record.md").read_text() == (built.root / "summary.md").read_text()
    sums = (built.dist / "SHA256SUMS").read_text().split()
    for text in (
        *sums[::2],
        "debian 12 amd64",
        "1.0",
        "runtime-cccccccccccc",
        "c" * 40,
        "actions/runs/42",
        "attempt 2",
    ):
        assert text in done.out
    assert f"| {(built.dist / ARCHIVE).stat().st_size} |" in done.out
    assert "- ok: 2 archives in a folder" in done.out
    assert f"| {ARCHIVE} | ok | litellm 1.0 | 0 |" in done.out
    assert f"| {ARCHIVE.replace('amd64', 'arm64')} | not rehearsed | | |" in done.out


def test_attempts_that_nobody_could_list_are_not_told_as_none(built: World) -> None:
    document = {**json.loads(rehearsal(attempt="10.0.0.1:443/tcp")), "unlisted": "the log cannot be read"}
    (built.root / "rehearsed.json").write_text(json.dumps(document))
    done = built.run("report", "dist", "--rehearsal", "rehearsed.json", "--html", "record.html")
    assert f"| {ARCHIVE} | ok | litellm 1.0 | not known |" in done.out
    assert "not known" in (built.root / "record.html").read_text()


def test_a_record_is_written_whole_and_in_the_place_of_nothing_but_a_file(built: World) -> None:
    os.mkfifo(built.root / "pipe")
    done = built.run("report", "dist", "--out", "pipe")
    assert (done.code, "not a regular file" in done.err) == (2, True)
    (built.root / "record.md").write_text("before")
    before = {path.name for path in built.root.iterdir()}
    assert built.run("report", "dist", "--out", "record.md").code == 0
    assert (built.root / "record.md").read_text().startswith("# Delivery record")
    assert {path.name for path in built.root.iterdir()} == before


def test_the_summary_is_added_to(built: World) -> None:
    (built.root / "summary.md").write_text("before\n")
    assert built.run("report", "dist", GITHUB_STEP_SUMMARY="summary.md").code == 0
    assert (built.root / "summary.md").read_text().startswith("before\n# Delivery record")


def test_json_is_one_document(built: World) -> None:
    (built.root / "rehearsed.json").write_text(rehearsal(ok=False, attempt="1.2.3.4:443"))
    done = built.run("--json", "report", "dist", "--repo", "o/r", "--tag", "v1", "--rehearsal", "rehearsed.json")
    record = done.json()
    assert (record["repository"], record["tag"], record["run"]) == ("o/r", "v1", "")
    assert {asset["name"] for asset in record["assets"]} == {p.name for p in built.dist.iterdir()}
    assert record["rehearsals"][0]["ok"] is False
    asset = next(asset for asset in record["assets"] if asset["name"] == ARCHIVE)
    # What an archive is made of is told by its inputs; a commit is a repository's.
    assert re.fullmatch("[0-9a-f]{64}", asset["inputs"])
    assert asset["commit"] == record["commit"] == ""


def test_failures_are_recorded(built: World) -> None:
    (built.root / "rehearsed.json").write_text(rehearsal(ok=False, attempt="1.2.3.4:443"))
    release = {"repository": "o/r", "tag": "v1", "ok": False, "findings": ["x.tar.gz: differs"], "archives": []}
    (built.root / "verified.json").write_text(json.dumps({"ok": False, "archives": [], "releases": [release]}))
    done = built.run("report", "dist", "--verification", "verified.json", "--rehearsal", "rehearsed.json")
    assert done.code == 0
    assert "**NOT ok:** o/r@v1" in done.out
    assert "x.tar.gz: differs" in done.out
    assert "| FAILED: install | litellm 1.0 | 1 |" in done.out


def test_a_folder_that_disagrees_with_its_checksums_is_told_and_ends_with_3(built: World) -> None:
    with (built.dist / ARCHIVE).open("ab") as file:
        file.write(b"x")
    done = built.run("report", "dist")
    assert done.code == 3
    assert f"{ARCHIVE}: SHA-256 differs from SHA256SUMS expected" in done.err
    assert "**Wrong:**" in done.out


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"ok": "perhaps"}', '{"ok": true, "archives": 1}'])
def test_a_document_of_another_kind(built: World, content: str) -> None:
    (built.root / "x.json").write_text(content)
    for option in ("--verification", "--rehearsal"):
        done = built.run("report", "dist", option, "x.json")
        assert done.code == 2
        assert "x.json" in done.err


@pytest.mark.parametrize("words", [("nowhere",), ("dist", "--verification", "nowhere.json")])
def test_what_is_not_there(built: World, words: tuple[str, ...]) -> None:
    assert built.run("report", *words).code == 2


def test_what_others_say_is_no_markup(built: World, tmp_path: Path) -> None:
    evil = "a|b`c`<img src=x>[l](x)\n# title"
    (tmp_path / "x.json").write_text(rehearsal(f"dist/{evil}"))
    out = built.run("report", "dist", "--rehearsal", str(tmp_path / "x.json")).out
    assert not re.search(r"(?<!\\)[<`]", out)
    assert "\n# title" not in out
    assert "\\[l\\]" in out
    line = next(line for line in out.splitlines() if "img" in line)
    assert line.replace("\\|", "").count("|") == 5


def test_a_file_that_no_checksum_covers_is_told(built: World) -> None:
    (built.dist / "more.tar.gz").write_bytes(b"x")
    done = built.run("report", "dist")
    assert done.code == 3
    assert "more.tar.gz: surplus: not listed" in done.err


def test_a_file_that_is_no_archive_is_recorded_and_no_fault(built: World) -> None:
    (built.dist / f"{ARCHIVE}.sig").write_bytes(b"x")
    done = built.run("--json", "report", "dist")
    assert done.code == 0, done.err
    assert f"{ARCHIVE}.sig" in {asset["name"] for asset in done.json()["assets"]}


def verified(built: World, **digests: str) -> str:
    """What `verify` prints of a release that holds `dist/`, one part more, and other digests where given."""
    assets = [
        {
            "name": p.name,
            "size": p.stat().st_size,
            "sha256": digests.get(p.name[:-7], hashlib.sha256(p.read_bytes()).hexdigest()),
        }
        for p in built.dist.iterdir()
    ]
    assets.append({"name": "big.tar.gz.part-000", "size": 7, "sha256": "e" * 64})
    release = {"repository": "o/r", "tag": "v1", "ok": True, "findings": [], "archives": [], "assets": assets}
    return json.dumps({"ok": True, "archives": [], "releases": [release]})


def test_what_was_published_is_compared_with_the_folder(built: World) -> None:
    path = built.root / "verified.json"
    path.write_text(verified(built, SHA2="f" * 64))
    done = built.run("report", "dist", "--verification", "verified.json")
    assert done.code == 0, done.err
    assert f"| big.tar.gz.part-000 |  |  | 7 | {'e' * 64} |" in done.out
    path.write_text(verified(built, **{ARCHIVE[:-7]: "f" * 64}))
    done = built.run("report", "dist", "--verification", "verified.json")
    assert done.code == 3
    assert f"actual {'f' * 64} on o/r@v1" in done.err
    assert "**Wrong:**" in done.out


def test_the_release_s_commit_is_the_one_that_was_found(built: World) -> None:
    document = json.loads(verified(built))
    document["releases"][0]["commit"] = "d" * 40
    (built.root / "verified.json").write_text(json.dumps(document))
    words = ("--json", "report", "dist", "--verification", "verified.json")
    assert built.run(*words, "--tag", "v1").json()["commit"] == "d" * 40
    assert built.run(*words, "--tag", "v2").json()["commit"] == ""
    assert built.run(*words, "--commit", "e" * 40).json()["commit"] == "e" * 40


def test_a_job_without_a_result_does_not_keep_the_record_from_being_written(built: World) -> None:
    failed = built.run("--json", "verify", "nowhere")
    assert failed.code == 2
    (built.root / "verified.json").write_text(failed.out)
    (built.root / "refused.json").write_text('{"error": {"message": "the API refused", "exit_code": 4}}')
    failed = built.run("--json", "rehearse", "nowhere.tar.gz")
    assert failed.code == 2
    (built.root / "debian-12-amd64.json").write_text(failed.out)
    words = ("--verification", "verified.json", "--verification", "refused.json")
    done = built.run("report", "dist", *words, "--rehearsal", "debian-12-amd64.json")
    assert done.code == 0, done.err
    assert "- **NOT ok:** no result: nowhere is not there" in done.out
    assert "- **NOT ok:** refused.json: no result: the API refused" in done.out
    assert "| debian-12-amd64.json | FAILED: no result: nowhere.tar.gz is not a file | | |" in done.out
    assert "Not verified." not in done.out
