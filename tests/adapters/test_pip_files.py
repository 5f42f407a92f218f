"""pip's files read here say what pip itself says, whatever stands in them and wherever they are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bundler.adapters import pip_files
from bundler.adapters.environment import PIP_CONFIG
from bundler.adapters.index_address import _ASK_PIP, _read_here
from bundler.adapters.process import isolated

# The real pip in another process, asked again and again with other environments: starting it takes a second.
pytestmark = pytest.mark.slow

_ORACLE = """
import contextlib, io, json, os, sys
ask = compile(json.loads(sys.stdin.readline()), "ask", "exec")
for line in sys.stdin:
    env, sys.prefix = json.loads(line)
    os.environ.clear()
    os.environ.update(env)
    told = io.StringIO()
    try:
        with contextlib.redirect_stdout(told):
            exec(ask, {})
        answer = told.getvalue()
    except SystemExit:
        answer = None
    print(json.dumps(answer), flush=True)
"""
Ask = Callable[[Mapping[str, str]], str | None]
PLACES = ("home/.pip/pip.conf", "home/.config/pip/pip.conf", "xdg/pip/pip.conf", "prefix/pip.conf", "own.conf",
          "one/pip/pip.conf", "two/pip/pip.conf")  # fmt: skip


@pytest.fixture(scope="module")
def pip() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        isolated("-W", "ignore", "-c", _ORACLE), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        process.stdin.write(json.dumps(_ASK_PIP) + "\n")
        yield process
        process.stdin.close()


@pytest.fixture
def ask(pip: subprocess.Popen[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """What pip answers in an environment, None where it does not; its own environment is the folder `prefix`."""
    (tmp_path / "prefix").mkdir()
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "prefix"))

    def answer(env: Mapping[str, str]) -> str | None:
        assert pip.stdin
        assert pip.stdout
        pip.stdin.write(json.dumps([dict(env), sys.prefix]) + "\n")
        pip.stdin.flush()
        told: str | None = json.loads(pip.stdout.readline())
        return told and told.strip().rpartition("\n")[2]

    return answer


def put(folder: Path, files: Mapping[str, str]) -> None:
    for name in PLACES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).unlink(missing_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8", newline="")


def environment(folder: Path, **more: str) -> dict[str, str]:
    told = {name: value.replace("@", str(folder)) for name, value in {"HOME": "@/home", **more}.items()}
    return PIP_CONFIG.of(told)


def says(name: str, section: str = "global") -> str:
    return f"[{section}]\nindex-url = https://{name}.test/simple\n"


EVERY = {name: says(f"n{number}") for number, name in enumerate(PLACES)}
ENVIRONMENTS: list[dict[str, str]] = [
    {},
    {"XDG_CONFIG_HOME": "@/xdg"},
    {"XDG_CONFIG_HOME": "@/xdg/"},
    {"XDG_CONFIG_DIRS": "@/one:@/two"},
    {"XDG_CONFIG_DIRS": "@/two:@/one:@/two/"},
    {"XDG_CONFIG_DIRS": "relative:@/one", "XDG_CONFIG_HOME": "@/none"},
    {"XDG_CONFIG_DIRS": "@/home/.config:@/two"},
    {"PIP_CONFIG_FILE": "@/own.conf"},
    {"PIP_CONFIG_FILE": "@/none.conf"},
    {"PIP_CONFIG_FILE": "@/prefix/pip.conf"},
    {"PIP_CONFIG_FILE": "@/one/pip/pip.conf", "XDG_CONFIG_DIRS": "@/one:@/two"},
    {"PIP_CONFIG_FILE": "/dev/null"},
    {"PIP_CONFIG_FILE": "/dev/../dev/null"},
    {"PIP_CONFIG_FILE": ""},
    {"HOME": "@/home/"},
    {"HOME": "@/nobody"},
]


# Where a file comes twice, with another one in between: which place of it counts depends on pip's version.
TWICE = {str(ENVIRONMENTS[number]): names for number, names in {
    4: ("two/pip/pip.conf", "one/pip/pip.conf"),
    6: ("home/.config/pip/pip.conf", "two/pip/pip.conf"),
    10: ("one/pip/pip.conf", "two/pip/pip.conf"),
}.items()}  # fmt: skip


@pytest.mark.parametrize("env", [env for env in ENVIRONMENTS if str(env) in TWICE], ids=str)
def test_what_a_file_says_that_comes_twice_is_left_to_pip_unless_all_say_the_same(
    tmp_path: Path, env: dict[str, str]
) -> None:
    twice, between = TWICE[str(env)]
    put(tmp_path, {twice: says("twice"), between: says("between")})
    assert pip_files.configured(environment(tmp_path, **env)) is None
    for files in ({twice: says("twice")}, {twice: says("twice"), between: says("twice")}):
        put(tmp_path, files)
        said = pip_files.configured(environment(tmp_path, **env))
        assert said
        assert said["global", "index-url"] == "https://twice.test/simple"


@pytest.mark.parametrize("env", ENVIRONMENTS, ids=str)
def test_the_same_file_wins_as_in_pip(ask: Ask, tmp_path: Path, env: dict[str, str]) -> None:
    given_, left = environment(tmp_path, **env), dict(EVERY)
    while True:  # then without the file that won, until none is left
        put(tmp_path, left)
        answer = ask(given_)
        assert answer
        assert _read_here(given_) == answer or (str(env) in TWICE and pip_files.configured(given_) is None)
        won = [name for name, text in left.items() if answer in text]
        if not won:
            break
        del left[won[0]]


@pytest.mark.parametrize(
    "text",
    [
        "[global]\rindex-url = https://one.example/simple\r",  # as of old Macs
        says("a", "install") + says("b", "download") + says("c"),
        says("b", "download") + says("c"),
        says("a", "Install"),
        says("a", "list"),
        "[global]\nINDEX_URL: https://a.test/\n",
        "[global]\n--index-url=https://a.test/\n",
        "[global]\r\nindex-url = https://a.test/ ; not a comment\r\n# one\r\n",
        "[DEFAULT]\nindex-url = https://d.test/\n[install]\n[global]\nindex_url = https://g.test/\n",
        "[DEFAULT]\nindex-url = https://d.test/\n",
        "[global]\nindex-url =\n    https://a.test/\n    https://b.test/\n",
        "[global]\nindex-url = %(home)s ${x} https://a.test/\n",
        "[global]\nindex-url = http://[::1]:80/%40 \n",
        "",
        "[global]\n",
    ],
)
def test_what_a_file_says_is_what_pip_reads(ask: Ask, tmp_path: Path, text: str) -> None:
    put(tmp_path, {"own.conf": text})
    env = environment(tmp_path, PIP_CONFIG_FILE="@/own.conf")
    assert pip_files.configured(env) is not None
    assert _read_here(env) in (ask(env), "")
    put(tmp_path, {"own.conf": text, "prefix/pip.conf": says("prefix")})
    assert _read_here(env) in (ask(env), "")


@pytest.mark.parametrize(
    "text",
    [
        "index-url = https://a.test/\n",
        "[global]\nindex-url = https://a.test/\nindex_url = https://b.test/\n",
        "[global]\n[global]\n",
        "[global]\nindex-url\n",
        "# Größe\n" + says("a"),
        "\ufeff" + says("a"),
    ],
)
def test_what_depends_on_pip_is_left_to_it(tmp_path: Path, text: str) -> None:
    put(tmp_path, {"own.conf": text})
    assert pip_files.configured(environment(tmp_path, PIP_CONFIG_FILE="@/own.conf")) is None


def test_what_is_no_file_is_left_to_pip(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_text("#" * (2 << 20))
    for name in ("pipe", "large", "."):
        assert pip_files.configured(environment(tmp_path, PIP_CONFIG_FILE=f"@/{name}")) is None
    assert pip_files.configured({}) is None
    assert pip_files.configured(environment(tmp_path, XDG_CONFIG_HOME="@/xdg ")) is None


_LINES = st.sampled_from(
    ["[global]", "[install]", "[download]", "[DEFAULT]", "[ global ]", "index-url = https://a.test/", "index-url=",
     "index_url: https://b.test/x", "--index-url = https://c.test/", "INDEX-URL=none", "  https://d.test/", "", "# x",
     ";index-url = https://e.test/", "index-url", "timeout = 5", "index-url = \x0chttps://f.test/", "index-url = ://g"]
)  # fmt: skip
_TEXTS = st.lists(_LINES, max_size=8).map("\n".join)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(files=st.dictionaries(st.sampled_from(PLACES), _TEXTS, max_size=4), env=st.sampled_from(ENVIRONMENTS))
def test_whatever_stands_there_it_is_pips_answer_or_none(
    ask: Ask, tmp_path: Path, files: dict[str, str], env: dict[str, str]
) -> None:
    put(tmp_path, files)
    told = environment(tmp_path, **env)
    if address := _read_here(told):
        assert address == ask(told)
