from __future__ import annotations

import pytest

from bundler.model.known_bad import KnownBad, bad_among, package, package_of

BAD: KnownBad = {package_of("lite-llm==1.82.7"): "stolen"}


@pytest.mark.parametrize("text", ["Lite_LLM[proxy]==1.82.7", "lite-llm==1.82.7.0", "lite.llm==v1.82.07"])
def test_one_version_is_found_however_it_is_spelled(text: str) -> None:
    assert bad_among([package_of(text)], BAD).startswith("lite-llm 1.82.7")
    assert bad_among([package_of(text)], BAD).endswith(" is known to be bad: stolen")


def test_another_version_or_project_is_not() -> None:
    assert bad_among([package("lite-llm", "1.82.6"), package("litellm", "1.82.7")], BAD) == ""
