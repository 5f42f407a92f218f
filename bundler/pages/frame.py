"""The frame of a page: its head, its one style, its one script, and the policy that lets nothing else in.

Content Security Policy (W3C, level 3): `default-src 'none'`, and style and script by their SHA-256. A page asks no
network, and what archives say can bring nothing to run.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from functools import cache
from importlib.resources import files

from bundler import __version__
from bundler.pages.markup import Child, Markup, element, joined, shown

_ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
    "%3Crect width='9' height='16' rx='1.5' fill='%232b63a8'/%3E"
    "%3Crect x='10' width='6' height='9' rx='1.5' fill='%237aa7dc'/%3E"
    "%3Crect x='10' y='10' width='6' height='6' rx='1.5' fill='%23b9d3f0'/%3E%3C/svg%3E"
)


def page(kind: str, title: str, body: Child, rules: str = "") -> str:
    """A whole document: what kind of page it is and its title, which is its heading too. `rules` are CSS of its own."""
    style, script = f"{_file('page.css')}{rules}", _file("page.js")
    policy = (
        f"default-src 'none'; style-src 'sha256-{_digest(style)}'; script-src 'sha256-{_digest(script)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    head = (
        '<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f'<meta name="generator" content="aiws-bundle {shown(__version__)}">\n'
        f'<link rel="icon" href="{_ICON}">\n'
        f"<title>{shown(title)}</title>\n<style>{style}</style>\n"
    )
    heading = element("header", element("p", kind, class_="kind"), element("h1", title))
    foot = element(
        "footer", f"Made by aiws-bundle {__version__}. This page holds all that it shows and asks no network."
    )
    inner = joined((heading, element("main", body), foot)).text
    whole = f"<head>\n{head}</head>\n<body>\n{inner}\n<script>{script}</script>\n</body>"
    return f'<!doctype html>\n<html lang="en">\n{whole}\n</html>\n'


def section(name: str, heading: str, *children: Child) -> Markup:
    """A part of a page, which can be led to by its name."""
    return element(
        "section", element("h2", heading, id=f"{name}-heading"), *children, id=name, aria_labelledby=f"{name}-heading"
    )


def summary(figures: Iterable[tuple[str, str]], *children: Child) -> Markup:
    """A page's first part: numbers with what they count, then what else is to be seen at once."""
    told = [element("li", element("b", number), " ", what) for number, what in figures]
    return element("section", element("ul", told, class_="figures"), *children, aria_label="Summary")


def facts(rows: Iterable[tuple[str, Child]]) -> Markup:
    """Labels, and what they tell."""
    return element(
        "dl", [element("div", element("dt", label), element("dd", told)) for label, told in rows], class_="facts"
    )


@cache
def _file(name: str) -> str:
    return files("bundler.pages").joinpath(name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
