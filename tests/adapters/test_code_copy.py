"""Compiled code in files that pass, in pieces of any size."""

from __future__ import annotations

import pytest

from bundler.adapters.code_copy import CodeCopy
from tests.mach_o import thin


@pytest.mark.parametrize("piece", [1, 7, 64, 5000, 1 << 20])
def test_code_is_read_from_what_passed(piece: int) -> None:
    content = thin()
    with CodeCopy(len(content)) as copy:
        for at in range(0, len(content), piece):
            copy.take(content[at : at + piece])
        code = copy.code()
    assert code is not None
    assert [(one.signed, one.signature) for one in code.slices] == [(True, "")]


@pytest.mark.parametrize("content", [b"", b"x", b"\xcf\xfa\xed\xfe", b"text " * 1000])
def test_other_files_are_none(content: bytes) -> None:
    with CodeCopy(len(content)) as copy:
        for at in range(0, len(content), 3):
            copy.take(content[at : at + 3])
        code = copy.code()
    assert code is None or code.fault
