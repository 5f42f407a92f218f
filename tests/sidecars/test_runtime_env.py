from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from bundler.errors import IntegrityError
from bundler.model.manifest import SPEC_PATTERN, VALUE_PATTERN, VARIABLE_PATTERN, Spec, VariableName, VariableValue
from bundler.sidecars.runtime_env import parse, render
from tests.model.samples import COSTLY_PROPERTY

SPEC = "litellm[proxy]==1.89.0"
# What a shell could take for more than letters, alone and inside a requirement.
HOSTILE = [
    " ", "\t", "\n", "\r", "\0", ";", "&", "|", "<", ">", "(", ")", "$", "`", "\\", '"', "'", "*", "?", "[", "]", "#",
    "~", "=", "%", "{", "}", "!", "^", "é", "\x7f", ":~", ",", "$(touch pwned)", "`touch pwned`", "; touch pwned",
    "\ntouch pwned", "&& touch pwned", "|| touch pwned", ">pwned", " touch pwned", "$HOME", "${PATH}", "$((1+1))",
    "{a,b}", "~root", "~+", "'x'", '"x"', "\\n", "#x", "!!", "<(touch pwned)", "\nexport PATH=", "\n#", "$'\\n'",
    "*.whl", "[a-z]",
]  # fmt: skip


def sourced(content: bytes, *variables: str) -> tuple[list[str], str, list[str]]:
    """What bash has in `variables` once it sourced `content`, what it wrote to standard error, and files it made."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "runtime.env").write_bytes(content)
        values = " ".join(f'"${name}"' for name in variables)
        script = f"set -eu; source ./runtime.env; printf '%s\\0' {values}"
        done = subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, check=False, timeout=60)
        made = sorted(path.name for path in Path(folder).iterdir() if path.name != "runtime.env")
        assert done.returncode == 0, done.stderr
        return done.stdout.decode().split("\0")[:-1], done.stderr.decode(), made


def test_the_file_is_exactly_these_bytes() -> None:
    assert render("litellm", SPEC) == b"LITELLM_PACKAGE_SPEC=litellm[proxy]==1.89.0\n"
    assert render("some-app", "x==1", [("B", "2"), ("A_1", "x/y:z")]) == (
        b"SOME_APP_PACKAGE_SPEC=x==1\nexport B=2\nexport A_1=x/y:z\n"
    )


def _accepted(kind: Any, value: str) -> bool:
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError:
        return False
    return True


def _spoiled(pattern: str) -> st.SearchStrategy[str]:
    """Texts of a pattern, and the same with something hostile in them."""
    plain = st.from_regex(pattern, fullmatch=True)
    return st.one_of(
        plain,
        st.tuples(plain, st.sampled_from(HOSTILE), st.integers(0, 20)).map(
            lambda t: t[0][: t[2]] + t[1] + t[0][t[2] :]
        ),
    )


@COSTLY_PROPERTY
@given(_spoiled(SPEC_PATTERN))
def test_bash_reads_back_exactly_the_requirement_and_runs_nothing(spec: str) -> None:
    try:
        content = render("litellm", spec)
    except IntegrityError:
        assert not _accepted(Spec, spec)
        return
    assert sourced(content, "LITELLM_PACKAGE_SPEC") == ([spec], "", [])
    assert parse(content, "litellm") == spec


@pytest.mark.parametrize("hostile", HOSTILE, ids=repr)
def test_nothing_hostile_is_rendered_wherever_it_stands(hostile: str) -> None:
    for spec in (
        f"{hostile}{SPEC}",
        f"lite{hostile}llm==1",
        f"litellm[{hostile}]==1",
        f"litellm=={hostile}",
        f"{SPEC}{hostile}",
    ):
        try:
            content = render("litellm", spec)
        except IntegrityError:
            assert not _accepted(Spec, spec)
        else:
            assert sourced(content, "LITELLM_PACKAGE_SPEC") == ([spec], "", [])
    for value in (hostile, f"x{hostile}", f"x{hostile}y"):
        try:
            content = render("litellm", SPEC, [("A", value)])
        except IntegrityError:
            assert not _accepted(VariableValue, value)
        else:
            assert sourced(content, "A") == ([value], "", [])
    with pytest.raises(IntegrityError):
        render("litellm", SPEC, [(f"A{hostile}", "x")])
    assert not _accepted(VariableName, f"A{hostile}")


@COSTLY_PROPERTY
@given(_spoiled(VARIABLE_PATTERN).map(lambda name: f"X_{name}"), _spoiled(VALUE_PATTERN))
def test_bash_exports_exactly_the_variable(name: str, value: str) -> None:
    try:
        content = render("litellm", SPEC, [(name, value)])
    except IntegrityError:
        assert not (_accepted(VariableName, name) and _accepted(VariableValue, value))
        return
    assert sourced(content, "LITELLM_PACKAGE_SPEC", name) == ([SPEC, value], "", [])
    assert parse(content, "litellm") == SPEC


def test_a_variable_is_seen_by_programs_and_the_requirement_is_not() -> None:
    content = render("litellm", SPEC, [("A_B", "x")]) + b"env >env\n"
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "runtime.env").write_bytes(content)
        subprocess.run(["bash", "-c", "source ./runtime.env"], cwd=folder, check=True)
        lines = (Path(folder) / "env").read_text(encoding="utf-8").splitlines()
    assert "A_B=x" in lines
    assert not [line for line in lines if line.startswith("LITELLM_PACKAGE_SPEC")]


@pytest.mark.parametrize("component", ["a.b", "9router", "", "a b", "a;b", "é", "a=b", "a\nb"])
def test_a_component_that_makes_no_variable_is_refused(component: str) -> None:
    with pytest.raises(IntegrityError):
        render(component, SPEC)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"LITELLM_PACKAGE_SPEC=litellm==1",
        b"LITELLM_PACKAGE_SPEC=litellm==1\r\n",
        b"LITELLM_PACKAGE_SPEC=litellm==1\n\n",
        b"\nLITELLM_PACKAGE_SPEC=litellm==1\n",
        b"LITELLM_PACKAGE_SPEC='litellm==1'\n",
        b"LITELLM_PACKAGE_SPEC= litellm==1\n",
        b"LITELLM_PACKAGE_SPEC =litellm==1\n",
        b"export LITELLM_PACKAGE_SPEC=litellm==1\n",
        b"OTHER_PACKAGE_SPEC=litellm==1\n",
        b"LITELLM_PACKAGE_SPEC=litellm==1\ntouch pwned\n",
        b"LITELLM_PACKAGE_SPEC=litellm==1; touch pwned\n",
        b"LITELLM_PACKAGE_SPEC=litellm==1\nA=x\n",
        b"LITELLM_PACKAGE_SPEC=litellm==1\nexport A\n",
        b"LITELLM_PACKAGE_SPEC=litellm==1\nexport A=$(touch pwned)\n",
        b"LITELLM_PACKAGE_SPEC=litellm==1\nexport  A=x\n",
        b"LITELLM_PACKAGE_SPEC=litellm==1\nexport A=x B=y\n",
        b"LITELLM_PACKAGE_SPEC=litellm==1\n# comment\n",
        b"LITELLM_PACKAGE_SPEC=litellm==1\nLITELLM_PACKAGE_SPEC=litellm==2\n",
        b"LITELLM_PACKAGE_SPEC=litellm==1\xff\n",
        b"\xef\xbb\xbfLITELLM_PACKAGE_SPEC=litellm==1\n",
        b"LITELLM_PACKAGE_SPEC\n",
    ],
)
def test_a_file_that_would_not_be_written_is_refused(content: bytes) -> None:
    with pytest.raises(IntegrityError) as caught:
        parse(content, "litellm")
    assert caught.value.message.startswith("runtime.env: ")


def test_the_requirement_of_another_component_is_told() -> None:
    with pytest.raises(IntegrityError, match=r"^runtime.env: expected LITELLM_PACKAGE_SPEC=…$"):
        parse(render("other", SPEC), "litellm")


_GOOD = render("litellm", SPEC, [("A", "x"), ("B", "y")])


@COSTLY_PROPERTY
@given(
    st.one_of(
        st.binary(max_size=40),
        st.tuples(st.integers(0, len(_GOOD)), st.binary(max_size=3)).map(
            lambda t: _GOOD[: t[0]] + t[1] + _GOOD[t[0] + len(t[1]) :]
        ),
    )
)
def test_whatever_is_accepted_runs_nothing(content: bytes) -> None:
    try:
        requirement = parse(content, "litellm")
    except IntegrityError:
        return
    assert content.startswith(render("litellm", requirement))
    assert sourced(content, "LITELLM_PACKAGE_SPEC") == ([requirement], "", [])
