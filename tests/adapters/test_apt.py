"""What is made of apt's answers: with a runner that stands in for it. The real one is asked in tests/payloads/apt."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.adapters.apt import Apt, Solved, Source, _take_names, private_apt
from bundler.adapters.process import Completed
from bundler.errors import BundleError, IntegrityError, LockError, UnreachableError

HASH = "0" * 64
SOURCE = Source("http://user:p%20w@apt.test/debian/", "bookworm", ("main",), Path("/keys.gpg"))


@dataclass
class FakeApt:
    """Notes its calls and answers as told."""

    output: str = ""
    errors: str = ""
    code: int = 0
    calls: list[tuple[list[str], dict[str, str]]] = field(default_factory=list)

    def __call__(self, argv: Sequence[str], env: Mapping[str, str], timeout: float) -> Completed:
        self.calls.append((list(argv), dict(env)))
        return Completed(self.code, self.output, self.errors)


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    for name in ("apt-get", "apt-cache", "prlimit"):
        (tmp_path / name).write_text("#!/bin/sh\nexit 9\n")
        (tmp_path / name).chmod(0o755)
    return {"PATH": str(tmp_path), "APT_CONFIG": "/evil", "GH_TOKEN": "s3cret"}


@pytest.fixture
def fake() -> FakeApt:
    return FakeApt()


@pytest.fixture
def apt(env: dict[str, str], fake: FakeApt) -> Iterator[Apt]:
    with private_apt([SOURCE], "arm64", env, fake) as made:
        yield made


def line(uri: str = "http://apt.test/debian/pool/g/git_2%2b1_arm64.deb", name: str = "git_1%3a2+1_arm64.deb") -> str:
    return f"'{uri}' {name} 12 SHA256:{HASH}"


def test_packages_are_told_by_name_version_and_place(apt: Apt, fake: FakeApt) -> None:
    fake.output = f"{line()}\n"
    assert apt.solve(["git"]) == (
        Solved("git", "1:2+1", "arm64", SOURCE.address, "pool/g/git_2+1_arm64.deb", 12, HASH),
    )


def test_apt_is_given_a_configuration_of_its_own_and_no_secret(apt: Apt, fake: FakeApt) -> None:
    apt.solve(["git"])
    (argv, told) = fake.calls[0]
    folder = Path(told["APT_CONFIG"]).parent
    assert argv[0].endswith("/prlimit") and argv[2].endswith("/apt-get")
    assert "GH_TOKEN" not in told and told["LC_ALL"] == "C"
    text = (folder / "apt.conf").read_text()
    assert f'Dir::State::status "{folder}/status"' in text and 'APT::Architectures { "arm64"; }' in text
    source = (folder / "etc" / "sources.list.d" / "archives.sources").read_text()
    assert "p%20w" not in source and "URIs: http://apt.test/debian/" in source and "Signed-By: /keys.gpg" in source
    login = folder / "etc" / "auth.conf"
    assert login.read_text() == "machine http://apt.test/debian/ login user password p w\n"
    assert login.stat().st_mode & 0o077 == 0


def test_a_folder_as_a_suite_has_no_components() -> None:
    assert "Components" not in Source("https://a.test/", "./", (), Path("/k")).stanza("amd64")


@pytest.mark.parametrize(
    "text",
    [
        line(uri="http://elsewhere.test/pool/git.deb"),
        line(uri="http://apt.test/debian/../etc/passwd"),
        line(uri="http://apt.test/debian/pool/%2e%2e/x.deb"),
        line(uri="http://apt.test/debian/"),
        line(name="git_1_arm64.rpm"),
        line(name="git_1%2f2_arm64.deb"),
        line(name="..%2fgit_1_arm64.deb"),
        line().replace("SHA256", "MD5Sum"),
        line().replace("SHA256:" + HASH, ""),
        line().replace(" 12 ", " -1 "),
        "'",
    ],
)
def test_a_package_that_makes_no_sense_is_refused(apt: Apt, fake: FakeApt, text: str) -> None:
    fake.output = f"{text}\n"
    with pytest.raises(IntegrityError, match="makes no sense"):
        apt.solve(["git"])


@given(text=st.text(max_size=120))
def test_any_answer_is_taken_or_refused(text: str) -> None:
    made = Apt(Path("/nowhere"), [SOURCE], {"PATH": "/usr/bin"}, FakeApt(f"'{text}\n"))
    with contextlib.suppress(BundleError):
        assert all(one.path and ".." not in one.path.split("/") for one in made.solve(["git"]))


def test_too_many_packages_are_refused(apt: Apt, fake: FakeApt) -> None:
    fake.output = f"{line()}\n" * 10_001
    with pytest.raises(IntegrityError, match="more than 10000"):
        apt.solve(["git"])


@pytest.mark.parametrize(
    "errors",
    [
        "E: Unable to locate package aa\nE: Unable to locate package bb",
        "E: Package 'bb' has no installation candidate\nE: Unable to locate package aa",
        "E: Version '1' for 'aa' was not found\nE: Unable to locate package bb",
    ],
)
def test_every_unknown_package_is_named(apt: Apt, fake: FakeApt, errors: str) -> None:
    fake.errors, fake.code = errors, 100
    assert apt.unknown(["aa", "bb"]) == ("aa", "bb")


def test_what_apt_cannot_solve_is_told_in_its_words(apt: Apt, fake: FakeApt) -> None:
    fake.output, fake.code = "The following packages have unmet dependencies:\n aa : Depends: bb\n", 100
    with pytest.raises(LockError, match="apt cannot solve it: aa : Depends: bb"):
        apt.solve(["aa"])


@pytest.mark.parametrize(
    ("errors", "error"),
    [
        ("E: Release file for http://apt.test/ is expired (invalid since 1d).", IntegrityError),
        ("E: Release file for http://apt.test/ is not valid yet", IntegrityError),
        ("W: GPG error: NO_PUBKEY 0\nE: The repository 'x' is not signed.", IntegrityError),
        ("E: Failed to fetch x  Hash Sum mismatch", IntegrityError),
        ("E: Failed to fetch x  File has unexpected size (1 != 2)", IntegrityError),
        ("W: Conflicting distribution: x (expected a but got b)", IntegrityError),
        ("E: The repository 'x' does not have a Release file.", UnreachableError),
        ("E: Failed to fetch x  Could not connect", UnreachableError),
        ("", UnreachableError),
    ],
)
def test_distrust_is_told_apart_from_servers_that_are_away(
    apt: Apt, fake: FakeApt, errors: str, error: type[BundleError]
) -> None:
    fake.errors, fake.code = errors, 0 if errors.startswith("W: Conf") else 100
    with pytest.raises(error):
        apt.update()


def test_without_apt_the_way_out_is_told(tmp_path: Path) -> None:
    fake = FakeApt()
    with (
        private_apt([SOURCE], "amd64", {"PATH": str(tmp_path)}, fake) as made,
        pytest.raises(UnreachableError, match="apt-get is not installed"),
    ):
        made.solve(["git"])
    assert fake.calls == []


def test_the_folder_goes_with_the_context(env: dict[str, str], fake: FakeApt) -> None:
    with private_apt([SOURCE], "amd64", env, fake) as made:
        made.solve(["git"])
    assert not Path(fake.calls[0][1]["APT_CONFIG"]).parent.exists()


def test_an_index_elsewhere_is_not_read(apt: Apt, fake: FakeApt) -> None:
    fake.output = "/etc/passwd\n"
    with pytest.raises(IntegrityError, match="apt keeps an index at"):
        apt.names()


@given(
    st.lists(st.sampled_from([b"Package: aa\n", b"Priority: required\n", b"\n", b"Pre-Depends: x\n", b" y\n", b"P"]))
)
def test_any_lines_are_read_as_an_index(lines: list[bytes]) -> None:
    found: dict[str, str] = {}
    _take_names(iter(lines), found)
    assert found.keys() <= {"aa"} and set(found.values()) <= {"", "required"}


def test_names_come_with_their_priorities_and_the_first_index_counts() -> None:
    found: dict[str, str] = {}
    _take_names(iter([b"Priority: required\n", b"Package: aa\n", b"\n", b"Package: bb\n"]), found)
    _take_names(iter([b"Package: aa\n", b"Priority: optional\n"]), found)
    assert found == {"aa": "required", "bb": ""}
