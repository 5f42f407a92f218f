"""Where distributions' archives are found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from bundler.adapters import apt_archives
from bundler.adapters.apt_archives import archive_of, find_archives
from bundler.adapters.process import Completed
from bundler.errors import UsageError

TEMPLATES = {
    "Debian": "X: y\n\nSuite: {series}\nRepositoryType: deb\nBaseURI: https://d.test/debian/\n\n"
    "Suite: {series}-security\nRepositoryType: deb\nBaseURI: https://s.test/\n",
    "Ubuntu": "Suite: noble\nRepositoryType: deb-src\nBaseURI: http://wrong.test/\n\n"
    "Suite: noble\nRepositoryType: deb\nBaseURI: http://p.test/ubuntu-ports/\nBaseURI-amd64: http://u.test/ubuntu\n",
}


@dataclass
class FakeApt:
    """Answers what `apt-get indextargets` would."""

    output: str

    def __call__(self, argv: Sequence[str], env: Mapping[str, str], timeout: float) -> Completed:
        assert argv[1] == "indextargets"
        return Completed(0, self.output, "")


@pytest.fixture
def env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setattr(apt_archives, "_TEMPLATES", tmp_path / "templates")
    (tmp_path / "apt-get").write_text("#!/bin/sh\nexit 9\n")
    (tmp_path / "apt-get").chmod(0o755)
    return {"PATH": str(tmp_path)}


def found(env: dict[str, str], *targets: str) -> dict[str, str]:
    return find_archives(env, FakeApt("\n".join(targets)))


def test_apts_own_sources_are_taken_by_whose_they_are(env: dict[str, str]) -> None:
    targets = (
        "Google|stable|amd64|https://g.test/",
        "Debian|bookworm|amd64|http://d.test/debian/",
        "Debian|bookworm-security|amd64|http://d.test/debian-security/",
        "$(ORIGIN)|trixie|amd64|http://later.test/debian/",
        "Ubuntu|noble-updates|arm64|http://p.test/ubuntu-ports",
        "Ubuntu|noble-security|amd64|http://s.test/ubuntu",
        "odd",
    )
    assert found(env, *targets) == {
        "debian": "http://d.test/debian/",
        "debian-security": "http://d.test/debian-security/",
        "ubuntu-ports": "http://p.test/ubuntu-ports/",
    }


def test_a_list_of_mirrors_stands_for_its_first_one(env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "mirrors.txt").write_text("# none\nhttp://first.test/ubuntu/\tpriority:1\nhttp://second.test/\n")
    assert found(env, f"Ubuntu|noble|amd64|mirror+file:{tmp_path}/mirrors.txt/") == {
        "ubuntu": "http://first.test/ubuntu/"
    }
    assert found(env, "Ubuntu|noble|amd64|mirror+file:/nowhere") == {}


@pytest.mark.parametrize("uri", ["file:/srv/apt/", "cdrom:[x]/", "copy:/x", "tor+http://x.test/"])
def test_what_is_no_web_address_is_passed_over(env: dict[str, str], uri: str) -> None:
    assert found(env, f"Debian|bookworm|amd64|{uri}") == {}


def test_the_variable_wins_over_apt_and_apt_over_the_templates(env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    for name, text in TEMPLATES.items():
        (tmp_path / "templates" / f"{name}.info").write_text(text)
    assert found(env) == {
        "debian": "https://d.test/debian/",
        "debian-security": "https://s.test/debian-security/",
        "ubuntu": "http://u.test/ubuntu/",
        "ubuntu-ports": "http://p.test/ubuntu-ports/",
    }
    env["AIWS_APT_MIRRORS"] = " debian=https://me:s3cret@mirror.test/d  "
    got = found(env, "Debian|bookworm|amd64|http://apt.test/d", "Ubuntu|jammy|amd64|http://apt.test/u")
    assert (got["debian"], got["ubuntu"]) == ("https://me:s3cret@mirror.test/d/", "http://apt.test/u/")


@pytest.mark.parametrize("word", ["debian", "debian=", "=https://x.test/", "debian=/srv", "https://me:s3cret@x.test/"])
def test_a_word_that_is_none_is_refused_without_its_password(env: dict[str, str], word: str) -> None:
    with pytest.raises(UsageError, match="is not NAME=ADDRESS") as caught:
        found({**env, "AIWS_APT_MIRRORS": word})
    assert "s3cret" not in caught.value.message


def test_without_apt_and_variable_nothing_is_known(tmp_path: Path, env: dict[str, str]) -> None:
    assert found({"PATH": str(tmp_path / "empty")}, "Debian|bookworm|amd64|http://x.test/") == {}


@pytest.mark.parametrize(
    ("origin", "suite", "arch", "name"),
    [
        ("Debian", "bookworm", "amd64", "debian"),
        ("", "bookworm-updates", "arm64", "debian"),
        ("", "bullseye-security", "amd64", "debian-security"),
        ("", "noble", "amd64", "ubuntu"),
        ("Ubuntu", "resolute-updates", "arm64", "ubuntu-ports"),
        ("Ubuntu", "noble-security", "amd64", ""),
        ("PostgreSQL", "bookworm", "amd64", ""),
        ("", "bookworm-pgdg", "amd64", ""),
        ("Debian", "bookworm-debug", "amd64", ""),
        ("", "nodistro", "amd64", ""),
    ],
)
def test_a_suite_tells_its_archive(origin: str, suite: str, arch: str, name: str) -> None:
    assert archive_of(origin, suite, arch) == name
