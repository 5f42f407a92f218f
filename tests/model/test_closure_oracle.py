"""The proof against the slow one that it replaced: the same findings in worlds of any shape."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bundler.model.closure import Wheel, prove
from bundler.model.interpreter import Interpreter
from tests.model import slow_closure
from tests.model.samples import examples

PYTHON = Interpreter("3.11.2", "linux-amd64", 36)
NAMES = ("app", "lib", "x-1", "y.z")
EXTRAS = ("a", "b", "A_b", "1", "1.0", "a-b", "gone")
VALUES = ("3.11.2", "3.11.3", "3.11.4", "3.11.9", "3.12", "3", "linux", "x86_64", "cp", "", "zz", *EXTRAS)
VARIABLES = (
    "extra",
    "extra",
    "python_version",
    "sys_platform",
    "platform_machine",
    "platform_system",
    "os_name",
    "extras",
)

words = st.one_of(st.sampled_from(VALUES), st.sampled_from(["a b", 'q"q', "extra", 'extra == "a']))
quoted = words.map(lambda word: f"'{word}'" if '"' in word else f'"{word}"')
# What is compared otherwise with a full version is unreadable (test_closure).
patch = st.builds(
    "{} {} {}".format,
    st.sampled_from(["python_full_version", "python_full_version", "implementation_version"]),
    st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "~=", "==="]),
    st.sampled_from(['"3.11.2"', '"3.11.4"', '"3.11.5"', '"3.11.05"', '"3.12"']),
)
operators = st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "~=", "===", "in", "not in"])
usual = st.builds(lambda extra: f'extra == "{extra}"', st.sampled_from(EXTRAS))
atoms = st.one_of(
    usual,
    usual,
    patch,
    st.builds("{} {} {}".format, st.sampled_from(VARIABLES), operators, quoted),
    st.builds("{} {} {}".format, quoted, operators, st.sampled_from(VARIABLES)),
    st.builds("{} {} {}".format, st.sampled_from(VARIABLES), operators, st.sampled_from(VARIABLES)),
)
markers = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.builds("{} and {}".format, inner, inner),
        st.builds("({}) or {}".format, inner, inner),
        inner.map("({})".format),
    ),
    max_leaves=4,
)
asked = st.builds(
    lambda name, extras, versions: name + (f"[{','.join(extras)}]" if extras else "") + versions,
    st.sampled_from(NAMES),
    st.lists(st.sampled_from(EXTRAS), max_size=3),
    st.sampled_from(["", "", "", "==1.0", ">1", "==1.*", " @ https://a.example/x.whl"]),
)
requirements = st.one_of(asked, st.builds("{} ; {}".format, asked, markers), st.builds("{} ; {}".format, asked, usual))
wheels = st.builds(
    lambda name, tag, requires, python: Wheel(f"{name.replace('-', '_')}-1.0-{tag}.whl", tuple(requires), python),
    st.sampled_from(NAMES),
    st.sampled_from(["py3-none-any", "py3-none-any", "py3-none-any", "cp312-cp312-any"]),
    st.lists(requirements, max_size=6),
    st.sampled_from([None, None, None, ">=3.9", "!=3.11.5", "<3.11.7", "nonsense"]),
)
worlds = st.tuples(
    st.lists(st.sampled_from(["app", "app[a,1]", "lib[gone,A-B]"]), min_size=1), st.lists(wheels, max_size=5)
)


def _same(world: tuple[list[str], list[Wheel]]) -> None:
    roots, there = world
    assert _alike(prove(roots, there, PYTHON)) == _alike(slow_closure.prove(roots, there, PYTHON))  # type: ignore[arg-type]


def _alike(findings: tuple[str, ...]) -> list[str]:
    """Which one of several unreadable requirements of a wheel is told does not matter."""
    return [text.partition(" requires ")[0] if text.startswith("unreadable: ") else text for text in findings]


@settings(max_examples=examples(100), deadline=None)
@given(worlds)
@pytest.mark.slow
def test_the_proof_finds_what_the_slow_one_finds(world: tuple[list[str], list[Wheel]]) -> None:
    _same(world)


@pytest.mark.slow
@settings(max_examples=1500, deadline=None)
@given(worlds)
def test_the_proof_finds_what_the_slow_one_finds_in_many_worlds(world: tuple[list[str], list[Wheel]]) -> None:
    _same(world)
