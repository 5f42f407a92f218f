"""Locking packages with the real apt, from archives of the project's own making; hostile ones among them."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from bundler.adapters import apt as adapter
from bundler.bench import Bench
from bundler.errors import IntegrityError, LockError, UnreachableError
from bundler.model.bundle import Entry, File
from bundler.model.contents import Contents, ListedFile
from bundler.model.pin import InArchive
from bundler.model.target import Target
from bundler.payloads import apt
from bundler.payloads.apt import CHOICE
from bundler.payloads.apt.pins import LockedPackages
from bundler.progress import Silent
from bundler.session import Session, fetch_one
from tests.debs import DebArchive, Signer, control, deb, signer
from tests.server import Asked, Reply, Server, serving

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not all(map(shutil.which, ("apt-get", "gpg", "gpgv", "prlimit"))), reason="apt or gpg is not installed"
    ),
]
DEBIAN = Target("debian", "12", "amd64", 36, None)


@pytest.fixture(scope="module")
def key() -> Iterator[Signer]:
    with signer() as made:
        yield made


@pytest.fixture(scope="module")
def other_key() -> Iterator[Signer]:
    with signer("Somebody else") as made:
        yield made


@dataclass
class Mirror:
    """A mirror of the distribution: its suites on a server; what a run is told of them."""

    server: Server
    key: Signer
    folder: Path
    env: dict[str, str]
    mirrors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.base, self.updates, self.security = (
            DebArchive(self.server, self.key, root, suite)
            for root, suite in (
                ("/debian", "bookworm"),
                ("/debian", "bookworm-updates"),
                ("/debian-security", "bookworm-security"),
            )
        )
        for text in (
            control("base-files", "1", "amd64", Priority="required", Essential="yes"),
            control("login", "1:4.13+dfsg1", "amd64", Priority="important", Depends="libc6 (>= 1)"),
            control("libc6", "2.36-9", "amd64", Multi_Arch="same"),
            control("git", "1:2.39", "amd64", Depends="git-man (>> 1:2.0), libc6", Recommends="less"),
            control("git-man", "1:2.39"),
            control("less", "590"),
            control("g++", "4:12.2", "amd64", Depends="libc6"),
            control("npm", "9.2", Depends="node-js (= 18)"),
            control("node-js", "18", "amd64"),
            control("browser", "1", "amd64", Conflicts="npm"),
            control("libasound2t64", "1.2", "amd64"),
        ):
            self.base.add(text)
        self.security.add(control("libc6", "2.36-9+deb12u1", "amd64", Multi_Arch="same"))
        for archive in self.suites:
            archive.publish()
        (self.folder / "keys.gpg").write_bytes(self.key.public)

    @property
    def suites(self) -> tuple[DebArchive, ...]:
        return self.base, self.updates, self.security

    def session(self) -> Session:
        told = " ".join(f"{one.root[1:]}={one.address}" for one in (self.base, self.security))
        env = {**self.env, "AIWS_APT_MIRRORS": told}
        return Session(None, self.folder / "cache", env, Silent(), tuple(self.mirrors))

    def lock(self, *packages: str, target: Target = DEBIAN, **keys: object) -> LockedPackages:
        sets = keys.pop("sets", {"base": [{"names": list(packages)}]})
        keyrings = {"debian": str(self.folder / "keys.gpg")}
        choice = TypeAdapter(CHOICE).validate_python({"sets": sets, "keyrings": keyrings, **keys})
        session = self.session()
        with session.network() as network:
            return apt.lock(choice, target, session, network)

    def build(self, locked: LockedPackages) -> tuple[Entry, ...]:
        """Fetch what is locked and make what an archive has of it."""
        session = self.session()
        with session.network() as network:
            bench = Bench(session, network, session.store(), self.folder)
            for pin in locked.pins():
                fetch_one(pin, bench.store, network)
            return bench.entries(locked)


@pytest.fixture
def mirror(tmp_path: Path, key: Signer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    monkeypatch.setattr("bundler.adapters.retry._backoff", lambda state: 0.0)
    monkeypatch.setenv("NO_PROXY", "*")
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "NO_PROXY": "*", "no_proxy": "*"}
    with serving() as server:
        yield Mirror(server, key, tmp_path, {**env, "PIP_INDEX_URL": "http://127.0.0.1:9/simple"})


def names(locked: LockedPackages) -> list[str]:
    return [f"{one.name} {one.version}" for one in locked.debs]


def written(entries: tuple[Entry, ...], folder: Path) -> Path:
    """Write what an archive has into a folder, and return that of the packages."""
    for entry in entries:
        assert isinstance(entry, File)
        path = folder / entry.path
        path.parent.mkdir(parents=True, exist_ok=True)
        content = entry.content
        path.write_bytes(content if isinstance(content, bytes) else Path(content.file).read_bytes())
    return folder / "packages" / "apt"


def install(repository: Path, packages: list[str], status: str = "") -> list[str]:
    """What apt would install of a folder of packages alone, on a host of this status, with the words it says it in."""
    folder = repository.parent / "host"
    for name in ("state/lists/partial", "cache/archives/partial", "etc/apt.conf.d", "etc/preferences.d", "log"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "status").write_text(status)
    (folder / "etc" / "sources.list").write_text(f"deb [trusted=yes] file:{repository} ./\n")
    (folder / "apt.conf").write_text(
        f'Dir "{folder}"; Dir::State "{folder}/state"; Dir::State::status "{folder}/status";\n'
        f'Dir::Cache "{folder}/cache"; Dir::Etc "{folder}/etc"; Dir::Etc::main "none"; Dir::Log "{folder}/log";\n'
        'Dir::Bin::Methods "/usr/lib/apt/methods"; APT::Architecture "amd64"; APT::Architectures { "amd64"; };\n'
        'Acquire::Languages "none"; APT::Sandbox::User "root";\n'
    )
    env = {"PATH": os.environ["PATH"], "APT_CONFIG": str(folder / "apt.conf"), "LC_ALL": "C"}
    subprocess.run(["apt-get", "update", "-qq"], env=env, check=True, capture_output=True)
    # Downloading takes the files in place, whose names and digests apt compares.
    got = subprocess.run(
        ["apt-get", "download", "-qq", *packages], env=env, cwd=folder, check=True, capture_output=True
    )
    assert not got.stderr.startswith(b"E:")
    words = ["apt-get", "install", "-s", "-qq", "--no-install-recommends", *packages]
    done = subprocess.run(words, env=env, check=True, capture_output=True, text=True)
    return sorted(line.split()[1] for line in done.stdout.splitlines() if line.startswith("Inst "))


def installed(text: str) -> str:
    """A package as dpkg's status has it."""
    return f"Status: install ok installed\n{text}\n"


# What is locked


def test_the_closure_is_locked_without_recommendations_and_with_the_base(mirror: Mirror) -> None:
    locked = mirror.lock("git")
    assert names(locked) == [
        "base-files 1",
        "git-man 1:2.39",
        "git 1:2.39",
        "libc6 2.36-9+deb12u1",
        "login 1:4.13+dfsg1",
    ]
    assert [one.archive for one in locked.debs if one.name in ("git", "libc6")] == ["debian", "debian-security"]
    git = next(one for one in locked.debs if one.name == "git")
    assert (git.filename, git.path) == ("git_1%3a2.39_amd64.deb", "pool/main/git_2.39_amd64.deb")
    assert InArchive("debian", git.path) in [pin.origin for pin in locked.pins()]
    assert mirror.server.address not in str(locked)


def test_without_priorities_the_closure_alone_is_locked(mirror: Mirror) -> None:
    assert names(mirror.lock("git-man", priorities=[])) == ["git-man 1:2.39"]


def test_a_name_with_plus_signs_is_fetched(mirror: Mirror) -> None:
    locked = mirror.lock("g++")
    mirror.build(locked)
    assert "g++ 4:12.2" in names(locked)


def test_apt_that_sees_only_the_package_installs_all_of_it(mirror: Mirror, tmp_path: Path) -> None:
    locked = mirror.lock("git", "g++")
    entries = mirror.build(locked)
    repository = written(entries, tmp_path / "out")
    assert install(repository, ["git", "g++"]) == ["g++", "git", "git-man", "libc6"]
    older = installed(control("libc6", "2.36-8", "amd64", Multi_Arch="same"))
    assert install(repository, ["git"], older) == ["git", "git-man"]
    files = {
        one.path: ListedFile(one.path, one.size, one.sha256, one.executable) for one in entries if isinstance(one, File)
    }
    assert list(locked.findings(Contents("top", files, frozenset(), {}, (), "", 0, {}))) == []


def test_a_host_whose_base_is_older_is_brought_up_to_it(mirror: Mirror, tmp_path: Path) -> None:
    """A base package that wants a library in its own version breaks with a newer one, unless it is there too."""
    mirror.base.add(control("libudev1", "2", "amd64"))
    mirror.base.add(control("udev", "2", "amd64", Priority="important", Depends="libudev1 (= 2)"))
    mirror.base.add(control("libudev-dev", "2", "amd64", Depends="libudev1 (= 2)"))
    mirror.base.publish()
    host = installed(control("libudev1", "1", "amd64")) + installed(
        control("udev", "1", "amd64", Depends="libudev1 (= 1)")
    )
    repository = written(mirror.build(mirror.lock("libudev-dev")), tmp_path / "with")
    assert install(repository, ["libudev-dev"], host) == ["libudev-dev", "libudev1", "udev"]
    lacking = written(mirror.build(mirror.lock("libudev-dev", priorities=[])), tmp_path / "without")
    with pytest.raises(subprocess.CalledProcessError):
        install(lacking, ["libudev-dev", "udev+"], host)


def test_sets_that_conflict_are_solved_by_themselves(mirror: Mirror) -> None:
    sets = {"base": [{"names": ["npm"]}], "browser": [{"names": ["libasound2t64 | libasound2", "browser"]}]}
    locked = mirror.lock(sets=sets)
    assert {"npm 9.2", "browser 1", "libasound2t64 1.2"} <= set(names(locked))
    assert [(one.name, one.packages) for one in locked.sets] == [
        ("base", ("npm",)),
        ("browser", ("browser", "libasound2t64")),
    ]
    with pytest.raises(LockError, match="debian-12-amd64: the set base: apt cannot solve it"):
        mirror.lock("npm", "browser")


def test_one_version_may_be_asked_for(mirror: Mirror) -> None:
    assert "libc6 2.36-9" in names(mirror.lock("libc6=2.36-9"))


def test_all_unknown_packages_are_told_at_once(mirror: Mirror) -> None:
    sets = {"base": [{"names": ["nothing-here", "git", "git.."]}], "more": [{"names": ["bc | dc", "git=9"]}]}
    with pytest.raises(LockError, match=r"^debian-12-amd64: no archive has dc, git, git\.\., nothing-here$"):
        mirror.lock(sets=sets)


def test_the_order_of_a_manifest_does_not_matter(mirror: Mirror) -> None:
    assert mirror.lock("git", "npm") == mirror.lock("npm", "git")


def test_the_hosts_own_configuration_has_no_part_in_it(mirror: Mirror, tmp_path: Path) -> None:
    (tmp_path / "evil.conf").write_text(
        'Acquire::AllowInsecureRepositories "true"; Acquire::Check-Valid-Until "false"; APT::Install-Recommends "true";'
    )
    mirror.env["APT_CONFIG"] = str(tmp_path / "evil.conf")
    assert "less 590" not in names(mirror.lock("git"))
    mirror.updates.publish(valid=timedelta(days=-1))
    with pytest.raises(IntegrityError):
        mirror.lock("git")


def test_another_architecture_is_solved_for(mirror: Mirror) -> None:
    for archive in mirror.suites:
        archive.arch = "arm64"
        archive.stanzas = [one.replace("Architecture: amd64", "Architecture: arm64") for one in archive.stanzas]
        archive.publish()
    found = mirror.lock("git", target=replace(DEBIAN, arch="arm64"))
    assert {one.arch for one in found.debs} == {"arm64", "all"}


# Archives that are not to be trusted


def test_an_archive_that_another_key_signs_is_refused(mirror: Mirror, other_key: Signer) -> None:
    mirror.security.publish(key=other_key)
    with pytest.raises(IntegrityError, match=r"debian-12-amd64: an archive is not to be trusted: .*bookworm-security"):
        mirror.lock("git")


def test_an_archive_that_expired_is_refused(mirror: Mirror) -> None:
    mirror.security.publish(valid=timedelta(days=-1))
    with pytest.raises(IntegrityError, match="is expired"):
        mirror.lock("git")


def test_an_archive_that_is_not_signed_is_refused(mirror: Mirror) -> None:
    mirror.updates.server.script(f"{mirror.updates.place}InRelease", Reply(status=404))
    mirror.updates.publish(signed=False)
    with pytest.raises(IntegrityError, match="is not signed"):
        mirror.lock("git")


def test_a_release_whose_signature_is_of_other_words_is_refused(mirror: Mirror) -> None:
    path = f"{mirror.base.place}InRelease"
    true = mirror.server.next_reply(Asked(path, {})).body
    mirror.server.script(path, Reply(true.replace(b"Origin: Test", b"Origin: Tost")))
    with pytest.raises(IntegrityError, match="not to be trusted"):
        mirror.lock("git")


def test_the_signed_release_of_another_suite_is_refused(mirror: Mirror) -> None:
    mirror.security.publish(suite="bullseye-security")
    with pytest.raises(IntegrityError, match="Conflicting distribution"):
        mirror.lock("git")


def test_an_index_that_is_not_the_signed_one_is_refused(mirror: Mirror) -> None:
    mirror.base.publish(served="\n".join(mirror.base.stanzas).replace("git-man", "get-man").encode())
    with pytest.raises(IntegrityError, match=r"Hash Sum mismatch|unexpected size"):
        mirror.lock("git")


@pytest.mark.parametrize("packing", ["", ".xz", ".gz"])
def test_an_index_of_absurd_size_is_refused(mirror: Mirror, packing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "_LARGEST_INDEX", 1 << 20)
    mirror.base.stanzas.append("X" * (3 << 20) + ": y\n")
    mirror.base.publish(packing=packing)
    if packing:
        mirror.server.script(f"{mirror.base.place}main/binary-amd64/Packages", Reply(status=404))
    with pytest.raises(IntegrityError, match="larger than 1048576 bytes"):
        mirror.lock("git")


def test_an_archive_without_sha256_is_refused(mirror: Mirror) -> None:
    mirror.base.stanzas = [one.replace("SHA256: ", "MD5sum: ") for one in mirror.base.stanzas]
    mirror.base.publish()
    with pytest.raises((IntegrityError, LockError)):
        mirror.lock("git")


@pytest.mark.parametrize("path", ["../../../etc/passwd", "pool/a\\b.deb", "pool/../x.deb"])
def test_a_path_that_climbs_is_refused(mirror: Mirror, path: str) -> None:
    mirror.base.stanzas = [one.replace("pool/main/git_2.39_amd64.deb", path) for one in mirror.base.stanzas]
    mirror.base.publish()
    with pytest.raises(IntegrityError, match="makes no sense"):
        mirror.lock("git")


def test_a_mirror_without_the_suite_and_one_that_is_away_are_told_apart_from_lies(mirror: Mirror) -> None:
    mirror.server.script(f"{mirror.updates.place}InRelease", Reply(status=404))
    with pytest.raises(UnreachableError, match=r"apt cannot fetch indexes: .*bookworm-updates"):
        mirror.lock("git")
    with pytest.raises(UnreachableError, match="apt cannot fetch indexes"):
        mirror.lock("git", mirrors={"debian-security": "http://127.0.0.1:9/debian-security"})


def test_a_keyring_that_is_not_there_is_told(mirror: Mirror) -> None:
    with pytest.raises(UnreachableError, match="the keys of debian are not there") as caught:
        mirror.lock("git", keyrings={"debian": "/nowhere/keys.gpg"})
    assert "debian-archive-keyring" in caught.value.hint


def test_an_index_that_lies_about_a_file_shows_when_it_is_fetched(mirror: Mirror) -> None:
    mirror.base.add(control("liar", "1"), content=deb(control("liar", "2")))
    mirror.base.publish()
    locked = mirror.lock("liar")
    with pytest.raises(IntegrityError, match=r"liar_1_all\.deb: (SHA-256|size) mismatch"):
        mirror.build(locked)


@pytest.mark.parametrize(
    ("listed", "why"),
    [
        (control("liar", "1", Depends="git"), "says other things than the archive's index"),
        (control("liar", "2"), "it is another package: liar 1 all"),
        (control("liar", "1", "amd64"), "it is another package: liar 1 all"),
    ],
)
def test_an_index_that_lies_about_a_packages_control_file_shows_at_the_build(
    mirror: Mirror, listed: str, why: str
) -> None:
    mirror.base.add(control("liar", "1"), listed=listed)
    mirror.base.publish()
    locked = mirror.lock("liar")
    with pytest.raises(IntegrityError, match=f"^liar_.*{why}"):
        mirror.build(locked)


def test_a_package_that_the_archive_no_longer_has_is_told_with_the_way_out(mirror: Mirror) -> None:
    locked = mirror.lock("git")
    mirror.server.script("/debian/pool/main/git_2.39_amd64.deb", Reply(status=404))
    with pytest.raises(UnreachableError) as caught:
        mirror.build(locked)
    assert "lock again" in caught.value.hint and "AIWS_APT_MIRRORS=debian=" in caught.value.hint


# Further archives


def further(mirror: Mirror, archive: DebArchive, fingerprint: str, public: bytes) -> Mapping[str, object]:
    (mirror.folder / "keys").mkdir(exist_ok=True)
    (mirror.folder / "keys" / "more.asc").write_bytes(public)
    mirror.mirrors = [f"https://keys.test/={(mirror.folder / 'keys').as_uri()}/"]
    return {
        "name": "more",
        "address": archive.address,
        "suite": archive.suite,
        "components": [] if archive.flat else ["main"],
        "key": {"address": "https://keys.test/more.asc", "fingerprint": fingerprint},
    }


@pytest.mark.parametrize("suite", ["nodistro", "./", "stable/"])
def test_packages_of_a_further_archive_are_pinned_by_address(mirror: Mirror, other_key: Signer, suite: str) -> None:
    archive = DebArchive(mirror.server, other_key, "/more", suite)
    archive.add(control("more+1", "1:3.0-1~x+y", "amd64", Depends="git-man"))
    archive.publish()
    asked = further(mirror, archive, other_key.fingerprint.lower(), other_key.public)
    locked = mirror.lock("more+1", archives=[asked])
    assert [(one.name, one.address) for one in locked.archives] == [("more", f"{archive.address}/")]
    (origin,) = (pin.origin for pin in locked.pins() if isinstance(pin.origin, str))
    assert origin.startswith(f"{mirror.server.address}/more/")
    assert "git-man 1:2.39" in names(locked)
    mirror.build(locked)


def test_a_key_with_another_fingerprint_is_refused_before_the_archive_is_asked(
    mirror: Mirror, key: Signer, other_key: Signer
) -> None:
    archive = DebArchive(mirror.server, other_key, "/more", "nodistro")
    archive.publish()
    asked = further(mirror, archive, key.fingerprint, other_key.public)
    with pytest.raises(
        IntegrityError, match=f"the key of more: not the key {key.fingerprint}; .*{other_key.fingerprint}"
    ):
        mirror.lock("git", archives=[asked])
    assert not [one for one in mirror.server.requests if one.path.startswith("/more")]


@pytest.mark.parametrize("public", [b"", b"<html>", b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n"])
def test_what_is_no_key_is_refused(mirror: Mirror, other_key: Signer, public: bytes) -> None:
    archive = DebArchive(mirror.server, other_key, "/more", "nodistro")
    with pytest.raises(IntegrityError, match="the file has none"):
        mirror.lock("git", archives=[further(mirror, archive, other_key.fingerprint, public)])


def test_another_key_in_the_same_file_does_not_count(mirror: Mirror, key: Signer, other_key: Signer) -> None:
    archive = DebArchive(mirror.server, other_key, "/more", "nodistro")
    archive.publish()
    asked = further(mirror, archive, key.fingerprint, key.public + other_key.public)
    with pytest.raises(IntegrityError, match="not to be trusted"):
        mirror.lock("git", archives=[asked])


def test_the_key_of_a_further_archive_does_not_sign_for_the_distribution(mirror: Mirror, other_key: Signer) -> None:
    archive = DebArchive(mirror.server, other_key, "/more", "nodistro")
    archive.publish()
    mirror.base.publish(key=other_key)
    with pytest.raises(IntegrityError, match="not to be trusted"):
        mirror.lock("git", archives=[further(mirror, archive, other_key.fingerprint, other_key.public)])


def test_a_mirror_of_the_manifest_is_locked_with_its_address(mirror: Mirror) -> None:
    locked = mirror.lock("git-man", mirrors={"debian": mirror.base.address})
    assert [(one.name, one.address) for one in locked.archives] == [("debian", f"{mirror.base.address}/")]
    assert all(isinstance(pin.origin, str) for pin in locked.pins() if "git" in pin.name)


def test_a_password_goes_to_the_mirror_and_is_not_told(mirror: Mirror) -> None:
    for path in (f"{mirror.base.place}{name}" for name in ("InRelease", "main/binary-amd64/Packages")):
        (reply,) = mirror.server._replies[path]
        mirror.server.script(path, replace(reply, login=("me", "s3cret")))
    address = mirror.base.address.replace("http://", "http://me:s3cret@")
    session = mirror.session()
    told = {**session.env, "AIWS_APT_MIRRORS": f"debian={address} debian-security={mirror.security.address}"}
    choice = TypeAdapter(CHOICE).validate_python(
        {"sets": {"base": [{"names": ["git"]}]}, "keyrings": {"debian": str(mirror.folder / "keys.gpg")}}
    )
    with replace(session, env=told).network() as network:
        assert "git 1:2.39" in names(apt.lock(choice, DEBIAN, replace(session, env=told), network))
        mirror.server.script(f"{mirror.base.place}InRelease", Reply(status=404))
        with pytest.raises(UnreachableError) as caught:
            apt.lock(choice, DEBIAN, replace(session, env=told), network)
    assert "s3cret" not in caught.value.message


@pytest.mark.skipif(not shutil.which("dpkg-scanpackages"), reason="dpkg-scanpackages is not installed")
def test_dpkg_scanpackages_says_the_same(mirror: Mirror, tmp_path: Path) -> None:
    repository = written(mirror.build(mirror.lock("git", "g++")), tmp_path / "out")
    done = subprocess.run(
        ["dpkg-scanpackages", "--multiversion", "."], cwd=repository, capture_output=True, text=True, check=True
    )
    ours = gzip.decompress((repository / "Packages.gz").read_bytes()).decode()
    sums = ("MD5sum:", "SHA1:", "Priority:", "Section:", " ")  # and the lines of long descriptions
    theirs = [line for line in done.stdout.splitlines() if line and not line.startswith(sums)]
    assert sorted(line for line in ours.splitlines() if line) == sorted(theirs)
