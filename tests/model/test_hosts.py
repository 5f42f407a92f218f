from __future__ import annotations

import pytest

from bundler.errors import ManifestError
from bundler.model.hosts import Hosts
from bundler.model.portable_python import PortablePython
from tests.model.samples import DEBIAN_12


def test_the_portable_python_is_what_the_file_says() -> None:
    python = PortablePython("3.13.9", "1", {})
    assert Hosts((DEBIAN_12,), python).portable_python() == python


def test_a_portable_python_that_no_file_tells_of_is_told_with_what_the_file_holds() -> None:
    with pytest.raises(ManifestError) as caught:
        Hosts((DEBIAN_12,), None).portable_python()
    (said,) = map(str, caught.value.problems)
    assert said.startswith('python.yaml: is missing; it holds a mapping with "version", "tag" and "pins", such as {')
