from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.kinds.offline.expression import Work, truth_of, value_of
from bundler.kinds.offline.operations import UNDEFINED, UNKNOWN
from bundler.kinds.offline.playbook_text import Missing, Value

NAMES: dict[str, Value] = {
    "base": ["postgresql", "contrib"],
    "more": ["{{ word }}"],
    "word": "extra",
    "empty": [],
    "amd64": True,
    "ran": UNKNOWN,
    "circle": "{{ circle }}",
    "config": {"list": ["auditd"], "enabled": True},
    "version": "22.04",
    "arch": "x86_64",
    "later": "{{ lookup('env', 'HOME') }}",
}


def value(written: Value) -> Value:
    return value_of(written, lambda name: NAMES.get(name, UNDEFINED), Work())


def truth(written: Value) -> bool | Missing:
    return truth_of(written, lambda name: NAMES.get(name, UNDEFINED), Work())


@pytest.mark.parametrize(
    ("written", "means"),
    [
        ("plain", "plain"),
        (["a", "{{ word }}"], ["a", "extra"]),
        ("{{ base }}", ["postgresql", "contrib"]),
        ("{{ (base + more) | unique | list }}", ["postgresql", "contrib", "extra"]),
        ("{{ base + (more if amd64 else []) }}", ["postgresql", "contrib", "extra"]),
        ("{{ base + ([word] if not amd64 else []) }}", ["postgresql", "contrib"]),
        ("{{ (base + base) | unique }}", ["postgresql", "contrib"]),
        ("{{ ['x', 'y'] + [word] }}", ["x", "y", "extra"]),
        ("{{ ['x'] + (['y'] if nobody | default(true) | bool else []) }}", ["x", "y"]),
        ("{{ ['x'] + (['y'] if word | length > 0 else []) }}", ["x", "y"]),
        ("python-{{ word }}-dev", "python-extra-dev"),
        ("{{ 'python-' ~ word }}", "python-extra"),
        ("{{ 'python-' + word }}", "python-extra"),
        ("{{ 'chrome' if arch in ['x86_64', 'amd64'] else '' }}", "chrome"),
        ("{{ 'chrome' if arch not in ['x86_64', 'amd64'] else '' }}", ""),
        ("{{ config.list | default([], true) }}", ["auditd"]),
        ("{{ config['list'] | default({}) }}", ["auditd"]),
        ("{{ config.other | default(['none']) }}", ["none"]),
        ("{{ nobody | default('other') }}", "other"),
        ("{{ nobody | default(word, true) }}", "extra"),
        ("{{ base[1] }}", "contrib"),
        ("{{ {'a': word}.a }}", "extra"),
        ("{{ ansible.builtin }}", UNDEFINED),
        ("{{ nobody }}", UNDEFINED),
        # Nobody knows these, so nobody guesses.
        ("{{ ran }}", UNKNOWN),
        ("{{ ran | default('x') }}", UNKNOWN),
        ("{{ base + ran }}", UNKNOWN),
        ("a-{{ ran.stdout | trim }}-b", UNKNOWN),
        ("{{ later }}", UNKNOWN),
        ("{{ circle }}", UNKNOWN),
        ("{{ lookup('env', 'HOME') | default('x', true) }}", UNKNOWN),
        ("{{ word | regex_replace('e', 'a') }}", UNKNOWN),
        ("{{ config.get('list') }}", UNKNOWN),
        ("{% if amd64 %}a{% endif %}", UNKNOWN),
        ("{{ 'a' if ran else 'b' }}", UNKNOWN),
        ("{{ 'a", "{{ 'a"),
        ("{{ a b }}", UNKNOWN),
        ("{{ 1.5 }}", UNKNOWN),
        ("{{ 'a\\n' }}", UNKNOWN),
        ("{{ if }}", UNKNOWN),
        ("{{ }}", UNKNOWN),
    ],
)
def test_a_template_has_the_value_that_ansible_gives_it_or_none(written: Value, means: Value) -> None:
    assert value(written) == means


@pytest.mark.parametrize(
    ("written", "holds"),
    [
        (True, True),
        ("amd64", True),
        ("not amd64", False),
        ("not not amd64", True),
        (["amd64", "word == 'extra'"], True),
        (["ran", "word != 'extra'"], False),
        (["ran", "amd64"], UNKNOWN),
        ("ran or amd64", True),
        ("amd64 or ran", True),
        ("ran and not amd64", False),
        ("ran.rc != 0", UNKNOWN),
        ("word == 'extra' and (empty | length) > 0", False),
        ("nobody is defined", False),
        ("nobody is not defined", True),
        ("not nobody is defined", True),
        ("version is version('22.04', '>=')", True),
        ("version is version('22.4', '<')", False),
        ("version is version('9', 'lt')", False),
        ("word is version('9', 'lt')", UNKNOWN),
        ("'post' in base[0]", True),
        ("nobody | default(false) | bool", False),
        ("{{ amd64 }}", True),
        ("config.enabled", True),
        ("base | length >= 2", True),
        ("word is search('x')", UNKNOWN),
    ],
)
def test_a_condition_holds_as_it_does_for_ansible_or_nobody_knows(written: Value, holds: bool | Missing) -> None:
    assert truth(written) is holds


def test_templates_that_name_each_other_many_times_take_no_time() -> None:
    doubled: dict[str, Value] = {f"v{n}": f"{{{{ v{n + 1} + v{n + 1} }}}}" for n in range(25)}
    doubled["v25"] = ["x"]
    work, begun = Work(), time.process_time()
    assert value_of("{{ v0 }}", lambda name: doubled.get(name, UNDEFINED), work) is UNKNOWN
    assert time.process_time() - begun < 1
    assert work.left < Work().left


@pytest.mark.parametrize(
    "written",
    [
        *("{{ " + "(" * 2000 + " }}", "{{ " + "not " * 1000 + "a }}", "{{ " + "[" * 2000 + " }}", "{{ " * 1500),
        *("{{ " + "x if x else " * 300 + "x }}", "{{ a" + " | list" * 800 + " }}", "{{ a" + "[0]" * 900 + " }}"),
    ],
)
def test_an_expression_made_to_hurt_is_unknown_at_once(written: str) -> None:
    begun = time.process_time()
    assert value(written) in (UNKNOWN, UNDEFINED, written)
    assert time.process_time() - begun < 1


VALUES = st.one_of(st.booleans(), st.text("ab", max_size=3), st.lists(st.text("ab", max_size=3), max_size=3))


@given(st.dictionaries(st.sampled_from("abc"), VALUES), st.text("abc+|()[]{}'\", ifelsnotr.0", max_size=40))
def test_whatever_stands_in_a_template_has_a_value_or_none(names: dict[str, Value], source: str) -> None:
    value_of(f"{{{{ {source} }}}}", lambda name: names.get(name, UNDEFINED), Work())
    truth_of(source, lambda name: names.get(name, UNDEFINED), Work())


@given(st.lists(st.lists(st.text("abc", max_size=3), max_size=4), min_size=1, max_size=5))
def test_lists_that_are_joined_are_all_there_in_order(lists: list[list[str]]) -> None:
    names: dict[str, Value] = {f"list{number}": [*one] for number, one in enumerate(lists)}
    assert value_of(f"{{{{ {' + '.join(names)} }}}}", names.__getitem__, Work()) == [x for one in lists for x in one]
