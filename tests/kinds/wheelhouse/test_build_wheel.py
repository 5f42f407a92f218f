from __future__ import annotations

import pytest

from bundler.errors import LockError
from bundler.kinds.wheelhouse.build_wheel import identity


@pytest.mark.parametrize("filename", ["a_b-1.0-py3-none-any.whl", "A.B-1.0+fork-py2.py3-none-any.whl"])
def test_a_wheel_of_the_asked_for_version_serves(filename: str) -> None:
    assert identity(filename, "a-b[x]==1.0", "it")[0] == "a-b"


@pytest.mark.parametrize(
    ("filename", "words"),
    [
        ("a_b-1.1-py3-none-any.whl", "the source makes a-b 1.1, the manifest asks for a-b==1.0"),
        ("other-1.0-py3-none-any.whl", "the source makes other 1.0"),
        ("a_b-1.0-cp311-none-any.whl", "one platform or Python only"),
        ("a_b-1.0-py2-none-any.whl", "one platform or Python only"),
        ("a_b-1.0-cp311-abi3-manylinux_2_17_x86_64.whl", "one platform or Python only"),
        ("a_b-1.0-1-py3-none-linux_x86_64.whl", "one platform or Python only"),
        ("a_b-1.0.tar.gz", "no wheel"),
        ("", "no wheel"),
    ],
)
def test_any_other_is_refused_with_the_reason(filename: str, words: str) -> None:
    with pytest.raises(LockError, match=words.replace(".", r"\.")):
        identity(filename, "a-b[x]==1.0", "it")
