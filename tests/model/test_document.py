from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from bundler.errors import ManifestError
from bundler.model.document import Document, Path, parse_yaml
from bundler.model.validation import validate
from tests.model.samples import PROPERTY


def problems(text: str) -> list[str]:
    with pytest.raises(ManifestError) as caught:
        parse_yaml(text, "x.yaml")
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("", None),
        ("# nothing\n", None),
        ("a: 1\nb: x\nc: yes\nd: ~\ne: 1.5\n", {"a": 1, "b": "x", "c": True, "d": None, "e": 1.5}),
        ("when: 2026-11-20\n", {"when": "2026-11-20"}),
        ("22.10: a\n1: b\ntrue: c\n", {"22.10": "a", "1": "b", "true": "c"}),
        ("- [a, {b: c}]\n- {}\n- []\n", [["a", {"b": "c"}], {}, []]),
        ("a: &anchor 1\n", {"a": 1}),
        ("\ufeffa: 1\n", {"a": 1}),
    ],
)
def test_yaml_becomes_plain_data_with_keys_as_they_were_written(text: str, data: object) -> None:
    assert parse_yaml(text, "x.yaml").data == data


@pytest.mark.parametrize(
    ("path", "place"),
    [((), (2, 1)), (("a",), (2, 4)), (("b",), (4, 3)), (("b", 1), (5, 5)), (("b", 1, "c"), (5, 8))],
)
def test_every_value_has_its_line_and_column(path: Path, place: tuple[int, int]) -> None:
    document = parse_yaml("# comment\na: 1\nb:\n  - x\n  - c: y\n", "x.yaml")
    assert document.marks[path] == place


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (("b", 0), "x.yaml:4:5: odd"),
        (("b", 7, "c"), "x.yaml:4:3: odd"),
        (("nowhere", "at", "all"), "x.yaml:2:1: odd"),
    ],
)
def test_a_problem_is_placed_at_the_nearest_value_there_is(path: Path, said: str) -> None:
    assert str(parse_yaml("# comment\na: 1\nb:\n  - x\n", "x.yaml").problem(path, "odd")) == said


@pytest.mark.parametrize(
    ("path", "place"),
    [(("a",), (2, 1)), (("b",), (3, 1)), (("b", 1, "c"), (5, 5)), (("b", 0), (4, 5)), (("b", 1, "d"), (5, 5))],
)
def test_a_problem_with_a_key_is_placed_at_the_key(path: Path, place: tuple[int, int]) -> None:
    problem = parse_yaml("# comment\na: 1\nb:\n  - x\n  - c: y\n", "x.yaml").problem(path, "odd", key=True)
    assert (problem.line, problem.column) == place


def test_numbers_and_switches_are_remembered_as_they_were_written() -> None:
    document = parse_yaml("a: 2.10\nb: [0x10, yes, 'no', x, 2026-11-20, ~]\nc: {d: 1_0}\n", "x.yaml")
    assert document.written == {("a",): "2.10", ("b", 0): "0x10", ("b", 1): "yes", ("c", "d"): "1_0"}


@pytest.mark.parametrize(
    ("path", "value"),
    [((), {"a": [1, {"b": "c"}]}), (("a", 0), 1), (("a", 1, "b"), "c"), (("x",), None), (("a", "b"), None)],
)
def test_values_are_found_by_their_path(path: Path, value: object) -> None:
    assert parse_yaml("a: [1, {b: c}]\n", "x.yaml").at(path) == value


def test_a_problem_in_an_empty_file_is_placed_at_its_start() -> None:
    assert str(Document("x.yaml", None, {}).problem(("a",), "odd")) == "x.yaml:1:1: odd"


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("a: 1\nb: [1,\nc: 2\n", "x.yaml:4:1", "flow sequence"),
        ("a: 1\n  b: 2\n", "x.yaml:2:4", "mapping values are not allowed"),
        ("a: 'x\n", "x.yaml:2:1", "quoted scalar"),
        ("a: 1\n\tb: 2\n", "x.yaml:2:1", "tab"),
        ("a: 1\n---\nb: 2\n", "x.yaml:2:1", "a single document"),
        ("a: {b: 1\n", "x.yaml:2:1", "flow mapping"),
        ("a: @b\n", "x.yaml:1:4", "cannot start any token"),
        ("a: \x00\n", "x.yaml:1:1", "control characters"),
        ("a: \ud800\n", "x.yaml:1:1", "surrogates"),
    ],
)
def test_broken_yaml_is_told_with_its_place(text: str, place: str, words: str) -> None:
    (said,) = problems(text)
    assert said.startswith(f"{place}: not YAML: ")
    assert words in said
    assert "\n" not in said


def test_every_duplicate_key_is_told_where_it_stands_again() -> None:
    text = "a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\na: 4\n'a': 5\n"
    assert problems(text) == [
        "x.yaml:5:3: duplicate key 'c'",
        "x.yaml:6:1: duplicate key 'a'",
        "x.yaml:7:1: duplicate key 'a'",
    ]


def test_aliases_are_refused_each_with_its_place() -> None:
    text = "a: &x [1]\nb: *x\nc:\n  <<: *x\n"
    assert problems(text) == ["x.yaml:2:4: aliases are not allowed here", "x.yaml:4:7: aliases are not allowed here"]


def test_a_bomb_of_aliases_is_refused_before_it_unfolds() -> None:
    text = "a: &a [x, x, x]\n" + "".join(f"{b}: &{b} [*{a}, *{a}, *{a}]\n" for a, b in pairwise("abcdefgh"))
    assert problems(text)[0] == "x.yaml:2:8: aliases are not allowed here"


@pytest.mark.parametrize(
    "value", ["!!timestamp x", "!!int ''", "!!bool x", "!!python/none x", "!x y", "!!set {a}", "! x"]
)
def test_tags_are_refused(value: str) -> None:
    assert problems(f"a: 1\nb: {value}\n") == ["x.yaml:2:4: tags are not allowed here"]


@pytest.mark.parametrize("key", ["[a, b]", "{a: b}"])
def test_a_key_that_is_no_word_is_refused(key: str) -> None:
    assert problems(f"a: 1\n? {key}\n: 2\n") == ["x.yaml:2:3: a key must be a plain word"]


@pytest.mark.parametrize(
    "value", ["0b_", "0x_", "=", "<<", "2026-99-99", "1" + ":1" * 400 + ".", "9" * 5000], ids=lambda value: value[:8]
)
def test_a_scalar_that_cannot_be_read_is_told_with_its_place(value: str) -> None:
    (said,) = problems(f"a: 1\nb: {value}\n")
    assert said.startswith("x.yaml:2:4: ")


@pytest.mark.parametrize("unit", ["- ", "[", "{a: ", "? "])
def test_deep_nesting_is_refused_however_deep(unit: str) -> None:
    for depth in (33, 50_000):
        (said,) = problems(unit * depth)
        assert said.endswith("nested deeper than 32 levels")
        # Newer libyaml gives up by itself at a thousand levels, and says where that was.
        assert depth > 1000 or said.startswith(f"x.yaml:1:{32 * len(unit) + 1}: ")


def test_nesting_that_people_write_is_not_refused() -> None:
    data: Any = "x"
    for _ in range(32):
        data = [data]
    assert parse_yaml("- " * 32 + "x", "x.yaml").data == data
    assert parse_yaml("- [{}]\n" * 100, "x.yaml").data == [[{}]] * 100


_PIECES = [
    "a", "b", ": ", ":", "\n", "\n  ", " ", "- ", "[", "]", "{", "}", ",", "&x ", "*x", "!!int ", "!y ", "'", '"', "| ",
    "> ", "? ", "# ", "---\n", "...\n", "%YAML 1.2\n", "0x_", "1:1", ".", "2026-99-99", "<<", "=", "\t", "\x00",
    "\ud800", "~", "1e999", "-.inf", "\x85", "\ufeff", "\\u", "é", "🙂",
]  # fmt: skip


@PROPERTY
@given(st.one_of(st.text(), st.lists(st.sampled_from(_PIECES), max_size=30).map("".join)))
def test_no_text_raises_anything_but_a_manifest_error(text: str) -> None:
    try:
        document = parse_yaml(text, "x.yaml")
        validate(document, TypeAdapter(dict[str, int]))
    except ManifestError as error:
        assert error.problems
        for problem in error.problems:
            assert problem.file == "x.yaml"
            assert 1 <= problem.line <= len(text.splitlines()) + 2
            assert problem.column >= 1


_ASCII = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=8)
_TREES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), _ASCII),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_ASCII, inner, max_size=4)),
    max_leaves=12,
)


@PROPERTY
@given(_TREES)
def test_json_is_read_as_json(tree: object) -> None:
    assert parse_yaml(json.dumps(tree), "x.yaml").data == tree
