from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.errors import IntegrityError
from bundler.kinds.wheelhouse.members.archive_manifest import (
    ArchiveManifest,
    PythonFacts,
    differs,
    parse,
    render,
)
from bundler.model.bundle import Entry, File, Folder, Link, text_file
from bundler.model.contents import ListedFile
from bundler.model.interpreter import Interpreter
from bundler.model.paths import path_fault
from bundler.payloads.prisma.facts import DatabaseFacts
from tests.model.samples import PROPERTY

A, B = "a" * 64, "b" * 64
FACTS = ArchiveManifest(
    component="litellm",
    commit="c" * 40,
    distro="debian",
    version="12",
    arch="amd64",
    inputs=A,
    requirement="litellm[proxy]==1.0",
    requirements=("litellm[proxy]==1.0", "prisma", "pip>=25.1"),
    python=PythonFacts("3.11.2", "system", "2.36"),
    sections={"database": DatabaseFacts(supported=False, reason="the manifest asks for none")},
)
ENTRIES: tuple[Entry, ...] = (
    Folder("metadata"),
    File("install.sh", 7, A, b"", executable=True),
    File("packages/pip/x.whl", 9, B, b""),
    Link("packages/python/bin/python", "python3.13"),
)
LISTED = (
    ListedFile("install.sh", 7, A, executable=True),
    ListedFile("packages/pip/x.whl", 9, B),
    ListedFile("packages/python/bin/python", link="python3.13"),
)
CONTENT = render(FACTS, ENTRIES)


def changed(**values: Any) -> bytes:
    """The file with some of its values replaced; None takes one away."""
    document = {**json.loads(CONTENT), **values}
    return json.dumps({key: value for key, value in document.items() if value is not None}).encode()


def refused(content: bytes) -> str:
    with pytest.raises(IntegrityError) as caught:
        parse(content)
    assert caught.value.message.startswith("manifest.json: ")
    return caught.value.message


def test_what_is_written_is_read_back_with_every_file() -> None:
    assert parse(CONTENT) == replace(FACTS, files=LISTED)


def test_a_portable_python_has_the_digest_of_what_it_is_taken_from() -> None:
    facts = replace(FACTS, python=PythonFacts("3.13.1", "portable", "2.17", B))
    assert json.loads(render(facts, ENTRIES))["python"]["sha256"] == B
    assert parse(render(facts, ENTRIES)).python_part.sha256 == B
    assert parse(CONTENT).python_part.sha256 == ""


def test_the_file_is_exactly_this_text() -> None:
    assert (
        render(replace(FACTS, requirements=("a",)), ENTRIES[1:2]).decode()
        == f"""\
{{
 "component": "litellm",
 "commit": "{"c" * 40}",
 "distro": "debian",
 "version": "12",
 "arch": "amd64",
 "inputs": "{A}",
 "requirement": "litellm[proxy]==1.0",
 "requirements": [
  "a"
 ],
 "python": {{
  "version": "3.11.2",
  "source": "system",
  "glibc": "2.36"
 }},
 "database": {{
  "supported": false,
  "reason": "the manifest asks for none"
 }},
 "files": [
  {{
   "path": "install.sh",
   "size": 7,
   "sha256": "{A}",
   "executable": true
  }}
 ]
}}
"""
    )


def test_what_the_consumers_read_is_text() -> None:
    document = json.loads(CONTENT)
    read = {key: document[key] for key in ("component", "commit", "distro", "version", "arch")}
    assert read == {"component": "litellm", "commit": "c" * 40, "distro": "debian", "version": "12", "arch": "amd64"}


_TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=12)
_PATHS = _TEXTS.filter(lambda text: path_fault(text) is None)
_ENTRIES = st.one_of(
    st.builds(text_file, _PATHS, st.binary(max_size=4), executable=st.booleans()),
    st.builds(Link, _PATHS, _PATHS),
)


@PROPERTY
@given(st.lists(_ENTRIES, max_size=4), st.sampled_from(["amd64", "arm64"]), st.sampled_from(["system", "portable"]))
def test_any_entries_come_back(entries: list[Entry], arch: Any, source: Any) -> None:
    facts = replace(FACTS, arch=arch, python=replace(FACTS.python, source=source))
    read = parse(render(facts, entries))
    assert replace(read, files=()) == facts
    for entry, listed in zip(entries, read.files, strict=True):
        if isinstance(entry, File):
            assert listed == ListedFile(entry.path, entry.size, entry.sha256, entry.executable)
        elif isinstance(entry, Link):
            assert listed == ListedFile(entry.path, link=entry.target)


@pytest.mark.parametrize(
    ("arch", "python", "interpreter"),
    [
        ("amd64", PythonFacts("3.11.2", "system", "2.36"), Interpreter("3.11.2", "linux-amd64", 36)),
        ("arm64", PythonFacts("3.13.9", "portable", "2.43"), Interpreter("3.13.9", "linux-arm64", 43)),
    ],
)
def test_the_interpreter_is_the_hosts(arch: Any, python: PythonFacts, interpreter: Interpreter) -> None:
    assert replace(FACTS, arch=arch, python=python).interpreter == interpreter


def test_more_keys_are_allowed() -> None:
    assert parse(changed(more={"a": [1]}, python={**json.loads(CONTENT)["python"], "more": 1})) == parse(CONTENT)


def test_an_archive_that_lists_no_files_can_be_read() -> None:
    assert parse(changed(files=None)) == FACTS


@pytest.mark.parametrize("key", [key for key in json.loads(CONTENT) if key not in ("files", "database")])
def test_a_missing_value_is_told(key: str) -> None:
    assert refused(changed(**{key: None})) == f"manifest.json: {key}: Field required"


@pytest.mark.parametrize(
    ("values", "where"),
    [
        ({"component": 5}, "component"),
        ({"component": "../x"}, "component"),
        ({"commit": "C" * 40}, "commit"),
        ({"commit": "c" * 39}, "commit"),
        ({"commit": "c" * 40 + "\n"}, "commit"),
        ({"arch": "x86_64"}, "arch"),
        ({"inputs": "a"}, "inputs"),
        ({"requirement": "litellm"}, "requirement"),
        ({"requirement": "litellm==1; touch x"}, "requirement"),
        ({"requirements": "litellm"}, "requirements"),
        ({"requirements": ["a", "=="]}, "requirements.1"),
        ({"requirements": ["a @ https://example.org/a.whl"]}, "requirements.0"),
        ({"python": {"version": "3.11", "source": "system", "glibc": "2.36"}}, "python.version"),
        ({"python": {"version": "3.11.2", "source": "else", "glibc": "2.36"}}, "python.source"),
        ({"python": {"version": "3.11.2", "source": "system", "glibc": "3.0"}}, "python"),
        ({"files": {}}, "files"),
        ({"files": [{"size": 1}]}, "files.0.path"),
        ({"files": [{"path": "a", "size": "many"}]}, "files.0.size"),
        ({"files": [{"path": "a", "sha256": "x"}]}, "files.0.sha256"),
    ],
)
def test_a_wrong_value_is_told_where_it_stands(values: dict[str, object], where: str) -> None:
    assert refused(changed(**values)).startswith(f"manifest.json: {where}: ")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"5",
        b'"x"',
        b"\xff",
        CONTENT[:-3],
        CONTENT + b"x",
        b"[" * 100_000,
        b'{"component": "\\ud800"}',
    ],
    ids=lambda content: repr(content[:10]),
)
def test_what_is_no_manifest_is_refused(content: bytes) -> None:
    refused(content)


@PROPERTY
@given(
    st.one_of(
        st.binary(),
        st.tuples(st.integers(0, len(CONTENT)), st.binary(max_size=3)).map(
            lambda t: CONTENT[: t[0]] + t[1] + CONTENT[t[0] + len(t[1]) :]
        ),
    )
)
def test_no_bytes_raise_anything_but_an_integrity_error(content: bytes) -> None:
    try:
        assert parse(content).interpreter
    except IntegrityError as error:
        assert error.message.startswith("manifest.json: ")


def test_an_archive_for_macos_says_so_in_its_consumers_words() -> None:
    mac = replace(FACTS, distro="macos", version="11", arch="arm64", python=PythonFacts("3.13.9", "portable", "11.0"))
    content = render(mac, ())
    words = json.loads(content)
    assert (words["os"], words["distro"], words["python"]["macos"]) == ("darwin", "darwin", "11.0")
    found = parse(content)
    assert (found.target, found.interpreter) == ("macos-11-arm64", Interpreter("3.13.9", "darwin-arm64", 11))
    assert not differs(content, found)
    for old, new in (
        (b'"distro": "darwin"', b'"distro": "macos"'),
        (b' "os": "darwin",\n', b""),
        (b'"macos": "', b'"glibc": "'),
    ):
        changed = content.replace(old, new)
        assert changed != content and differs(changed, parse(changed))
