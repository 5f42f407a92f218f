"""The site of the documents: `.venv/bin/nox -s docs` makes it in site/, from the Markdown files as they are.

Sphinx with MyST and Furo, and no extension of our own. It loads nothing from other hosts and searches without a server,
so the folder can be read from a USB stick. The documents link each other as files, as they do on GitHub; `PAGES` is the
order of the site.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

_HERE = Path(__file__).parent

# A page that is named nowhere fails the build.
PAGES = {
    "Start": ("targets", "your-application", "verifying", "installing", "operate"),
    "Make": (
        "manifests", "locking", "components", "rehearsal", "database", "offline-package", "store",
    ),
    "Release": (
        "publishing", "releasing", "delta", "sets", "workflows", "audit", "provenance", "determinism", "pictures",
    ),
    "Reference": ("commands", "manifest-keys", "exit-codes", "json", "json-documents"),
    "Why": ("guarantees", "benchmarks", "growth", "limits", "architecture", "adr/README", "../SECURITY"),
    "Project": ("../CONTRIBUTING", "../CHANGELOG"),
}  # fmt: skip

project = "aiws-bundle"
author = copyright = ""
root_doc = "docs/index"
extensions = ["myst_parser"]
include_patterns = ["docs/**.md", "*.md"]
exclude_patterns = ["README.md", ".*", "bundler", "tests", "benchmarks", "manifests", "examples", "site"]
nitpicky = True
# Blocks without a language are shown as they are.
highlight_language = "text"
myst_heading_anchors = 4
# Dates, tags and names of others are no links unless they are written as ones.
myst_linkify_fuzzy_links = False
smartquotes = False

html_theme = "furo"
html_title = "aiws-bundle"
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
html_last_updated_fmt = None
html_use_index = False
html_static_path = ["static"]
html_css_files = ["site.css"]
# What leads from the top of the folder to the first page.
html_extra_path = ["top"]
html_theme_options: dict[str, list[str]] = {"top_of_page_buttons": []}


def setup(app: Sphinx) -> None:
    """Put the order of the pages where Sphinx looks for it, so that the documents need not hold it."""
    app.connect("source-read", _with_pages)


def _with_pages(app: Sphinx, name: str, source: list[str]) -> None:
    if name == root_doc:
        for title, pages in PAGES.items():
            source[0] += _tree((page for page in pages if (_HERE / f"{page}.md").exists()), f":caption: {title}\n")
    if name == "docs/adr/README":
        source[0] += _tree(sorted(path.stem for path in (_HERE / "adr").glob("[0-9]*.md")))


def _tree(pages: Iterable[str], options: str = "") -> str:
    listed = "".join(f"{page}\n" for page in pages)
    return f"\n```{{toctree}}\n:hidden:\n{options}\n{listed}```\n"
