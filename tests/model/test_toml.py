from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from bundler.model.toml import MOST_PARTS, parse_toml
from tests.model.samples import PROPERTY

BUNDLER = Path(__file__).parent.parent.parent / "bundler"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (".".join("a" * 20_000) + " = 1", "more than 16 dots on a line (at line 1, column 34)"),
        ('\na = "' + "x" * 8200 + '"', "a line or string of more than 8192 characters (at line 2, column 1)"),
        ("\n" + ".".join("a" * 40) + " = 1", r"more than 16 dots on a line (at line 2, column 34)"),
        ("a = '#.' # ....................\n[" + ".".join("a" * 18) + "]", "more than 16 dots on a line"),
        ('"x\\"" . ' * 17 + "a = 1", "more than 16 dots on a line"),
        ("'\\' . " * 17 + "a = 1", "more than 16 dots on a line"),
        ('a = """\n', "a string that does not end (at line 1, column 5)"),
        ("a = '''\n''", "a string that does not end (at line 1, column 5)"),
        ('a = """\n\\""""""\n' + "b." * 20, "more than 16 dots on a line (at line 3, column 34)"),
        ("a = '''\n\\'''\n" + "b." * 20, "more than 16 dots on a line (at line 3, column 34)"),
        ('a = """""""\n' + "b." * 20, "more than 16 dots on a line (at line 2, column 34)"),
        ('a = "\\\n' + "a." * 20, "a string that does not end (at line 1, column 5)"),
        ('a = "' + '\\"' * 4000, "a string that does not end"),
        ("a = '\n", "a string that does not end"),
        ("".join(f"[a{i}]\n" for i in range(MOST_PARTS + 1)), f"more than {MOST_PARTS} keys, tables and values"),
        ("a = [" + "1,\n" * (MOST_PARTS + 1), f"more than {MOST_PARTS} keys, tables and values"),
        ("\n" * (4 << 20) + "#", "larger than 4 MiB"),
        ("a = " + "[" * 8000, "nested too deeply"),
        ("a = " + "{a=" * 2000, "nested too deeply"),
        ("a = " + "1" * 8000, "Exceeds the limit"),
        ("a = ]", "(at line 1, column 5)"),
    ],
    ids=lambda value: repr(value[:30]),
)
def test_what_would_take_long_is_refused(text: str, told: str) -> None:
    with pytest.raises(ValueError) as error:
        parse_toml(text)
    assert told in str(error.value)


_SIGNS = st.lists(
    st.one_of(st.sampled_from("\"'\\#\n.=[]{}, a1_-\r"), st.sampled_from(['"""', "'''", "\na = ", '""', "''"])),
    max_size=30,
).map("".join)


@PROPERTY
@given(_SIGNS)
def test_dots_are_counted_as_the_parser_sees_them(text: str) -> None:
    """A key of many parts after any text either is refused, or stands where the parser sees no key."""
    long = f"{text}{'.'.join('k' * 20)} = 1"
    try:
        found = parse_toml(long)
    except ValueError:
        return
    assert found == tomllib.loads(long)
    assert _depth(found) <= 17 + text.count(".")


def _depth(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    return max(map(_depth, value), default=0) if isinstance(value, list) else 0


_VALUES = st.recursive(
    st.one_of(st.integers(-(2**60), 2**60), st.booleans(), st.text(max_size=20)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=10,
)


@PROPERTY
@given(st.dictionaries(st.text(max_size=8), _VALUES, max_size=4))
def test_what_is_written_as_locks_are_is_read(document: dict[str, object]) -> None:
    assert parse_toml(tomli_w.dumps(document)) == document


def test_toml_is_read_in_one_place() -> None:
    readers = [path.name for path in BUNDLER.rglob("*.py") if "tomllib." in path.read_text(encoding="utf-8")]
    assert readers == ["toml.py"]
