"""A project's page of a package index, as HTML (PEP 503) or JSON (PEP 691, 700), read in bounded time and memory."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from bundler.errors import printable
from bundler.model.json_text import limited

JSON = "application/vnd.pypi.simple.v1+json"
ACCEPT = f"{JSON}, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
LARGEST_PAGE = 32 << 20
_MOST_FILES = 100_000
# A file has about 15 values in 4 objects; this is for 60,000 of them.
_MOST_VALUES = 1_200_000
_MOST_ANCHORS = 4 * _MOST_FILES
_MOST_ATTRIBUTES = 32
_LONGEST_ADDRESS = 4096
_LONGEST_SHORT = 200
_TOLD = (b"data-requires-python", b"data-yanked", b"data-provenance")
_DIGEST = re.compile(r"[0-9a-f]{1,64}")
# An address that urljoin, which takes ten times as long, would leave as it is: a page has thousands.
_WHOLE = re.compile(r"https?://[a-z0-9.-]+(?::[0-9]+)?(?:/[A-Za-z0-9_+-][A-Za-z0-9_.+-]*+)++")
# Each looks at a byte once or twice, whatever the page is: nothing here can be made to look back.
_OPENING = re.compile(rb"<!--|<a(?=[\s/>])", re.IGNORECASE)
_ATTRIBUTE = re.compile(rb"""[\s/]*+([^\s"'<>/=]++)(?:\s*+=\s*+("[^"]*+"|'[^']*+'|[^\s"'<>]++))?+""")


@dataclass(frozen=True)
class IndexFile:
    """A file that an index lists; its digest and its size in bytes, if it tells them.

    `requires_python` is what its metadata says of Python, `uploaded` the time of its upload. A
    `yanked` one should not be chosen any more (PEP 592), for that `reason`. `provenance` is the address of its
    attestations (PEP 740). Each is "" if the index does not tell.
    """

    filename: str
    address: str
    sha256: str | None
    size: int | None = None
    requires_python: str = ""
    uploaded: str = ""
    yanked: bool = False
    reason: str = ""
    provenance: str = ""


def read_page(content: bytes, media_type: str, base: str) -> tuple[IndexFile, ...]:
    """Return the wheels on a page that came from the address `base`. Raises ValueError if it is no such page."""
    files = _from_json(content, base) if media_type == JSON else _from_html(content, base)
    found: list[IndexFile] = []
    for file in files:
        if len(found) == _MOST_FILES:
            raise ValueError(f"it lists more than {_MOST_FILES} files")
        found.append(file)
    return tuple(found)


def _from_json(content: bytes, base: str) -> Iterator[IndexFile]:
    try:
        page: object = json.loads(limited(content, _MOST_VALUES))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    files = page.get("files") if isinstance(page, dict) else None
    if not isinstance(files, list):
        raise ValueError("it has no list of files")  # noqa: TRY004 - of a value that somebody sent
    for file in files:
        if not isinstance(file, dict):
            raise ValueError("a file is no object")  # noqa: TRY004
        filename, url, hashes, size = (file.get(key) for key in ("filename", "url", "hashes", "size"))
        if not (isinstance(filename, str) and isinstance(url, str) and isinstance(hashes, dict | None)):
            raise ValueError("a file lacks its name or address")  # noqa: TRY004
        if filename.endswith(".whl") and (address := _joined(base, url)):
            known = size if type(size) is int and 0 <= size < 1 << 53 else None
            digest = _digest(hashes.get("sha256") if hashes else None)
            python, uploaded = _short(file.get("requires-python")), _short(file.get("upload-time"))
            yanked, proof = file.get("yanked", False), file.get("provenance")
            yield IndexFile(
                filename, address, digest, known, python, uploaded,
                yanked is not False, _reason(yanked), _joined(base, proof) if isinstance(proof, str) else "",
            )  # fmt: skip


def _from_html(content: bytes, base: str) -> Iterator[IndexFile]:
    for reference, attributes in _references(content):
        address, fragment = urldefrag(_joined(base, reference))
        filename = unquote(urlsplit(address).path.rpartition("/")[2])
        algorithm, _, digest = fragment.partition("=")
        if filename.endswith(".whl"):
            known = _digest(digest) if algorithm == "sha256" else None
            told = {name: html.unescape(value.decode("utf-8", "replace")) for name, value in attributes.items()}
            yanked, proof = told.get(b"data-yanked"), told.get(b"data-provenance")
            yield IndexFile(
                filename, address, known, None, _short(told.get(b"data-requires-python")), "",
                yanked is not None, _reason(yanked), _joined(base, proof) if proof else "",
            )  # fmt: skip


def _references(content: bytes) -> Iterator[tuple[str, dict[bytes, bytes]]]:
    """Yield what the anchors outside of comments refer to, and what else they say of it (PEP 503, 592)."""
    at = count = 0
    while opening := _OPENING.search(content, at):
        at, count = opening.end(), count + 1
        if count > _MOST_ANCHORS:
            raise ValueError(f"it has more than {_MOST_ANCHORS} links")
        if opening[0] == b"<!--":
            end = content.find(b"-->", at)
            at = len(content) if end < 0 else end + 3
            continue
        reference, told = None, dict[bytes, bytes]()
        for _ in range(_MOST_ATTRIBUTES):
            if (attribute := _ATTRIBUTE.match(content, at)) is None:
                break
            at = attribute.end()
            name, value = attribute.groups()
            if name.lower() in _TOLD:
                told.setdefault(name.lower(), (value or b"").strip(b"\"'"))
            if reference is None and name.lower() == b"href" and value and len(value) <= _LONGEST_ADDRESS:
                reference = html.unescape(value.strip(b"\"'").decode("utf-8", "replace")).strip()
        if reference:
            yield reference, told


def _joined(base: str, reference: str) -> str:
    """The address that a page refers to; "" for one that is longer than any. Raises ValueError if it is none."""
    if len(reference) > _LONGEST_ADDRESS:
        return ""
    return reference if _WHOLE.fullmatch(reference) else urljoin(base, reference)


def _short(text: object) -> str:
    """A short text; "" for anything else."""
    return text if isinstance(text, str) and len(text) <= _LONGEST_SHORT else ""


def _reason(text: object) -> str:
    """Why a file was yanked, in a line that is not too long."""
    return printable(" ".join(text.split())[:_LONGEST_SHORT]) if isinstance(text, str) else ""


def _digest(text: object) -> str | None:
    """A digest in lower case. None, which is to say unknown, for what is none: the download's own will tell."""
    digest = text.lower() if isinstance(text, str) else ""
    return digest if _DIGEST.fullmatch(digest) else None
