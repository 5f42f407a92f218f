"""Sessions, the one list of what is checked here: `.venv/bin/nox` before a commit, `.venv/bin/nox --list` for all.

They run the programs of `.venv`, which the first line of CONTRIBUTING.md makes. CI runs the same sessions.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import nox

nox.options.sessions = ["lint", "types", "fast"]
nox.options.default_venv_backend = "none"

_ROOT = Path(__file__).parent
_MAKE = "python3 -m venv .venv && .venv/bin/pip install -q -e '.[dev]'"


@nox.session
def lint(session: nox.Session) -> None:
    """Code, its format, workflows, and scripts where shellcheck is installed."""
    _run(session, "ruff", "check", ".")
    _run(session, "ruff", "format", "--check", ".")
    _run(session, "zizmor", "--offline", "--no-progress", "--persona", "pedantic", ".github", "action.yml")
    scripts = sorted(
        str(path.relative_to(_ROOT)) for wing in ("bundler", "tests") for path in (_ROOT / wing).rglob("*.sh")
    )
    if shutil.which("shellcheck"):
        session.run("shellcheck", ".ci/run", *scripts, external=True)
    else:
        session.log("shellcheck is not installed, so scripts are left to CI")


@nox.session
def types(session: nox.Session) -> None:
    """Types, as strict as pyproject.toml says."""
    _run(session, "mypy")


@nox.session
def fast(session: nox.Session) -> None:
    """Tests that take less than a minute together and no network; words after `--` go to pytest."""
    _run(session, "pytest", "-n", "2", "--dist", "loadfile", "-m", "not slow", *session.posargs)


@nox.session
def test(session: nox.Session) -> None:
    """All tests; words after `--` go to pytest."""
    _run(session, "pytest", "-n", "2", "--dist", "loadfile", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """The site of the documents, in site/: a link or an asset that is not there fails, as does what Sphinx warns of."""
    _run(session, "sphinx-build", "-q", "-W", "--keep-going", "-E", "-b", "html", "-c", "docs", ".", "site")
    _run(session, "python", "docs/links.py", "site")


@nox.session
def bench(session: nox.Session) -> None:
    """Measure speed and memory; words after `--` say what."""
    _run(session, "python", "-m", "benchmarks", *session.posargs)


def _run(session: nox.Session, program: str, *words: str) -> None:
    path = _ROOT / ".venv" / "bin" / program
    if not path.exists():
        session.error(f"{path} is not there; this makes it: {_MAKE}")
    session.run(str(path), *words, external=True)
