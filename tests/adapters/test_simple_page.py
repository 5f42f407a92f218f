"""Index pages of any bytes: read, or refused with a ValueError, in little time and memory."""

from __future__ import annotations

import json
import resource
import sys
import time
from html.parser import HTMLParser
from subprocess import run
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bundler.adapters import simple_page
from bundler.adapters.simple_page import _WHOLE, JSON, IndexFile, _joined, read_page
from bundler.errors import IntegrityError
from bundler.model.release import Asset, read_json
from tests.model.samples import examples

BASE = "https://index.test/simple/demo/"
HTML = "text/html"
NAME = "demo-1-py3-none-any.whl"
DIGEST = "0123456789abcdef" * 4


def page(**facts: object) -> bytes:
    return json.dumps({"files": [{"filename": NAME, "url": NAME, **facts}]}).encode()


def only(content: bytes, kind: str = JSON) -> IndexFile:
    (found,) = read_page(content, kind, BASE)
    return found


def test_a_file_has_its_facts() -> None:
    known = only(page(hashes={"sha256": DIGEST.upper(), "md5": "x"}, size=7))
    assert known == IndexFile(NAME, BASE + NAME, DIGEST, 7)


@pytest.mark.parametrize("yanked", [True, "", "withdrawn"])
def test_what_pip_chooses_by_is_known(yanked: object) -> None:
    told = {"requires-python": ">=3.9,<4", "upload-time": "2026-05-01T10:00:00.5Z", "yanked": yanked}
    known = only(page(**told))
    assert (known.requires_python, known.uploaded, known.yanked) == (">=3.9,<4", "2026-05-01T10:00:00.5Z", True)
    plain = only(page(yanked=False, **{"requires-python": None, "upload-time": 7}))
    assert (plain.requires_python, plain.uploaded, plain.yanked) == ("", "", False)
    anchor = only(f'<a data-yanked data-requires-python="&gt;=3.9" href="{NAME}">x</a>'.encode(), HTML)
    assert (anchor.requires_python, anchor.yanked) == (">=3.9", True)
    assert not only(f'<a href="{NAME}">x</a>'.encode(), HTML).yanked


def test_why_a_file_was_yanked_and_where_its_attestations_are_is_known() -> None:
    known = only(page(yanked="leaks\n keys\x1b[31m", provenance="../../integrity/demo"))
    assert (known.yanked, known.reason) == (True, "leaks keys\ufffd[31m")
    assert known.provenance == "https://index.test/integrity/demo"
    text = f'<a data-yanked="it&#39;s bad" data-provenance="/p?a&amp;b" href="{NAME}">x</a>'
    anchor = only(text.encode(), HTML)
    assert (anchor.reason, anchor.provenance) == ("it's bad", "https://index.test/p?a&b")
    for odd in (None, 7, ["x"], "x" * 5000):
        assert only(page(yanked=True, provenance=odd)).provenance == ""
    assert only(page(yanked="x" * 5000)).reason == "x" * 200


@pytest.mark.parametrize("size", [-1, 1 << 60, 10**400, 1.5, True, "7", [7], None])
def test_a_size_that_is_none_is_unknown(size: object) -> None:
    assert only(page(size=size)).size is None


@pytest.mark.parametrize("digest", ["", "xyz", "0" * 65, "\x1b[2J", 1, None, ["0"], {"a": 1}])
def test_a_digest_that_is_none_is_unknown(digest: object) -> None:
    assert only(page(hashes={"sha256": digest})).sha256 is None
    if isinstance(digest, str):
        assert only(f'<a href="{NAME}#sha256={digest}">x</a>'.encode(), HTML).sha256 is None


@pytest.mark.parametrize(
    "content",
    [
        b'{"files": {}}',
        b'{"files": [[]]}',
        b'{"files": [{"filename": 1, "url": "a.whl"}]}',
        b'{"files": [{"filename": "a.whl", "url": ["a.whl"]}]}',
        b'{"files": [{"filename": "a.whl", "url": "a.whl", "size": %s}]}' % (b"9" * 5000),
        b'{"files": [{"filename": "a.whl", "url": "http://[x/a.whl"}]}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"\xff",
        b'{"files": [' + b"[]," * 300_000 + b"[]]}",
        b"[" + b"1," * 1_100_000 + b"1]",
    ],
)
def test_json_that_is_no_page_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError):
        read_page(content, JSON, BASE)


@pytest.mark.parametrize(
    "content",
    [b'{"files": [], "x": [' + b"[]," * 700_000 + b"[]]}", b'{"files": [], "x": [' + b"1," * 1_300_000 + b"1]}"],
)
def test_json_that_would_take_much_memory_is_not_parsed(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"more than [0-9]+ values"):
        read_page(content, JSON, BASE)
    with pytest.raises(IntegrityError, match=r"more than [0-9]+ values"):
        read_json(Asset, content, "owner/repo")


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"<![a[", []),
        (b"<![a[<a href=demo.whl>", ["demo.whl"]),
        (b"<!-- <a href='a.whl'> --><a href='b.whl'>", ["b.whl"]),
        (b"<!-- <a href='a.whl'>", []),
        (b"<abbr href='a.whl'><A\nCLASS = x\tHREF = 'b.whl'>", ["b.whl"]),
        (b"<a data-x='>' href=\"b.whl\">", ["b.whl"]),
        (b"<a href='a.whl' href='b.whl'>", ["a.whl"]),
        (b"<a href='&#x61;.whl'><a href='&#" + b"9" * 4000 + b";.whl'>", ["a.whl", "\ufffd.whl"]),
        (b"<a href='" + b"a" * 5000 + b".whl'>", []),
        (b"<a " + b"x " * 100 + b"href=a.whl>", []),
    ],
    ids=range(10),
)
def test_an_odd_html_page_is_read_for_its_links(content: bytes, found: list[str]) -> None:
    assert [file.filename for file in read_page(content, HTML, BASE)] == found


def test_a_page_lists_so_many_files_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (simple_page._MOST_FILES, simple_page._MOST_ANCHORS) == (100_000, 400_000)
    monkeypatch.setattr(simple_page, "_MOST_FILES", 1_000)
    monkeypatch.setattr(simple_page, "_MOST_ANCHORS", 4_000)
    assert len(read_page(b"<a href=a.whl>" * 1_000, HTML, BASE)) == 1_000
    assert read_page(b"<a b>" * 4_000, HTML, BASE) == ()
    for content in (b"<a href=a.whl>" * 1_001, b"<a b>" * 4_001):
        with pytest.raises(ValueError, match="more than"):
            read_page(content, HTML, BASE)


class Browser(HTMLParser):
    """Links as the standard library's parser finds them."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        first = next((value for name, value in attrs if name == "href"), None)
        if tag == "a" and first:
            self.found.append(first)


WORD = st.text("abcXYZ019-._%&;+/=? ", min_size=1, max_size=12).map(lambda text: f"{text.strip()}.whl")


@given(
    st.lists(st.tuples(WORD, st.sampled_from(["'", '"']), st.sampled_from(["", " data-yanked", " x='>'", "\n b=c"])))
)
@settings(max_examples=30, deadline=None)
def test_proper_anchors_are_read_as_the_standard_library_reads_them(anchors: list[tuple[str, str, str]]) -> None:
    text = "<!DOCTYPE html><html><body>" + "<br>\n".join(f"<a{more} href={q}{w}{q}>w</a>" for w, q, more in anchors)
    browser = Browser()
    browser.feed(text)
    found = [file.address for file in read_page(text.encode(), HTML, BASE)]
    expected = [urldefrag(urljoin(BASE, link)).url for link in browser.found]
    assert found == [address for address in expected if unquote(urlsplit(address).path).endswith(".whl")]


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.just(NAME),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["files", "filename", "url", "hashes", "sha256", "size"]), inner, max_size=5)
    ),
    max_leaves=20,
)
PIECES = [
    b"<a",
    b" href",
    b"=",
    b"'",
    b'"',
    b">",
    b"<!--",
    b"-->",
    b"<![",
    b"[",
    b"/",
    b" ",
    b".whl",
    b"#sha256=",
    b"&#",
    b";",
    b"http://[",
    b"//",
    b"\\",
    b"@",
    b"\0",
    b"\xff",
    b"<?",
    b"</",
    b"9",
    b"file:",
    b"data:,",
]


def any_page(content: bytes, kind: str) -> None:
    try:
        files = read_page(content, kind, BASE)
    except ValueError:
        return
    assert all(type(file.filename) is type(file.address) is str for file in files)


@given(JSON_VALUES, st.lists(st.sampled_from(PIECES), max_size=40), st.binary(max_size=40))
@settings(max_examples=examples(60), deadline=None)
def test_any_page_is_read_or_refused(value: object, pieces: list[bytes], noise: bytes) -> None:
    any_page(json.dumps(value).encode(), JSON)
    any_page(json.dumps({"files": [value]}).encode(), JSON)
    for content in (b"".join(pieces), noise):
        any_page(content, HTML)
        any_page(content, JSON)


@pytest.mark.slow
@given(JSON_VALUES, st.lists(st.sampled_from(PIECES), max_size=200), st.binary(max_size=200))
@settings(max_examples=500, deadline=None)
def test_any_page_is_read_or_refused_at_length(value: object, pieces: list[bytes], noise: bytes) -> None:
    any_page(json.dumps({"files": [value]}).encode(), JSON)
    for content in (b"".join(pieces), noise):
        any_page(content, HTML)
        any_page(content, JSON)


BOMBS = [
    "<a a ",
    "<a a=b ",
    "<a ",
    "<a '",
    "<a \"' ",
    '<a \'"" ',
    "<![a[",
    "<!--",
    "<!-- --",
    "<a href=a.whl>",
    "<a  ",
    "<a x= ",
    "<a href='&#99999999",
    "[],",
    '{"a":{}},',
    "1.5,",
    '"ab",',
    "[",
    '{"filename":"a.whl","url":"a.whl"},',
    '"\\u0041',
]
# 8 MB of each, read in both ways in a process of its own: the most memory that it took, and the longest time.
MEASURE = """
import sys, time
from bundler.adapters.simple_page import JSON, read_page
unit = sys.argv[1].encode()
content = unit * (8_000_000 // len(unit))
slowest = 0.0
for text, kind in ((content, "text/html"), (b"<a " + content, "text/html"), (b'{"files":[' + content + b"0]}", JSON)):
    began = time.process_time()
    try:
        read_page(text, kind, "https://a.test/x/")
    except ValueError:
        pass
    slowest = max(slowest, time.process_time() - began)
print(slowest, int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) >> 10)
"""


@pytest.mark.slow
@pytest.mark.parametrize("unit", BOMBS)
def test_a_bomb_takes_neither_time_nor_memory(unit: str) -> None:
    def limits() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (600 << 20, 600 << 20))

    began = time.monotonic()
    done = run([sys.executable, "-c", MEASURE, unit], capture_output=True, text=True, timeout=60, preexec_fn=limits)
    assert done.returncode == 0, done.stderr
    seconds, megabytes = map(float, done.stdout.split())
    assert seconds < 10  # processor time; half of it on an idle machine, and what is not linear takes minutes
    assert megabytes < 200
    assert time.monotonic() - began < 60


@example("https://a/b?", "https://h.test/simple/x/")
@example("https://a/b#", "https://h.test/simple/x/")
@example("http://a/b;", "http://a/b")
@example("http:/b", "http://a/b")
@given(
    st.from_regex(_WHOLE, fullmatch=True) | st.text("htps:/.-_+%?#;@[]aZ09~ \t\n\\", max_size=30),
    st.sampled_from(["https://h.test/simple/x/", "http://a/b"]),
)
def test_an_address_that_is_whole_is_what_a_browser_would_make_of_it(reference: str, base: str) -> None:
    try:
        wanted = urljoin(base, reference)
    except ValueError:
        with pytest.raises(ValueError):
            _joined(base, reference)
    else:
        assert _joined(base, reference) == wanted
