from __future__ import annotations

import pytest

from bundler.errors import ManifestError
from bundler.model.document import parse_yaml
from bundler.model.manifest_values import adapter_of
from bundler.model.public_key import PublicKey
from bundler.model.trust import Trust
from bundler.model.validation import validate

ONE, OTHER = PublicKey.of(b"1" * 32), PublicKey.of(b"2" * 32)


def parsed(text: str) -> Trust:
    return validate(parse_yaml(text, "trust.yaml"), adapter_of(Trust))


def test_nothing_is_required_where_no_key_is_named() -> None:
    assert parsed("{}").required == {} and parsed("keys: []").cooldown.days == 7


def test_a_key_is_read_in_both_forms() -> None:
    trust = parsed(f"keys: [{{name: a, key: {ONE.minisign}}}, {{name: b, key: {OTHER.openssh}, role: rebuilder}}]")
    assert [key.public.raw for key in trust.keys] == [ONE.raw, OTHER.raw]
    assert trust.required == {"release": 1, "rebuilder": 0}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"keys: [{{name: a, key: {ONE.minisign}}}, {{name: b, key: {ONE.openssh}}}]", "one is there twice"),
        (f"keys: [{{name: a, key: {ONE.minisign}}}, {{name: a, key: {OTHER.openssh}}}]", "two are called a"),
        (f"keys: [{{name: a, key: {ONE.minisign}}}]\nrequire: {{rebuilder: 1}}", "1 keys are required, and fewer"),
        ("keys: [{name: a, key: RWQ}]", "not base64"),
        ("require: {release: 2}", "2 keys are required, and fewer"),
        ("require: {rebuilder: 1}", "1 keys are required, and fewer"),
        (
            f"keys: [{{name: a, key: {ONE.minisign}, valid-from: 2027-01-02, valid-until: 2027-01-01}}]",
            "valid from 2027-01-02 until 2027-01-01, so never",
        ),
        (f"keys: [{{name: a, key: {PublicKey.of(bytes(32)).minisign}}}]", "anybody can sign"),
        ("cooldown: {days: -1}", "days"),
        ("advisories: [{id: CVE-1, reason: none}]", "until"),
    ],
)
def test_what_makes_no_sense_is_told(text: str, said: str) -> None:
    with pytest.raises(ManifestError) as caught:
        parsed(text)
    assert said in str(caught.value)
