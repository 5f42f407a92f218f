"""Looks at a site as a browser without a network would: `python docs/links.py SITE` ends with 1 if one leads nowhere.

A link has to lead to a file of the site, and to an anchor in it if it names one; what a page needs to be shown (styles,
scripts, pictures, fonts) has to be in the site too. Links to other hosts are for people to follow and are counted only.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

_LINKS = ("a", "area")


@dataclass
class Page(HTMLParser):
    """What a page links, needs and offers: addresses of both, anchors."""

    links: list[str] = field(default_factory=list)
    assets: list[str] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what one tag links, needs or offers."""
        told = {name: value for name, value in attrs if value is not None}
        self.anchors |= {told[name] for name in ("id", "name") if name in told}
        self.links += [told["href"]] if tag in _LINKS and "href" in told else []
        self.assets += [told["href"]] if tag == "link" and "href" in told else []
        self.assets += [told["src"]] if "src" in told else []


@cache
def read(path: Path) -> Page:
    """The page in a file."""
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def problems(site: Path) -> list[str]:
    """What is wrong with the links and assets of a site, each in one line."""
    found = []
    for path in sorted(site.rglob("*.html")):
        page, name = read(path), path.relative_to(site)
        for address in page.links:
            if not _outside(address) and (wrong := _wrong(path, address)):
                found.append(f"{name}: {address}: {wrong}")
        for address in page.assets:
            wrong = "is on another host" if _outside(address) else _wrong(path, address)
            found += [f"{name}: {address}: {wrong}"] if wrong else []
    for path in sorted(site.rglob("*.css")):
        needed = re.findall(r"""(?:url\(|@import\s+(?!url))\s*["']?([^"')\s;]+)""", path.read_text(encoding="utf-8"))
        outside = [address for address in needed if _outside(address) and not address.startswith("data:")]
        found += [f"{path.relative_to(site)}: {address}: is on another host" for address in outside]
    return found


def _outside(address: str) -> bool:
    return bool(urlsplit(address).scheme or urlsplit(address).netloc)


def _wrong(page: Path, address: str) -> str:
    parts = urlsplit(address)
    target = page.parent / unquote(parts.path) if parts.path else page
    if not target.is_file():
        return "no such file"
    anchor = unquote(parts.fragment)
    return "no such anchor" if anchor and target.suffix == ".html" and anchor not in read(target).anchors else ""


def main(site: Path) -> int:
    """Print what is wrong, else how much was looked at; the exit code."""
    found = problems(site)
    pages = [read(path) for path in site.rglob("*.html")]
    links = [address for page in pages for address in page.links]
    outside = sum(map(_outside, links))
    told = f"{len(pages)} pages, {len(links) - outside} links within the site, {outside} to other hosts"
    sys.stdout.write("".join(f"{line}\n" for line in [*found, told]))
    return 1 if found or not pages else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
