"""The index is where the clients are configured to find it: environment, pip's files, the default."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from bundler.adapters.index_address import find_index
from bundler.adapters.process import Completed, run
from bundler.errors import UnreachableError

# Whole commands, or other programs: each takes a good part of a second.
pytestmark = pytest.mark.slow


def never(argv: Sequence[str], env: Mapping[str, str], timeout: float) -> Completed:
    raise AssertionError("no process was needed")


def plain_env(**more: str) -> dict[str, str]:
    """This process's environment without any index setting; pip reads no file but what `more` names."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_", "XDG_"))}
    return {**kept, **more}


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({"UV_DEFAULT_INDEX": "https://a.test/", "UV_INDEX_URL": "https://b.test/"}, "https://a.test/"),
        ({"UV_INDEX_URL": "https://b.test/", "PIP_INDEX_URL": "https://c.test/"}, "https://b.test/"),
        ({"PIP_INDEX_URL": " https://c.test/simple "}, "https://c.test/simple"),
        ({"UV_DEFAULT_INDEX": " ", "PIP_INDEX_URL": "https://c.test/"}, "https://c.test/"),
        ({"UV_DEFAULT_INDEX": "corp=https://a.test/?q=1"}, "https://a.test/?q=1"),
        ({"UV_DEFAULT_INDEX": "default=https://a.test/"}, "https://a.test/"),
        ({"UV_DEFAULT_INDEX": "https://a.test/?q=https://b.test/"}, "https://a.test/?q=https://b.test/"),
    ],
)
def test_the_environment_names_the_index(env: dict[str, str], expected: str) -> None:
    assert find_index(env, never) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[global]\nindex-url = https://a.test/simple\n", "https://a.test/simple"),
        ("[download]\nindex-url = https://d.test/\n[global]\nindex-url = https://g.test/\n", "https://d.test/"),
        (
            "[global]\nindex-url = https://g.test/\n[install]\nindex_url = https://me:pw@i.test/\n",
            "https://me:pw@i.test/",
        ),
    ],
)
def test_pips_configuration_file_names_the_index(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "pip.conf").write_text(text)
    assert find_index(plain_env(PIP_CONFIG_FILE=str(tmp_path / "pip.conf")), run) == expected


def test_without_configuration_it_is_the_clients_default() -> None:
    script = "from piptools.repositories import PyPIRepository as r; print(r.DEFAULT_INDEX_URL)"
    default = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=True)
    assert default.stdout.startswith("https://")
    assert find_index(plain_env(PIP_CONFIG_FILE=os.devnull), run) == default.stdout.strip()


def test_a_malformed_configuration_is_told_without_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "pip.conf").write_text("index-url = https://me:secret@a.test/\n")
    with pytest.raises(UnreachableError, match="pip's configuration cannot be used") as caught:
        find_index(plain_env(PIP_CONFIG_FILE=str(tmp_path / "pip.conf")), run)
    assert "pip config debug" in caught.value.message
    assert "PIP_INDEX_URL" in caught.value.hint
    assert "secret" not in caught.value.message
    assert "Traceback" not in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    "done", [Completed(0, "", ""), Completed(0, "no address\n", ""), Completed(1, "https://a.test/\n", "broken\nwhy\n")]
)
def test_no_answer_from_pip_is_an_error(done: Completed) -> None:
    with pytest.raises(UnreachableError, match="no package index is known") as caught:
        find_index({}, lambda argv, env, timeout: done)
    assert ("why" in caught.value.message) == bool(done.errors)


def test_warnings_before_the_answer_do_not_matter() -> None:
    assert (
        find_index({}, lambda argv, env, timeout: Completed(0, "warning\nhttps://a.test/\n", "")) == "https://a.test/"
    )
