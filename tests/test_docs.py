"""The documents: pages and their places in the site, links, and what the program tells of itself."""

from __future__ import annotations

import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.documents import GENERATED, PAGES, ROOT, WRITTEN, blocks, text_of
from tests.test_contributing import slug


@pytest.mark.parametrize("page", WRITTEN)
def test_blocks_say_what_they_are(page: str) -> None:
    """An indented block that looks like a command is one; a fenced one has a language, `sh` where people type it."""
    assert {block.language.partition(" ")[0] for block in blocks(page)} <= {
        "",
        "sh",
        "yaml",
        "json",
        "toml",
        "text",
        "ini",
    }


def test_the_pages_that_the_program_tells_are_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "docs")
    made: dict[str, str] = runpy.run_path(str(ROOT / "docs" / "reference.py"))["pages"]()
    assert {f"docs/{name}" for name in made} == set(GENERATED)
    for name, text in made.items():
        assert text == text_of(f"docs/{name}"), f"docs/{name}: run `python docs/reference.py`"


def test_every_page_has_its_place_in_the_site() -> None:
    listed = [page for pages in runpy.run_path(str(ROOT / "docs" / "conf.py"))["PAGES"].values() for page in pages]
    assert len(listed) == len(set(listed))
    named = {(ROOT / "docs" / f"{page}.md").resolve().relative_to(ROOT).as_posix() for page in listed}
    assert {page for page in PAGES if not page.startswith("docs/adr/0")} - named == {"README.md", "docs/index.md"}


@pytest.mark.parametrize("page", [page for page in PAGES if "/adr/" not in page])
def test_a_page_begins_with_its_title_and_what_it_is_for(page: str) -> None:
    title, first = text_of(page).split("\n\n")[:2]
    assert re.fullmatch(r"# [^\n]+", title)
    assert re.match(r"(?![|`*#] |    |```|\d\.)\S", first), first
    assert len(re.findall(r"^# ", re.sub(r"^```.*?^```", "", text_of(page), flags=re.M | re.S), re.MULTILINE)) == 1


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_to_a_file_and_to_a_heading_in_it(page: str) -> None:
    prose = re.sub(r"`[^`\n]*`", "", re.sub(r"^```.*?^```", "", text_of(page), flags=re.M | re.S))
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if re.match(r"https?://|mailto:", target) or target == "file":
            continue
        name, _, anchor = target.partition("#")
        path = (ROOT / page).parent / name if name else ROOT / page
        assert path.is_file(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in [slug(heading) for heading in headings], target


def test_documents_name_files_of_the_project_that_are_there() -> None:
    for page in WRITTEN:
        if page == "CHANGELOG.md":
            continue
        for name in re.findall(r"`((?:tests|bundler|docs|\.github)/[\w./-]+\w)`", text_of(page)):
            assert (ROOT / name).exists(), f"{page}: {name}"


LINKS: Any = runpy.run_path(str(ROOT / "docs" / "links.py"))


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("<a href='b.html#there'>", ""),
        ("<a href='b.html#gone'>", "no such anchor"),
        ("<a href='#gone'>", "no such anchor"),
        ("<a href='gone.html'>", "no such file"),
        ("<a href='https://example.org/x'>", ""),
        ("<img src='b.png'>", "no such file"),
        ("<script src='https://example.org/x.js'></script>", "is on another host"),
        ("<link rel='preconnect' href='//fonts.example.org'>", "is on another host"),
    ],
)
def test_a_link_or_an_asset_that_is_not_there_is_noticed(body: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(f"<html><body>{body}</body></html>")
    (tmp_path / "b.html").write_text("<h1 id='there'>")
    found = LINKS["problems"](tmp_path)
    assert len(found) == bool(told)
    assert all(line.endswith(told) for line in found)


def test_styles_that_fetch_something_are_noticed(tmp_path: Path) -> None:
    (tmp_path / "a.css").write_text(
        "@import url(https://example.org/a.css); b { background: url(data:image/png;base64,) }"
    )
    assert len(LINKS["problems"](tmp_path)) == 1
    assert LINKS["main"](tmp_path) == 1


@pytest.mark.slow
@pytest.mark.parametrize("wrong", ["", "[a](gone.md)", "[a](targets.md#gone)", "[a](../gone.txt)"])
def test_the_site_is_made_of_documents_as_they_are_and_a_wrong_link_fails_it(wrong: str, tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    for name in ("top", "static"):
        shutil.copytree(ROOT / "docs" / name, docs / name)
    shutil.copy(ROOT / "docs" / "conf.py", docs)
    (docs / "index.md").write_text(f"# Start\n\nSee [targets](targets.md#two). {wrong}\n")
    (docs / "targets.md").write_text("# Targets\n\n## Two\n\nText.\n")
    words = ["sphinx-build", "-q", "-W", "-b", "html", "-c", "docs", ".", "site"]
    made = Path(sys.executable).parent / words[0]
    done = subprocess.run([made, *words[1:]], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode == 0) == (not wrong), done.stderr
    if not wrong:
        assert LINKS["problems"](tmp_path / "site") == []
        assert (tmp_path / "site" / "index.html").is_file()
