from __future__ import annotations

import hashlib
import posixpath

from hypothesis import given
from hypothesis import strategies as st

from bundler.model.bundle import LOCK, WHEELS, WHEELS_FROM_LOCK, Bundle, File, Folder, Link, text_file, top_of
from tests.model.samples import PROPERTY


def test_entries_are_sorted_and_stand_in_folders() -> None:
    file, link = text_file("b/c/d.txt", b"x"), Link("a", "b/c")
    assert Bundle.of("top", [file, Folder("z"), link]) == Bundle(
        "top", (link, Folder("b"), Folder("b/c"), file, Folder("z"))
    )


def test_a_folder_that_is_named_stays_one() -> None:
    assert Bundle.of("top", [Folder("a"), text_file("a/b", b"")]).entries == (Folder("a"), text_file("a/b", b""))


def test_a_bundle_of_nothing_is_empty() -> None:
    assert Bundle.of("top", []).entries == ()


_NAMES = st.lists(st.sampled_from(["a", "b", "a-b", "a.b", "A"]), min_size=1, max_size=4).map("/".join)


@PROPERTY
@given(st.sets(_NAMES))
def test_every_folder_comes_before_what_stands_in_it(paths: set[str]) -> None:
    entries = Bundle.of("top", [Folder(path) for path in paths]).entries
    seen: set[str] = set()
    for entry in entries:
        assert posixpath.dirname(entry.path) in {"", *seen}
        seen.add(entry.path)
    assert paths <= seen
    assert [entry.path for entry in entries] == sorted(seen)
    assert Bundle.of("top", reversed(entries)).entries == entries


def test_a_text_file_knows_its_size_and_digest() -> None:
    content = "é\n".encode()
    assert text_file("a", content) == File("a", 3, hashlib.sha256(content).hexdigest(), content, executable=False)
    assert text_file("a", content, executable=True).executable


def test_the_locks_wheels_are_where_it_says() -> None:
    assert posixpath.normpath(posixpath.join(posixpath.dirname(LOCK), WHEELS_FROM_LOCK)) == WHEELS


def test_the_top_folder_is_the_one_that_consumers_look_for() -> None:
    assert top_of("litellm") == "litellm-runtime"
