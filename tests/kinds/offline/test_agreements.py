from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from bundler.kinds.offline.agreements import Agreement, Asked, disagreements, find_asked
from bundler.model.target import Target

BOOKWORM = Target("debian", "12", "amd64", 36, None)
BULLSEYE = Target("debian", "11", "amd64", 31, None)
FILE = "roles/gateway/defaults/main.yml"
GATEWAY = Agreement("demo", "playbooks", FILE, 'gateway_version: "{version}"', "npm")


def asked(text: str, agreement: Agreement = GATEWAY, target: Target = BOOKWORM) -> tuple[Asked, ...]:
    return find_asked([agreement], "playbooks", {FILE: text.encode()}, target)


def said(text: str, version: str | None, agreement: Agreement = GATEWAY) -> list[str]:
    versions = {agreement.bundled: {agreement.called or agreement.name: version}} if version else {}
    return list(disagreements([agreement], asked(text, agreement), versions, BOOKWORM))


def test_a_version_is_found_with_its_line() -> None:
    assert asked('---\nother: 1\ngateway_version: "2026.6.1"\n') == (Asked("demo", "2026.6.1", "playbooks", FILE, 3),)


def test_what_is_bundled_otherwise_is_named_with_file_and_line() -> None:
    assert said('---\ngateway_version: "2026.6.1"', "2026.6.6") == [
        f"playbooks {FILE}:2 asks for demo 2026.6.1, bundled is 2026.6.6 (npm)"
    ]
    assert said('gateway_version: "2026.6.1"', "2026.6.1") == []


def test_what_is_not_bundled_at_all_is_named() -> None:
    assert said('gateway_version: "1.2"', None) == [f"playbooks {FILE}:1 asks for demo 1.2, npm has none"]


@pytest.mark.parametrize("text", ["", "gateway_version: 1.2", '# gateway_version: "1.2"', '  #gateway_version: "1.2"'])
def test_a_text_that_is_no_longer_there_is_a_problem_of_its_own(text: str) -> None:
    assert asked(text) == ()
    assert said(text, "1.2") == [
        f'playbooks {FILE} no longer asks for demo: no line of it holds gateway_version: "{{version}}"'
    ]
    assert find_asked([GATEWAY], "playbooks", {}, BOOKWORM) == ()


def test_the_end_of_a_longer_name_is_not_taken_for_the_name() -> None:
    assert asked('other_gateway_version: "9"\ngateway_version: "1.2"')[0].line == 2


def test_two_lines_that_ask_for_different_versions_are_both_compared() -> None:
    text = 'gateway_version: "1.2"\ngateway_version: "1.3"\n'
    assert said(text, "1.2") == [f"playbooks {FILE}:2 asks for demo 1.3, bundled is 1.2 (npm)"]


def test_a_version_may_stand_inside_of_a_template() -> None:
    vault = Agreement("vault", "playbooks", FILE, "'VAULT_VERSION') | default('{version}'", "files")
    text = """vault_version: "{{ lookup('env', 'VAULT_VERSION') | default('1.21.4', true) }}"\n"""
    assert [ask.wants for ask in asked(text, vault)] == ["1.21.4"]
    postgresql = Agreement("postgresql", "playbooks", FILE, "/etc/postgresql/{version}/main", "apt")
    assert [ask.wants for ask in asked("path: /etc/postgresql/17/main/x.conf", postgresql)] == ["17"]


@pytest.mark.parametrize(
    ("match", "wants", "version", "agrees"),
    [
        ("exact", "1.2", "1.2", True),
        ("exact", "1.2", "1.2.0", False),
        ("prefix", "24", "24.16.0-1nodesource1", True),
        ("prefix", "24.16.0", "24.16.0-1nodesource1", True),
        ("prefix", "24.1", "24.16.0-1nodesource1", False),
        ("prefix", "17", "17+277.pgdg12+1", True),
        ("prefix", "2", "24", False),
        ("prefix", "24.*", "24.16.0", False),
        ("python", "0.15", "0.15.0", True),
        ("python", "0.15", "0.15.2", False),
        ("python", "0.15", "no-version", False),
    ],
)
def test_versions_agree_as_the_manifest_says(match: str, wants: str, version: str, agrees: bool) -> None:
    document = {"name": "demo", "repository": "playbooks", "file": "a", "text": "v: {version}", "bundled": "npm"}
    agreement = TypeAdapter(Agreement).validate_python({**document, "match": match})
    assert agreement.agrees(wants, version) is agrees


def test_what_other_targets_ask_for_is_not_compared() -> None:
    agreement = Agreement("demo", "playbooks", FILE, "v: {version}", "npm", targets=("debian-12",))
    assert asked("v: 1", agreement, BULLSEYE) == ()
    assert list(disagreements([agreement], (), {}, BULLSEYE)) == []
    assert list(disagreements([agreement], (), {}, BOOKWORM)) != []


def test_another_name_in_the_collection_is_looked_up() -> None:
    agreement = Agreement("pgvector", "playbooks", FILE, "pg{version}", "apt", called="postgresql", match="prefix")
    versions = {"apt": {"postgresql": "17+278"}}
    assert list(disagreements([agreement], asked("image: pg17", agreement), versions, BOOKWORM)) == []


@pytest.mark.parametrize(
    "text", ["{version}", "no version", "{version} and {version}", "a\n{version}", "\x1b{version}"]
)
def test_a_text_that_says_nothing_around_the_version_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Agreement).validate_python(
            {"name": "demo", "repository": "playbooks", "file": "a", "text": text, "bundled": "npm"}
        )


def test_a_selector_that_no_target_has_is_a_problem() -> None:
    agreement = Agreement("demo", "playbooks", FILE, "v: {version}", "npm", targets=("debain",))
    assert "unknown target 'debain'" in next(agreement.problems([BOOKWORM]))
    assert list(GATEWAY.problems([BOOKWORM])) == []


@given(
    st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,3}){0,3}", fullmatch=True), st.text(st.characters(codec="utf-8"), max_size=50)
)
def test_a_version_in_quotes_is_found_whatever_stands_around_it(version: str, noise: str) -> None:
    noise = noise.replace("gateway", "").replace("#", "")
    found = asked(f'{noise}\n gateway_version: "{version}"{noise}\n{noise}')
    assert [ask.wants for ask in found] == [version]


@pytest.mark.parametrize(
    "content", [b'gateway_version: "' * 60_000, b"\xff\xfe" * 9999, b'gateway_version: "' + b"1" * 1_000_000]
)
def test_a_file_that_is_no_role_takes_no_time_and_says_nothing(content: bytes) -> None:
    begun = time.process_time()
    assert find_asked([GATEWAY], "playbooks", {FILE: content}, BOOKWORM) == ()
    assert time.process_time() - begun < 2
