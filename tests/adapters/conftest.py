"""Fixtures for tests against a server that misbehaves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import trustme

from bundler.adapters.http import Http, Patience
from tests.forks import Forks, forks
from tests.server import Server, serving


@pytest.fixture(scope="session")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A list of trusted authorities with one that nobody uses: a real list takes longer to read than most tests."""
    path = tmp_path_factory.mktemp("trusted") / "authority.pem"
    trustme.CA().cert_pem.write_to_path(str(path))
    return path


@pytest.fixture(autouse=True)
def plain_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, trusted: Path) -> None:
    """No proxy, no credentials and no configuration of whoever runs the tests."""
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Between tries nothing waits; how long it would have waited is noted here."""
    noted: list[float] = []
    monkeypatch.setattr("tenacity.nap.time", SimpleNamespace(sleep=noted.append))
    return noted


@pytest.fixture
def server() -> Iterator[Server]:
    """A server that does as it is told."""
    with serving() as made:
        yield made


@pytest.fixture
def other() -> Iterator[Server]:
    """Another server, so another origin."""
    with serving() as made:
        yield made


@pytest.fixture
def http(server: Server) -> Iterator[Http]:
    """A client that asks the network as a person's would."""
    made = Http()
    yield made
    made.close()


@pytest.fixture
def impatient() -> Iterator[Http]:
    """Silence counts as a time-out after a fifth of a second."""
    made = Http(patience=Patience(silence=0.2))
    yield made
    made.close()


@pytest.fixture(scope="session")
def children() -> Iterator[Forks]:
    """Starts processes of this package's `processes` module."""
    with forks("tests.adapters.processes") as made:
        yield made
