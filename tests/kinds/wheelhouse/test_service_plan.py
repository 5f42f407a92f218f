"""`service:` of a manifest: what it may say."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from bundler.kinds.wheelhouse.service_plan import ServicePlan
from tests.kinds.wheelhouse.members.test_units import PLAN

ADAPTER = TypeAdapter(ServicePlan)


def test_what_it_says_is_read_back() -> None:
    assert ADAPTER.validate_python(PLAN.words()) == PLAN


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("start", ["--config"], "{port} is missing"),
        ("start", ["{port}", "{folder}"], "only {port} and {config}"),
        ("start", ["{port}", "a\nb"], "one line"),
        ("description", "a\nUser=root", "pattern"),
        ("description", "%h", "pattern"),
        ("ready", "/a b", "pattern"),
        ("port", 80, "1024"),
        ("files", {"a/b": ""}, "side by side"),
        ("files", {"secrets.env": ""}, "made of"),
        ("secrets", {"TOKEN": "a\nb"}, "pattern"),
        ("secrets", {"TOKEN": "{port}"}, "only {random}"),
        ("trial", {"A": "$(b)"}, "pattern"),
        ("after", ["a.service\nB"], "pattern"),
        ("user", "root", "Unexpected keyword"),
    ],
)
def test_what_no_unit_could_stand_is_refused(key: str, value: object, told: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ADAPTER.validate_python({**PLAN.words(), key: value})
    assert told in str(caught.value)


def test_two_ports_are_two() -> None:
    with pytest.raises(ValidationError):
        ADAPTER.validate_python({**PLAN.words(), "internal-port": PLAN.port})
