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
from bundler.kinds.runtime_env import parse, render
from bundler.kinds.wheelhouse.manifest import VariableName, VariableValue
from bundler.model.variables import VALUE_PATTERN, fault_of, name_fault
from bundler.payloads import VARIABLES
from bundler.words import SPEC_PATTERN, Spec
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
    assert render("some-app", "x==1", [("SOME_APP_B", "2"), ("SOME_APP_A_1", "x.y-z")]) == (
        b"SOME_APP_PACKAGE_SPEC=x==1\nexport SOME_APP_B=2\nexport SOME_APP_A_1=x.y-z\n"
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
            content = render("litellm", SPEC, [("LITELLM_A", value)])
        except IntegrityError:
            assert not _accepted(VariableValue, value)
        else:
            assert sourced(content, "LITELLM_A") == ([value], "", [])
    with pytest.raises(IntegrityError):
        render("litellm", SPEC, [(f"LITELLM_A{hostile}", "x")])
    assert not _accepted(VariableName, f"LITELLM_A{hostile}")


@COSTLY_PROPERTY
@given(_spoiled(r"^LITELLM_[A-Z][A-Z0-9_]{0,20}$"), _spoiled(VALUE_PATTERN))
def test_bash_exports_exactly_the_variable(name: str, value: str) -> None:
    try:
        content = render("litellm", SPEC, [(name, value)])
    except IntegrityError:
        assert fault_of(name, value, "litellm", VARIABLES) or name == "LITELLM_PACKAGE_SPEC"
        return
    assert sourced(content, "LITELLM_PACKAGE_SPEC", name) == ([SPEC, value], "", [])
    assert parse(content, "litellm") == SPEC


def test_a_variable_is_seen_by_programs_and_the_requirement_is_not() -> None:
    content = render("litellm", SPEC, [("LITELLM_A_B", "x")]) + b"env >env\n"
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "runtime.env").write_bytes(content)
        subprocess.run(["bash", "-c", "source ./runtime.env"], cwd=folder, check=True)
        lines = (Path(folder) / "env").read_text(encoding="utf-8").splitlines()
    assert "LITELLM_A_B=x" in lines
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
        b"LITELLM_PACKAGE_SPEC=litellm==1\nLITELLM_A=x\n",
        b"LITELLM_PACKAGE_SPEC=litellm==1\nexport LITELLM_A\n",
        b"LITELLM_PACKAGE_SPEC=litellm==1\nexport LITELLM_A=$(touch pwned)\n",
        b"LITELLM_PACKAGE_SPEC=litellm==1\nexport  LITELLM_A=x\n",
        b"LITELLM_PACKAGE_SPEC=litellm==1\nexport LITELLM_A=x LITELLM_B=y\n",
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


_GOOD = render("litellm", SPEC, [("LITELLM_A", "x"), ("ANSIBLE_BECOME_FLAGS", "-HSnE")])


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


# What makes a shell, a program or the consumers' roles run, load, find or fetch something, or tells them a secret.
DANGEROUS = [
    "PROMPT_COMMAND", "BASH_ENV", "ENV", "LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "PATH", "CDPATH", "PYTHONHOME",
    "PYTHONPATH", "PYTHONSTARTUP", "PYTHONINSPECT", "PYTHONUSERBASE", "IFS", "PS4", "PS1", "SHELLOPTS", "BASHOPTS",
    "UID", "EUID", "HOME", "SHELL", "TMPDIR", "PWD", "OLDPWD", "HISTFILE", "NODE_OPTIONS", "NODE_PATH",
    "GIT_SSH_COMMAND", "GIT_EXEC_PATH", "GIT_CONFIG_COUNT", "GIT_CONFIG_KEY_0", "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_PYTHON", "PIP_NO_BINARY", "PIP_NO_BUILD_ISOLATION", "PIP_NO_DEPS",
    "PIP_TARGET", "PIP_CONFIG_FILE", "PIP_CERT", "PIP_REQUIREMENT", "PIP_CONSTRAINT", "PIP_NO_", "UV_INDEX_URL",
    "ANSIBLE_BECOME_EXE", "ANSIBLE_BECOME_METHOD", "ANSIBLE_CONFIG", "ANSIBLE_LIBRARY", "ANSIBLE_CALLBACK_PLUGINS",
    "ANSIBLE_BECOME_FLAGS_X", "SUDO_ASKPASS", "PRISMA_", "PRISMA_ENGINES_MIRROR", "PRISMA_FMT_BINARY", "PERL5OPT",
    "OPENSSL_CONF", "http_proxy", "HTTPS_PROXY", "ROOT", "SSL_CERT_FILE", "DATABASE_URL", "AI_WORKSPACE_PLAYBOOK_DIR",
    "PLAYBOOK_DIR", "GITHUB_PROXY", "AIWS_RUNTIME_DIR", "LITELLM", "LITELLM_", "LITELLMX", "XLITELLM_A",
    "LITELLM_PACKAGE_SPEC", "LITELLM_PYTHON_EXECUTABLE", "LITELLM_PIP_CACHE_DIR", "LITELLM_WORKER_STARTUP_HOOKS",
    "LITELLM_CONFIG_BUCKET_NAME", "LITELLM_MASTER_KEY", "LITELLM_CONFIG_BUCKET_OBJECT_KEY",
    "LITELLM_MCP_STDIO_EXTRA_COMMANDS", "LITELLM_UI_PATH", "LITELLM_API_BASE", "LITELLM_OIDC_ALLOWED_CREDENTIAL_DIRS",
    "LITELLM_MODEL_COST_MAP_URL", "LITELLM_SALT_KEY", "LITELLM_LICENSE",
    "LITELLM_CONTENT_FILTER_ALLOW_EXTERNAL_PATHS", "LITELLM_DISABLE_REDACT_SECRETS", "LITELLM_ASSETS_PATH",
    "LITELLM__KEY", "LITELLM_KEY_", "LITELLM_" + "A" * 57,
]  # fmt: skip


@pytest.mark.parametrize("name", DANGEROUS)
def test_a_variable_that_is_not_on_the_list_is_neither_written_nor_accepted(name: str) -> None:
    with pytest.raises(IntegrityError, match=r"^runtime\.env: "):
        render("litellm", SPEC, [(name, "x")])
    with pytest.raises(IntegrityError, match=r"^runtime\.env: "):
        parse(render("litellm", SPEC) + f"export {name}=x\n".encode(), "litellm")
    assert name_fault(name, "litellm", VARIABLES)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LITELLM_LOCAL_MODEL_COST_MAP", "True"),
        ("LITELLM_LOG", "INFO"),
        ("LITELLM_MODE", "PRODUCTION"),
        ("PIP_NO_INDEX", "true"),
        ("PIP_PREFER_BINARY", "true"),
        ("ANSIBLE_BECOME_FLAGS", "-HSnE"),
        ("DISABLE_SCHEMA_UPDATE", "true"),
    ],
)
@pytest.mark.parametrize("shell", ["bash", "dash", "sh"])
def test_what_consumers_need_is_exported_as_it_is(name: str, value: str, shell: str) -> None:
    content = render("litellm", SPEC, [(name, value)])
    assert parse(content, "litellm") == SPEC
    script = f'set -eu; . /dev/stdin; env >&2; printf %s "${name}"'
    done = subprocess.run([shell, "-c", script], input=content, capture_output=True, check=False, env={})
    assert (done.returncode, done.stdout.decode()) == (0, value)
    assert f"{name}={value}" in done.stderr.decode().splitlines()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ANSIBLE_BECOME_FLAGS", "-A"),
        ("ANSIBLE_BECOME_FLAGS", "-HSnE-s"),
        ("ANSIBLE_BECOME_FLAGS", "root"),
        ("PRISMA_QUERY_ENGINE_BINARY", "engine"),
        ("PRISMA_QUERY_ENGINE_BINARY", "/opt/../tmp/x"),
        ("LITELLM_LOG", "-x"),
        ("LITELLM_LOG", "tmp/evil.pem"),
        ("LITELLM_LOG", "http://evil"),
        ("LITELLM_LOG", "/x"),
        ("LITELLM_LOG", "a/../b"),
        ("LITELLM_LOG", "x" * 201),
    ],
)
def test_a_value_that_means_more_than_its_variable_should_is_refused(name: str, value: str) -> None:
    with pytest.raises(IntegrityError):
        render("litellm", SPEC, [(name, value)])


def test_a_variable_stands_once() -> None:
    with pytest.raises(IntegrityError, match="twice"):
        parse(render("litellm", SPEC) + b"export LITELLM_A=1\nexport LITELLM_A=2\n", "litellm")


@pytest.mark.parametrize("component", ["ld", "bash", "pip", "git", "node", "prompt"])
def test_a_component_chooses_no_names(component: str) -> None:
    """Else an archive of a component `ld` could export LD_PRELOAD."""
    for name in ("LD_PRELOAD", "BASH_ENV", "PIP_INDEX_URL", "GIT_SSH_COMMAND", "NODE_OPTIONS", "PROMPT_COMMAND"):
        with pytest.raises(IntegrityError):
            parse(f"{component.upper()}_PACKAGE_SPEC=x==1\nexport {name}=x\n".encode(), component)


@pytest.mark.parametrize(
    ("component", "name"),
    [
        *(("posixly", "POSIXLY_CORRECT"), ("requests", "REQUESTS_CA_BUNDLE"), ("systemctl", "SYSTEMCTL_SKIP_SYSV")),
        *(("listen", "LISTEN_FDS"), ("notify", "NOTIFY_SOCKET"), ("dbus", "DBUS_SYSTEM_BUS_ADDRESS")),
        *(("rsync", "RSYNC_RSH"), ("rsync", "RSYNC_CONNECT_PROG"), ("cvs", "CVS_RSH"), ("svn", "SVN_SSH")),
        *(("rustc", "RUSTC_WRAPPER"), ("cmake", "CMAKE_C_COMPILER_LAUNCHER"), ("resolv", "RESOLV_ADD_TRIM_DOMAINS")),
        *(("setuptools", "SETUPTOOLS_USE_DISTUTILS"), ("coverage", "COVERAGE_PROCESS_START"), ("dpkg", "DPKG_ROOT")),
        *(("otel", "OTEL_EXPORTER_OTLP_ENDPOINT"), ("hf", "HF_ENDPOINT"), ("source", "SOURCE_DATE_EPOCH")),
        *(("aiws", "AIWS_MIRRORS"), ("aiws", "AIWS_CLEAN"), ("some-app", "SOME_APP_EDITOR"), ("x", "X_CA")),
    ],
)
def test_a_component_owns_no_name_that_others_obey(component: str, name: str) -> None:
    with pytest.raises(IntegrityError):
        render(component, "x==1", [(name, "y")])
