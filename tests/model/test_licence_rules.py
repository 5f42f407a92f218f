from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.model.inventory import Inventory, Item
from bundler.model.licence_rules import unlicensed
from bundler.model.trust import Licences, UnusualLicence
from tests.model.samples import PROPERTY

ALLOWED = Licences(allow=("MIT", "Apache-2.0", "BSD License"))
DENIED = Licences(deny=("AGPL-3.0-only", "gpl-2.0"))


def faults(rules: Licences, *licences: str, kind: str = "wheel") -> list[str]:
    item = Item("pkg:pypi/some-name@1", kind, "some-name", "1", licences=licences)  # type: ignore[arg-type]
    return [found.reason for found in unlicensed(Inventory("x", "1", "debian 12 amd64", items=(item,)), rules)]


@pytest.mark.parametrize(
    "text",
    [
        "MIT",
        "mit",
        "BSD  License",
        "MIT OR GPL-3.0",
        "MIT AND Apache-2.0",
        "(GPL-3.0 OR MIT) AND Apache-2.0",
        "Apache-2.0 WITH LLVM-exception",
    ],
)
def test_what_is_allowed(text: str) -> None:
    assert faults(ALLOWED, text) == []


@pytest.mark.parametrize(
    "text", ["GPL-3.0", "MIT AND GPL-3.0", "GPL-3.0 OR BSD-3-Clause", "MIT OR", "()", "((MIT", "MIT License"]
)
def test_what_is_not(text: str) -> None:
    assert faults(ALLOWED, text) == [f"its licence is {text}"]


def test_what_is_denied_and_not_given_in_another_way() -> None:
    assert faults(DENIED, "AGPL-3.0-only") == ["its licence is AGPL-3.0-only"]
    assert faults(DENIED, "AGPL-3.0-only OR MIT") == []
    assert faults(DENIED, "MIT AND AGPL-3.0-only") != []
    assert faults(DENIED, "GPL-2.0 WITH Classpath-exception-2.0") != []
    permitted = Licences(allow=("GPL-2.0 WITH Classpath-exception-2.0",), deny=("GPL-2.0",))
    assert faults(permitted, "GPL-2.0 WITH Classpath-exception-2.0") == []


@pytest.mark.parametrize(
    ("denied", "text"),
    [
        ("AGPL-3.0-only", "AGPL-3.0"),
        ("AGPL-3.0", "agpl-3.0-only"),
        ("AGPL-3.0-or-later", "AGPL-3.0+"),
        ("AGPL-3.0-or-later", "AGPL-3.0-only+"),
        ("AGPL-3.0-only", "AGPL-3.0 WITH some-exception"),
        ("AGPL-3.0-only", "MIT AND (AGPL-3.0-only"),
        ("AGPL-3.0-only", "MIT/AGPL-3.0"),
        ("AGPL-3.0-only", "AGPL-3.0, MIT"),
        ("AGPL-3.0-only", f"AGPL-3.0 AND {'MIT AND ' * 300}MIT"),
    ],
)
def test_what_is_denied_is_known_however_it_is_spelled(denied: str, text: str) -> None:
    assert faults(Licences(deny=(denied,)), text) == [f"its licence is {text}"]
    assert faults(Licences(deny=("GPL-2.0-only",)), text) == []


def test_what_is_not_told_is_refused_only_where_some_alone_are_allowed() -> None:
    assert faults(ALLOWED) == ["its licence is not told"]
    assert faults(DENIED) == [] and faults(Licences()) == []
    assert faults(ALLOWED, kind="file") == []
    assert faults(ALLOWED, "MIT", "GPL-3.0") == ["its licence is GPL-3.0"], "all that is told has to be allowed"


def test_an_exception_is_for_a_project() -> None:
    excepted = Licences(allow=("MIT",), exceptions=(UnusualLicence("Some_Name", "why"),))
    assert faults(excepted) == faults(excepted, "GPL-3.0") == []


@PROPERTY
@given(st.text("MIT ()ANDORWITH-+/x", max_size=60))
def test_any_text_is_judged(text: str) -> None:
    assert len(faults(ALLOWED, text)) <= 1
