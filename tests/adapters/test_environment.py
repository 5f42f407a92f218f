"""What other programs are given of the caller's environment, and that nothing in the current folder runs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bundler.adapters.environment import NPM, PIP_COMPILE, PIP_CONFIG, SHARED, UV, Passed, find_program, search_path
from bundler.adapters.index_address import find_index
from bundler.adapters.npm import find_registry
from bundler.adapters.pip_compile import PipCompile
from bundler.adapters.process import isolated, run
from bundler.adapters.resolver import Resolver
from bundler.errors import LockError, UnreachableError, WorkError

# Whole commands, or other programs: each takes a good part of a second.
pytestmark = pytest.mark.slow

PURPOSES = {"shared": SHARED, "pip": PIP_CONFIG, "pip-compile": PIP_COMPILE, "uv": UV, "npm": NPM}
# Secrets, and what makes a program run, load or find something.
NEVER = [
    "GH_TOKEN", "GITHUB_TOKEN", "ACTIONS_RUNTIME_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN", "NPM_TOKEN", "NODE_AUTH_TOKEN", "TWINE_PASSWORD", "DATABASE_URL", "SSH_AUTH_SOCK",
    "AIWS_SIGNING_KEY", "AIWS_SIGNING_KEY_FILE", "AIWS_SIGNING_KEY_FD", "AIWS_SIGNING_PASSWORD",
    "OPENAI_API_KEY", "UV_PUBLISH_TOKEN", "AIWS_MIRRORS", "LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "GCONV_PATH",
    "LOCPATH", "GLIBC_TUNABLES", "MALLOC_TRACE", "PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONINSPECT",
    "PYTHONUSERBASE", "PYTHONBREAKPOINT", "PYTHONWARNINGS", "PYTHONPYCACHEPREFIX", "BASH_ENV", "ENV", "IFS", "CDPATH",
    "PS4", "SHELLOPTS", "BASHOPTS", "PROMPT_COMMAND", "BASH_FUNC_id%%", "SHELL", "EDITOR", "PAGER", "BROWSER",
    "NODE_OPTIONS", "NODE_PATH", "npm_config_script_shell", "npm_config_node_options", "npm_config_git",
    "npm_config_prefix", "GIT_SSH_COMMAND", "GIT_EXEC_PATH", "GIT_CONFIG_COUNT", "GIT_ASKPASS", "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_PYTHON", "PIP_NO_BINARY", "PIP_CONSTRAINT", "PIP_REQUIREMENT",
    "UV_INDEX", "UV_PYTHON", "UV_CONFIG_FILE", "UV_OVERRIDE", "VIRTUAL_ENV", "OPENSSL_CONF", "OPENSSL_MODULES",
    "SSLKEYLOGFILE", "PERL5OPT", "RUBYOPT", "JAVA_TOOL_OPTIONS",
]  # fmt: skip


@pytest.mark.parametrize("passed", PURPOSES.values(), ids=PURPOSES)
def test_a_program_sees_nothing_that_is_not_on_its_list(passed: Passed) -> None:
    env = dict.fromkeys((*NEVER, *(name.lower() for name in NEVER)), "secret") | {
        "PATH": "/bin",
        "HOME": "/h",
        "LANG": "C",
    }
    done = run(isolated("-c", "import json, os; print(json.dumps(dict(os.environ)))"), passed.of(env), 20)
    seen = json.loads(done.output)
    assert {name: value for name, value in seen.items() if name != "LC_CTYPE"} == {
        "PATH": "/bin",
        "HOME": "/h",
        "LANG": "C",
    }


def test_what_reaches_an_index_is_passed() -> None:
    env = {
        "HTTPS_PROXY": "http://p.test", "no_proxy": "x", "SSL_CERT_FILE": "/pem", "SSL_CERT_DIR": "/a:/b",
        "LC_ALL": "C", "XDG_CONFIG_HOME": "/c", "XDG_CONFIG_DIRS": "/d", "TMPDIR": "/t", "NETRC": "/n",
    }  # fmt: skip
    for passed in PURPOSES.values():
        assert passed.of(env) == {**env, "PATH": "/usr/local/bin:/usr/bin:/bin"}
    assert PIP_CONFIG.of({"PIP_CONFIG_FILE": "/f"})["PIP_CONFIG_FILE"] == "/f"
    assert PIP_COMPILE.of({"PIP_CERT": "/f"})["PIP_CERT"] == "/f"
    assert UV.of({"UV_OFFLINE": "1"})["UV_OFFLINE"] == "1"
    assert NPM.of({"NPM_CONFIG_CAFILE": "/f", "npm_config_noproxy": "x"}).keys() == {
        "NPM_CONFIG_CAFILE", "npm_config_noproxy", "PATH",
    }  # fmt: skip


def test_a_path_that_the_caller_gave_means_the_same_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    given = PIP_CONFIG.of({"PIP_CONFIG_FILE": "pip.conf", "HOME": "", "SSL_CERT_DIR": "certs::/etc/certs"})
    assert given["PIP_CONFIG_FILE"] == str(tmp_path / "pip.conf")
    assert "HOME" not in given
    assert given["SSL_CERT_DIR"] == "/etc/certs"
    (tmp_path / "pip.conf").write_text("[global]\nindex-url = https://a.test/simple\n")
    assert find_index({"PIP_CONFIG_FILE": "pip.conf"}, run) == "https://a.test/simple"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/a:/b", "/a:/b"),
        (":/a::.:b:./c:../d:~/e:/f:", "/a:/f"),
        (".", "/usr/local/bin:/usr/bin:/bin"),
        ("", "/usr/local/bin:/usr/bin:/bin"),
    ],
)
def test_programs_are_looked_up_in_absolute_folders_only(path: str, expected: str) -> None:
    assert search_path({"PATH": path}) == expected
    assert SHARED.of({"PATH": path})["PATH"] == expected


def test_a_program_is_found_by_its_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "prog").write_text("#!/bin/sh\n")
    (tmp_path / "prog").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    assert find_program("prog", {"PATH": f".::{tmp_path}"}) == str(tmp_path / "prog")
    for path in (".", "", ":", "..:.", f"../{tmp_path.name}"):
        assert find_program("prog", {"PATH": path}) is None
    with pytest.raises(WorkError, match="no absolute path"):
        run(["./prog"], {}, 5)


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A current folder full of code; whatever of it runs leaves a file `ran-…`."""
    for name in ("json", "queue", "sitecustomize", "usercustomize", "re", "httpx", "click", "fnmatch", "typing"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'ran-')!r} + {name!r}, 'w').close()\n")
    for name in ("pip", "piptools", "uv", "packaging", "bundler_hook"):
        (tmp_path / name).mkdir()
        for file in ("__init__", "__main__", "_internal"):
            (tmp_path / name / f"{file}.py").write_text(f"open({str(tmp_path / 'ran-')!r} + {name!r}, 'w').close()\n")
    (tmp_path / "bin").mkdir()
    for name in ("npm", "node", "git", "unshare", "python", "python3", "env", "sh", "keyring"):
        for place in (tmp_path, tmp_path / "bin"):
            (place / name).write_text(f"#!/bin/sh\n: >{tmp_path}/ran-{name}\necho https://evil.test/\n")
            (place / name).chmod(0o755)
    for name in ("pip.conf", ".npmrc", "uv.toml"):
        (tmp_path / name).write_text("registry=https://evil.test/\n[global]\nindex-url = https://evil.test/\n")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    assert sorted(path.name for path in tmp_path.glob("ran-*")) == []


HOSTILE_ENV = {"PATH": ":.:bin:./bin::/usr/bin:/bin", "PYTHONPATH": ".", "PYTHONSTARTUP": "json.py", "PYTHONHOME": ""}


def ask_index() -> object:
    return find_index(HOSTILE_ENV, run)


def ask_registry() -> object:
    return find_registry(HOSTILE_ENV, run)


def ask_uv() -> object:
    return Resolver(run, HOSTILE_ENV, "http://127.0.0.1:9/").version()


def ask_pip_compile() -> object:
    return PipCompile(run, HOSTILE_ENV, "http://127.0.0.1:9/").resolve(["maker"])


@pytest.mark.parametrize("ask", [ask_index, ask_registry, ask_uv, ask_pip_compile])
def test_nothing_of_the_current_folder_runs(hostile: Path, ask: Callable[[], object]) -> None:
    try:
        assert "evil" not in str(ask())
    except (UnreachableError, LockError) as error:  # no npm here, no such index
        assert "evil" not in error.message


@pytest.mark.slow
def test_the_command_line_runs_nothing_of_the_current_folder(hostile: Path) -> None:
    for argv in ([str(Path(sys.executable).with_name("aiws-bundle"))], [sys.executable, "-m", "bundler"]):
        done = subprocess.run(
            [*argv, "cache", "info"],
            env={"PATH": ":.:/bin", "HOME": str(hostile), "AIWS_CACHE_DIR": str(hostile / "cache")},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr


def test_pip_that_isolated_python_does_not_see_is_told(tmp_path: Path) -> None:
    """As it is where both are in the user's own site-packages."""
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(bare)], check=True)

    def run_bare(argv: object, env: dict[str, str], timeout: float) -> object:
        assert isinstance(argv, list)
        return run([str(bare / "bin/python"), *argv[1:]], env, timeout)

    with pytest.raises(UnreachableError, match=r"No module named 'pip'.*virtual environment.*own site-packages"):
        find_index({}, run_bare)  # type: ignore[arg-type]


def test_no_list_passes_a_name_of_another_meaning() -> None:
    """Names are spelt out: no list holds a pattern, a token or a name that runs something."""
    for passed in PURPOSES.values():
        names = passed.plain | passed.paths | passed.lists
        assert not names & set(NEVER)
        assert all(name.replace("_", "").isalnum() for name in names)
