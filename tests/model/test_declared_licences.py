from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.model.declared_licences import is_spdx, licence_of, licences_of
from tests.model.samples import PROPERTY

OSI = "License :: OSI Approved :: "


@pytest.mark.parametrize(
    ("expression", "classifiers", "text", "told"),
    [
        (["mit and (apache-2.0 or isc)"], [OSI + "ISC License (ISCL)"], ["x"], "MIT AND (Apache-2.0 OR ISC)"),
        (["LicenseRef-Proprietary"], [], [], "LicenseRef-Proprietary"),
        (["no licence"], [OSI + "MIT License"], [], "MIT"),
        (["Newer-Than-The-List-1.0"], [], [], "Newer-Than-The-List-1.0"),
        ([], [OSI + "BSD License", OSI + "GNU General Public License v3 (GPLv3)"], ["MIT"], "GPL-3.0-only|MIT"),
        ([], [OSI + "MIT License"], ["AGPL-3.0-only"], "AGPL-3.0-only|MIT"),
        ([], ["Topic :: X", OSI + "MIT License", "License :: OSI Approved"], ["anything"], "MIT"),
        ([], [OSI + "MIT License", OSI + "Apache Software License"], [], "Apache-2.0|MIT"),
        ([], [OSI + "BSD License"], ["BSD-3-Clause"], "BSD-3-Clause"),
        ([], [OSI + "BSD License"], ["see the file"], "BSD License"),
        ([], [], ["Apache License 2.0"], "Apache-2.0"),
        ([], [], ["Our Own License"], "Our Own License"),
        ([], [], ["UNKNOWN"], ""),
        ([], [], ["x" * 201], ""),
        ([], [], [], ""),
    ],
)  # fmt: skip
def test_what_metadata_tells(expression: list[str], classifiers: list[str], text: list[str], told: str) -> None:
    assert "|".join(licences_of(expression, classifiers, text)) == told


@PROPERTY
@given(st.text(max_size=300), st.lists(st.text(max_size=30).map(OSI.__add__), max_size=30), st.text(max_size=300))
def test_whatever_is_told_few_short_lines_are_made_of_it(expression: str, classifiers: list[str], text: str) -> None:
    made = licences_of([expression], classifiers, [text])
    assert len(made) <= 20
    assert all(0 < len(one) <= 200 for one in made)


@PROPERTY
@given(st.text(max_size=300))
def test_a_licence_told_twice_is_the_same(text: str) -> None:
    assert licence_of(licence_of(text)) == licence_of(text)


def test_what_is_spdx() -> None:
    assert [is_spdx(one) for one in ("MIT", "mit", "BSD License", "MIT OR ISC", "")] == [
        True,
        False,
        False,
        True,
        False,
    ]
