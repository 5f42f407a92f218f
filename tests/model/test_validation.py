from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, TypeAlias

import pytest
from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, TypeAdapter

from bundler.errors import ManifestError
from bundler.model.document import parse_yaml
from bundler.model.manifest_values import distinct
from bundler.model.validation import nearest, validate
from bundler.words import Glibc

Name: TypeAlias = Annotated[
    str, StringConstraints(pattern="^[a-z]+$", max_length=9), Field(title="a small word", examples=["word"])
]


@dataclass(frozen=True)
class Inner:
    __pydantic_config__: ClassVar[ConfigDict] = {"extra": "forbid"}
    name: Name
    size: int = 1


@dataclass(frozen=True)
class Outer:
    __pydantic_config__: ClassVar[ConfigDict] = {"extra": "forbid"}
    glibc: Glibc = "2.36"
    names: Annotated[tuple[Name, ...], Field(min_length=1, max_length=3), AfterValidator(distinct)] = ("a",)
    by_name: dict[Name, Glibc] | None = None
    choice: Literal["wheel", "host"] | None = None
    either: Inner | Name | Literal["A", "B"] | None = None


OUTER = TypeAdapter(Outer)


def problems(text: str) -> list[str]:
    with pytest.raises(ManifestError) as caught:
        validate(parse_yaml(text, "x.yaml"), OUTER)
    return [str(problem).removeprefix("x.yaml:") for problem in caught.value.problems]


def test_validation_returns_the_models_value() -> None:
    assert validate(parse_yaml("a: 1\n", "x.yaml"), TypeAdapter(dict[str, int])) == {"a": 1}
    assert validate(parse_yaml("either: {name: a}\n", "x.yaml"), OUTER).either == Inner("a")


def test_validation_tells_every_problem_with_its_place_and_path() -> None:
    document = parse_yaml("a: [1, x]\nb: [2]\nc:\n  - 3\n  - [y]\n", "x.yaml")
    with pytest.raises(ManifestError) as caught:
        validate(document, TypeAdapter(dict[str, list[int]]))
    assert [(p.line, p.column, p.message.partition(":")[0]) for p in caught.value.problems] == [
        (1, 8, "a.1"),
        (5, 5, "c.1"),
    ]


VERSION = 'a glibc version is wanted, such as "2.36"; here stands'
QUOTED = VERSION.replace("version is", "version in quotes is")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("2.36", f"{QUOTED} the number 2.36"),
        ("2.10", f"{QUOTED} the number 2.10"),
        # In quotes, these would be no better.
        ("2", f"{VERSION} the number 2"),
        ("0x2", f"{VERSION} the number 0x2"),
        ("1e999", f'{VERSION} "1e999"'),
        (".inf", f"{VERSION} the number .inf"),
        ("yes", f"{VERSION} yes, which YAML takes for true"),
        ("False", f"{VERSION} False, which YAML takes for false"),
        ("true", f"{VERSION} true"),
        ("2026-11-20", f'{VERSION} "2026-11-20"'),
        ("", f"{VERSION} nothing"),
        ("~", f"{VERSION} nothing"),
        ("[]", f"{VERSION} an empty list"),
        ("[x]", f"{VERSION} a list"),
        ("{}", f"{VERSION} an empty mapping"),
        ("{x: y}", f"{VERSION} a mapping"),
        ("x2.36", f'{VERSION} "x2.36"'),
        ('"2.36 "', f'{VERSION} "2.36 "'),
        pytest.param("é" * 200, f'{VERSION} "{"é" * 80}…"', id="long"),
    ],
)
def test_what_may_stand_there_is_said_and_what_stands_there(value: str, said: str) -> None:
    assert problems(f"glibc: {value}\n") == [f"1:{8 if value else 7}: glibc: {said}"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("names: x\n", '1:8: names: a list is wanted, such as ["word"]; here stands "x"'),
        ("names: []\n", '1:8: names: a list is wanted, such as ["word"]; here stands an empty list'),
        ("names: [a, b, c, d]\n", "1:8: names: at most 3 may stand here; there are 4"),
        ("names: [a, a]\n", "1:8: names: a is there twice"),
        ("names: [a, no]\n", '1:12: names.1: a small word in quotes is wanted, such as "word"; here stands no,'),
        ("names: [abcdefghij]\n", "1:9: names.0: at most 9 characters may stand here; there are 10"),
        ("by_name: x\n", '1:10: by_name: a mapping is wanted, such as {"word": "2.36"}; here stands "x"'),
        ("by_name:\n  A: '2.1'\n", '2:3: by_name.A: a small word is wanted, such as "word"; here stands "A"'),
        ("by_name:\n  a: 2.1\n", f"2:6: by_name.a: {QUOTED} the number 2.1"),
        ("choice: wheels\n", '1:9: choice: "wheel" or "host" is wanted; here stands "wheels"'),
        ("choice: 1\n", '1:9: choice: "wheel" or "host" is wanted; here stands the number 1'),
        ("names: [a]\nglib: x\n", "2:1: glib: unknown key; did you mean glibc?"),
        ("glibc_: x\n", "1:1: glibc_: unknown key; did you mean glibc?"),
        ("colour:\n  - red\n", "1:1: colour: unknown key; there are: glibc, names, by_name, choice, either"),
        ("either: {}\n", '1:9: either.name: is missing; a small word is wanted, such as "word"'),
        ("x\n", '1:1: a mapping is wanted, such as {}; here stands "x"'),
    ],
)
def test_one_thing_wrong_is_told_once_with_its_place(text: str, said: str) -> None:
    (told,) = problems(text)
    assert told == said or (said.endswith(",") and told.startswith(said))


def test_a_key_and_its_value_that_are_both_wrong_are_both_told() -> None:
    assert [line.split(": ")[0] for line in problems("by_name:\n  A: 5\n")] == ["2:3", "2:6"]


EITHER = 'a mapping, or a small word, or "A" or "B" is wanted, such as {"name": "word"}; here stands'


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("5", f"1:9: either: {EITHER} the number 5"),
        ("C", f'1:9: either: {EITHER} "C"'),
        ("[]", f"1:9: either: {EITHER} an empty list"),
        # Whoever wrote a mapping is told what is wrong in it, and nothing of the rest.
        ("{name: A}", '1:16: either.name: a small word is wanted, such as "word"; here stands "A"'),
        ("{name: a, color: b}", "1:19: either.color: unknown key; there are: name, size"),
    ],
)
def test_of_alternatives_one_problem_is_told(value: str, said: str) -> None:
    assert problems(f"either: {value}\n") == [said]


def test_the_nearest_word_is_named_or_all() -> None:
    assert nearest("extra_requirement", ("kind", "extra-requirements")) == "did you mean extra-requirements?"
    assert nearest("colour", ("kind", "asset")) == "there are: kind, asset"
