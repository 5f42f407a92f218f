from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.errors import IntegrityError
from bundler.model.sidecar import Place, SidecarFacts
from bundler.sidecars.sums import NAME, compose, findings, parse, render
from tests.model.samples import PROPERTY, real_manifests, wheelhouse_of

A, B = "a" * 64, "0123456789abcdef" * 4
_NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,20}", fullmatch=True)
_DIGESTS = st.dictionaries(_NAMES, st.text("0123456789abcdef", min_size=64, max_size=64))


def test_the_file_is_exactly_this_text() -> None:
    assert compose({"b.tar.gz": B, "a.tar.gz": A}) == f"{A}  a.tar.gz\n{B}  b.tar.gz\n"
    assert compose({}) == ""


@PROPERTY
@given(_DIGESTS)
def test_what_is_written_is_read_back(digests: dict[str, str]) -> None:
    text = compose(digests)
    assert parse(text) == digests
    assert list(parse(text)) == sorted(digests)


@PROPERTY
@given(_DIGESTS, st.data())
def test_what_is_read_is_what_would_be_written(digests: dict[str, str], data: st.DataObject) -> None:
    text = compose(digests)
    place = data.draw(st.integers(0, len(text)))
    piece = data.draw(
        st.one_of(st.text(max_size=3), st.sampled_from(["\n", "\r", "  ", f"{A}  zz\n", " *", "/", "\\"]))
    )
    changed = text[:place] + piece + text[place + data.draw(st.integers(0, 3)) :]
    try:
        assert compose(parse(changed)) == changed
    except IntegrityError as error:
        assert error.message.startswith(NAME)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{A}  a", "the last line is not ended"),
        (f"{A}  a\n{B}  ", "the last line is not ended"),
        (f"{A} a\n", "SHA256SUMS:1: not 64 hex digits"),
        (f"{A}   a\n", "SHA256SUMS:1: "),
        (f"{A} *a\n", "SHA256SUMS:1: "),
        (f"{A}\ta\n", "SHA256SUMS:1: "),
        (f"{A}  \n", "SHA256SUMS:1: "),
        (f"{A}\n", "SHA256SUMS:1: "),
        (f"{A[1:]}  a\n", "SHA256SUMS:1: "),
        (f"{A}a  a\n", "SHA256SUMS:1: "),
        (f"{A.upper()}  a\n", "SHA256SUMS:1: "),
        (f"\\{A}  a\n", "SHA256SUMS:1: "),
        (f" {A}  a\n", "SHA256SUMS:1: "),
        (f"SHA256 (a) = {A}\n", "SHA256SUMS:1: "),
        (f"{A}  a\r\n", "SHA256SUMS:1: "),
        (f"{A}  a\n\n", "SHA256SUMS:2: "),
        ("\n", "SHA256SUMS:1: "),
        (f"# comment\n{A}  a\n", "SHA256SUMS:1: "),
        (f"{A}  ./a\n", "SHA256SUMS:1: "),
        (f"{A}  d/a\n", "SHA256SUMS:1: "),
        (f"{A}  ../a\n", "SHA256SUMS:1: "),
        (f"{A}  .a\n", "SHA256SUMS:1: "),
        (f"{A}  -a\n", "SHA256SUMS:1: "),
        (f"{A}  a b\n", "SHA256SUMS:1: "),
        (f"{A}  é\n", "SHA256SUMS:1: "),
        (f"{A}  {'a' * 256}\n", "SHA256SUMS:1: "),
        (f"{A}  a\n{B}  a\n", "SHA256SUMS:2: a is listed twice"),
        (f"{A}  a\n{A}  a\n", "SHA256SUMS:2: a is listed twice"),
        (f"{A}  b\n{B}  a\n", "not sorted by name"),
        (f"{A}  a\n{B}  B\n", "not sorted by name"),
    ],
)
def test_anything_else_is_refused(text: str, said: str) -> None:
    with pytest.raises(IntegrityError) as caught:
        parse(text)
    assert said in caught.value.message


def test_a_file_is_called_what_the_caller_calls_it() -> None:
    with pytest.raises(IntegrityError, match=r"^dist/SHA256SUMS:1: "):
        parse("x\n", "dist/SHA256SUMS")


def checked(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    (folder / NAME).write_text(text, encoding="utf-8")
    argv = ["sha256sum", "--strict", "-c", NAME]
    return subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)


def test_sha256sum_accepts_it_and_finds_a_changed_file(tmp_path: Path) -> None:
    litellm = wheelhouse_of(real_manifests(), "litellm")
    names = [litellm.asset_name(target) for target in real_manifests().targets] + ["a+b_c.D-1", "0"]
    for name in names:
        (tmp_path / name).write_bytes(name.encode())
    text = compose({name: hashlib.sha256(name.encode()).hexdigest() for name in names})
    done = checked(tmp_path, text)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "".join(f"{name}: OK\n" for name in sorted(names))
    (tmp_path / "0").write_bytes(b"changed")
    assert checked(tmp_path, text).returncode == 1


@pytest.mark.parametrize(
    ("name", "tag", "grade"),
    [
        ("a.tar.gz", "", "integrity"),
        ("a.tar.gz.sig", "", "note"),
        ("notes.txt", "", "note"),
        ("notes.txt", "v1", "integrity"),
        ("SHA256SUMS.sig", "", None),
        ("SHA256SUMS.sig", "v1", None),
    ],
)
def test_what_is_not_listed(name: str, tag: str, grade: str | None) -> None:
    """A release's checksums cover all of it; a folder's its archives. What signs them is never covered."""
    facts = SidecarFacts({name: (1, A), "b": (1, B)}, lambda name: iter(()), place=Place("o/r", tag))
    found = [(one.message, one.grade) for one in findings(f"{B}  b\n".encode(), facts)]
    assert found == ([(f"{name}: surplus: not listed in SHA256SUMS", grade)] if grade else [])
    assert (name in parse(render(facts).decode())) == (grade is not None)
