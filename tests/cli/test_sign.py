"""`sign`: what is whole is signed, by whom, and what becomes of it when the folder changes."""

from __future__ import annotations

import hashlib
import os
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from bundler.kinds.manifests import Manifests, manifests_at_hand
from bundler.model import minisign
from bundler.model.minisign_key import FIRST_WORDS
from bundler.session import Session
from bundler.sidecars import provenance
from tests.cli.releasing import OTHER, REPO
from tests.cli.signing import ALICE, MAKER, STRANGER, Signing, findings, text_of
from tests.world import Ran, World

# Whole commands, each of which takes a good part of a second.
pytestmark = pytest.mark.slow

STANDINS = Path(__file__).resolve().parents[3] / "shared" / "fixtures" / "portable-python"
BOTH = ["SHA256SUMS.minisig", "SHA256SUMS.sig"]


def content_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def listed(folder: Path) -> list[str]:
    """The names that its SHA256SUMS lists."""
    return [line.split("  ")[1] for line in (folder / "SHA256SUMS").read_text().splitlines()]


def build_others(signing: Signing) -> Ran:
    """Make other archives of the same names."""
    return signing.releasing.world.run("build", "all", SOURCE_DATE_EPOCH=OTHER)


def signatures(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("SHA256SUMS.*"))


def test_a_folder_is_signed_and_verified(signing: Signing) -> None:
    dist = signing.releasing.world.dist
    done = signing.run("sign", "dist", signer=MAKER)
    assert done.code == 0, done.err
    beside = [f"{path.name}.intoto.jsonl" for path in sorted(dist.glob("*.tar.gz"))]
    lines = [f"written: dist/{name}\n" for name in beside] + [f"signed by maker: dist/{name}\n" for name in BOTH]
    assert done.out == "".join(lines)
    assert signatures(dist) == BOTH
    assert {*beside} <= {*listed(dist)}
    comment = minisign.parse((dist / BOTH[0]).read_bytes()).comment
    assert comment.startswith("sha256:")
    before = content_of(dist)
    done = signing.run("sign", "dist", "--json", signer=MAKER)
    assert (done.json()["files"], done.json()["beside"]) == (BOTH, [])
    assert content_of(dist) == before
    done = signing.verify("dist")
    assert (done.code, findings(done), done.json()["notes"]) == (0, [], [])
    assert "dist: signed by maker (minisign, ssh)\n" in signing.run("verify", "dist").out


def test_provenance_that_sign_wrote_names_the_manifests_and_is_checked(signing: Signing) -> None:
    dist = signing.releasing.world.dist
    assert signing.run("sign", "dist", signer=MAKER).code == 0
    archive = next(dist.glob("*.tar.gz"))
    statement = provenance.parse((dist / f"{archive.name}.intoto.jsonl").read_bytes(), archive.name)[1]
    assert {"lock", "manifest", "wheel"} == {item.kind for item in statement.items}
    beside = dist / f"{archive.name}.intoto.jsonl"
    beside.write_bytes(beside.read_bytes() + b" ")
    for path in ("dist", f"dist/{archive.name}"):
        done = signing.verify(path)
        assert done.code == 3
        assert any(f"{beside.name}: SHA-256 differs from SHA256SUMS" in one for one in findings(done))
    beside.unlink()
    assert any(f"{beside.name}: missing" in one for one in findings(signing.verify("dist")))


def test_what_stands_beside_one_archive_is_checked_without_a_list_too(signing: Signing) -> None:
    dist = signing.releasing.world.dist
    assert signing.run("sign", "dist", signer=MAKER).code == 0
    one, other = sorted(dist.glob("*.tar.gz"))
    for path in (dist / name for name in ("SHA256SUMS", *BOTH)):
        path.unlink()
    done = signing.verify(f"dist/{one.name}")
    assert (done.code, findings(done)) == (0, [])
    for suffix, what in ((".intoto.jsonl", "is of an archive of another name"), (".cdx.json", "is of another archive")):
        beside, before = dist / f"{one.name}{suffix}", (dist / f"{one.name}{suffix}").read_bytes()
        beside.write_bytes((dist / f"{other.name}{suffix}").read_bytes())
        done = signing.verify(f"dist/{one.name}")
        assert done.code == 3
        assert f"dist/{beside.name}: {what}" in findings(done)[0]
        beside.write_bytes(before)


def test_a_release_and_a_rebuilder_s_list_stay_as_they_are(signing: Signing) -> None:
    dist = signing.releasing.world.dist
    signing.trust("maker", "alice")
    before = (dist / "SHA256SUMS").read_bytes()
    for words in ((), ("--tag", signing.tag)):
        assert signing.run("sign", "dist", *words, signer=ALICE).code == 0
    assert signing.run("sign", "dist", "--tag", signing.tag, signer=MAKER).code == 0
    assert (dist / "SHA256SUMS").read_bytes() == before
    assert not [*dist.glob("*.intoto.jsonl")]
    done = signing.run("sign", "dist", signer=MAKER)
    assert done.code == 0
    assert "removed, as they signed another SHA256SUMS: SHA256SUMS.alice.minisig, SHA256SUMS.alice.sig" in done.err
    assert signatures(dist) == BOTH


def test_publish_keeps_what_sign_wrote(signing: Signing) -> None:
    dist = signing.releasing.world.dist
    assert signing.run("sign", "dist", signer=MAKER).code == 0
    wanted = {path.name: path.read_bytes() for path in dist.glob("*.tar.gz.*")}
    workflow = {  # what is made there would tell another builder
        "GITHUB_ACTIONS": "true",
        "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_REPOSITORY": REPO,
        "GITHUB_WORKFLOW_REF": f"{REPO}/.github/workflows/release.yml@refs/heads/main",
        "GITHUB_RUN_ID": "1",
        "GITHUB_REF": "refs/heads/main",
        "GITHUB_SHA": "c" * 40,
    }
    done = signing.releasing.world.run(
        *("publish", "dist", "--repo", REPO, "--tag", signing.tag),
        **{**signing.releasing.env(), **workflow, "AIWS_SIGNING_KEY": text_of(MAKER)},
    )
    assert done.code == 0, done.err
    folder = signing.download()
    assert {path.name: path.read_bytes() for path in folder.glob("*.tar.gz.*")} == wanted
    done = signing.verify("downloaded")
    assert (done.code, findings(done)) == (0, []), done.err


def test_nothing_that_is_not_whole_is_signed(signing: Signing) -> None:
    dist = signing.releasing.world.dist
    archive = next(dist.glob("*.tar.gz"))
    archive.write_bytes(archive.read_bytes()[:-1])
    done = signing.run("sign", "dist", signer=MAKER)
    assert done.code == 3
    assert "dist is not whole, so it is not signed" in done.err
    assert signatures(dist) == []
    archive.unlink()
    assert signing.run("sign", "dist", signer=MAKER).code == 3
    (dist / "SHA256SUMS").unlink()
    done = signing.run("sign", "dist", signer=MAKER)
    assert (done.code, "dist holds no SHA256SUMS" in done.err) == (2, True)


def test_what_build_changes_is_signed_no_more(signing: Signing) -> None:
    dist = signing.releasing.world.dist
    assert signing.run("sign", "dist", signer=MAKER).code == 0
    before = content_of(dist)
    assert signing.run("build", "all").code == 0  # nothing to do
    assert content_of(dist) == before
    assert signing.run("build", "all", "--force").code == 0  # the same bytes
    assert content_of(dist) == before
    (dist / "notes.sig").write_text("not ours")
    (dist / "SHA256SUMS.alice.sig").write_bytes((dist / BOTH[1]).read_bytes())
    done = signing.releasing.world.run("build", "all", SOURCE_DATE_EPOCH=OTHER)
    assert done.code == 0, done.err
    assert signatures(dist) == []
    assert (dist / "notes.sig").is_file()
    assert not [*dist.glob("*.intoto.jsonl")], "they were of other archives"
    assert {path.name for path in dist.glob("*.tar.gz*")} == {*listed(dist)}
    assert signing.run("sign", "dist", signer=MAKER).code == 0


@pytest.mark.parametrize("words", [("build", "all"), ("sign", "dist")])
def test_no_signature_stands_beside_another_list_at_any_moment(
    signing: Signing, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    dist = signing.releasing.world.dist
    first = ("--tag", signing.tag) if words[0] == "sign" else ()
    assert signing.run("sign", "dist", *first, signer=MAKER).code == 0
    signed = (dist / "SHA256SUMS").read_bytes()
    seen: list[bool] = []
    replaced: list[str] = []
    replace = Path.replace

    def watched(self: Path, target: Path) -> Path:
        done = replace(self, target)
        replaced.append(Path(target).name)
        if signatures(dist):
            now = (dist / "SHA256SUMS").read_bytes()
            fits = {f"sha256:{hashlib.sha256(now).hexdigest()}"}
            for path in dist.glob("SHA256SUMS*.minisig"):
                with suppress(FileNotFoundError):  # another thread removes it, before it replaces the list
                    seen.append(bool(fits & {*minisign.parse(path.read_bytes()).comment.split()}))
        return done

    monkeypatch.setattr(Path, "replace", watched)
    done = signing.run(*words, signer=MAKER) if words[0] == "sign" else build_others(signing)
    assert done.code == 0, done.err
    assert (dist / "SHA256SUMS").read_bytes() != signed
    assert all(seen)
    assert "SHA256SUMS" in replaced, "every file that is replaced was watched"


def test_clean_takes_what_sign_made(signing: Signing) -> None:
    world = signing.releasing.world
    for path in world.dist.iterdir():
        path.unlink()
    assert world.run("build", "debian-12-amd64").code == 0
    assert signing.run("sign", "dist", signer=MAKER).code == 0
    assert world.run("clean").code == 0
    assert not world.dist.exists()


def test_a_rebuilder_adds_to_what_is_there(signing: Signing) -> None:
    signing.trust("maker", "alice", require="{release: 1, rebuilder: 1}")
    assert signing.run("sign", "dist", signer=MAKER).code == 0
    done = signing.verify("dist")
    assert done.code == 3
    assert "dist/SHA256SUMS: signed by no rebuilder keys, and 1 must have signed it" in findings(done)[0]
    assert signing.run("sign", "dist", signer=ALICE).code == 0
    assert signatures(signing.releasing.world.dist) == [
        "SHA256SUMS.alice.minisig",
        "SHA256SUMS.alice.sig",
        *BOTH,
    ]
    done = signing.verify("dist", "--require", "2")
    assert (done.code, findings(done)) == (0, [])


def test_who_is_not_in_trust_yaml_says_who_it_is(signing: Signing) -> None:
    done = signing.run("sign", "dist", signer=STRANGER)
    assert (done.code, "is not in trust.yaml" in done.err) == (2, True)
    assert signing.run("sign", "dist", "--as", "carol@example", signer=STRANGER).code == 0
    assert signatures(signing.releasing.world.dist) == [
        "SHA256SUMS.carol.example.minisig",
        "SHA256SUMS.carol.example.sig",
    ]
    for name in ("../x", "x" * 65):
        assert signing.run("sign", "dist", "--as", name, signer=STRANGER).code == 2
    done = signing.run("sign", "dist", "--as", "carol", signer=MAKER)
    assert (done.code, "trust.yaml calls the key at hand maker, not carol" in done.err) == (2, True)
    # A signature more of somebody whom nobody knows does no harm.
    assert signing.run("sign", "dist", signer=MAKER).code == 0
    assert signing.run("sign", "dist", "--as", "carol@example", signer=STRANGER).code == 0
    done = signing.verify("dist")
    assert (done.code, findings(done)) == (0, [])
    assert any("carol.example.sig: does not count: made with a key that is" in one for one in done.json()["notes"])


def test_a_revoked_key_signs_nothing(signing: Signing) -> None:
    signing.trust("maker", maker="revoked: {since: 2020-01-01, reason: lost}")
    done = signing.run("sign", "dist", signer=MAKER)
    assert (done.code, "maker is revoked since 2020-01-01: lost" in done.err) == (2, True)


def test_the_key_comes_from_a_file_or_a_descriptor(signing: Signing, tmp_path: Path) -> None:
    key = tmp_path / "maker.key"
    key.write_text(text_of(MAKER))
    key.chmod(0o600)
    assert signing.run("sign", "dist", "--key", str(key)).code == 0
    done = signing.run("sign", "dist")
    assert (done.code, "no key to sign with" in done.err) == (2, True)
    with key.open("rb") as file:
        words = ["sign", "dist", "--key-fd", str(os.dup(file.fileno()))]
        assert signing.run(*words).code == 0


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((), "which folder is to be signed?"),
        (("dist", "--public"), "--public signs nothing"),
        (("dist", "--commit", "c" * 40), "--commit and --date are of a release"),
        (("dist", "--tag", "a b"), "is not a tag"),
        (("dist", "--tag", "v1", "--commit", "cafe"), "is not a commit"),
        (("dist", "--tag", "v1", "--date", "soon"), "is not a date"),
        (("nowhere",), "nowhere holds no SHA256SUMS"),
    ],
)
def test_what_is_asked_for_wrongly(signing: Signing, words: tuple[str, ...], why: str) -> None:
    done = signing.run("sign", *words, signer=MAKER)
    assert done.code == 2
    assert why in done.err


def test_the_public_files_follow_from_trust_yaml_and_check_says_when_they_do_not(signing: Signing) -> None:
    world, manifests = signing.releasing.world, signing.root / "manifests"
    done = world.run("check")
    assert done.code == 2
    assert "allowed_signers: is missing; `aiws-bundle sign --public` writes it" in done.out
    assert "minisign.pub: is missing" in done.out
    done = world.run("sign", "--public")
    assert done.code == 0, done.err
    assert done.out.count("written") == 2
    assert world.run("sign", "--public").out.count("unchanged") == 2
    assert "sign --public" not in world.run("check").out
    assert (manifests / "minisign.pub").read_text().splitlines()[1] == MAKER.public.minisign
    signers = (manifests / "allowed_signers").read_text()
    assert signers == f'maker namespaces="*@aiws-bundle" {MAKER.public.openssh}\n'
    signing.trust("maker", "alice")  # who makes no releases, so who has only this file must not take hers for one
    assert "sign --public" not in world.run("check").out
    signing.trust("maker", maker="valid-until: 2999-12-31")
    assert "allowed_signers: does not hold the keys that trust.yaml names" in world.run("check").out
    world.write("trust.yaml", "keys: []\n")
    assert world.run("sign", "--public").code == 2


def test_a_key_of_minisign_s_own_counts_however_trust_yaml_spells_it(signing: Signing, tmp_path: Path) -> None:
    secret, public = tmp_path / "m.key", tmp_path / "m.pub"
    words = ["minisign", "-GWf", "-s", str(secret), "-p", str(public)]
    if subprocess.run(words, check=False, capture_output=True).returncode:
        pytest.skip("needs a minisign that makes keys without a password (0.11)")
    assert secret.read_text().startswith(FIRST_WORDS)
    key = minisign.PublicFile.parse(public.read_bytes()).key
    for spelt in (key.openssh, key.minisign):
        signing.releasing.world.write("trust.yaml", f"keys:\n  - name: own\n    key: {spelt}\n")
        assert signing.run("sign", "dist", "--key", str(secret)).code == 0
        done = signing.verify("dist")
        assert (done.code, findings(done)) == (0, [])
        assert signing.run("sign", "--public").code == 0
        check = ["minisign", "-Vqm", "dist/SHA256SUMS", "-p", "manifests/minisign.pub"]
        assert subprocess.run(check, cwd=signing.root, check=False, capture_output=True).returncode == 0
    assert signing.verify("dist", "--trusted", str(public)).code == 0


def test_a_rebuilder_signs_only_what_comes_out_again(signing: Signing) -> None:
    dist = signing.releasing.world.dist
    signing.trust("maker", "alice")
    done = signing.run("sign", "dist", "--rebuilt", signer=ALICE)
    assert done.code == 0, done.err
    assert signatures(dist) == ["SHA256SUMS.alice.minisig", "SHA256SUMS.alice.sig"]
    for name in signatures(dist):
        (dist / name).unlink()
    manifest = signing.root / "manifests" / "targets.yaml"
    manifest.rename(signing.root / "targets.yaml")
    manifest.parent.rename(signing.root / "gone")
    done = signing.run("sign", "dist", "--rebuilt", "--as", "alice", signer=ALICE)
    assert done.code == 2, done.out
    assert "the manifests and locks here do not make" in done.err
    assert signatures(dist) == []


def test_a_rebuilder_signs_no_file_that_nothing_here_makes(signing: Signing) -> None:
    dist = signing.releasing.world.dist
    signing.trust("maker", "alice")
    sums, others = dist / "SHA256SUMS", {"minisign.pub": minisign.PublicFile(MAKER.public).compose()}

    def refused(code: int, why: str) -> None:
        done = signing.run("sign", "dist", "--rebuilt", signer=ALICE)
        assert (done.code, why in done.err) == (code, True), done.err
        assert signatures(dist) == []

    (dist / "evil.sh").write_bytes(b"exit 1")
    line = f"{hashlib.sha256(b'exit 1').hexdigest()}  evil.sh\n"
    sums.write_text(line + sums.read_text())
    refused(3, "SHA256SUMS lists what nothing here makes: evil.sh")
    for path in dist.iterdir():
        path.unlink()
    for name, content in others.items():
        (dist / name).write_bytes(content)
    sums.write_text("".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in others.items()))
    refused(2, "SHA256SUMS lists no archive")


def test_a_rebuilder_signs_what_was_verified_and_nothing_that_took_its_place(
    signing: Signing, monkeypatch: pytest.MonkeyPatch
) -> None:
    dist = signing.releasing.world.dist
    signing.trust("maker", "alice")
    earlier = {path: path.read_bytes() for path in dist.glob("*.tar.gz")}
    assert build_others(signing).code == 0

    def swapped(session: Session) -> Manifests | None:
        for path, content in earlier.items():
            path.write_bytes(content)
        return manifests_at_hand(session)

    monkeypatch.setattr("bundler.release.rebuild.manifests_at_hand", swapped)
    done = signing.run("sign", "dist", "--rebuilt", signer=ALICE)
    assert (done.code, "tar.gz changed while it was verified" in done.err) == (1, True), done.err
    assert signatures(dist) == []


def test_provenance_names_the_portable_cpython_that_is_carried(unlocked: World) -> None:
    standin = next(iter(STANDINS.glob("*x86_64*.tar.gz")), None) if STANDINS.is_dir() else None
    if standin is None:
        pytest.skip("no stand-in for the portable CPython beside the project")
    address, digest = f"https://x.test/{standin.name}", hashlib.sha256(standin.read_bytes()).hexdigest()
    unlocked.write("targets.yaml", 'distros: {debian: {"12": {glibc: "2.36", python: portable}}}\narches: [amd64]\n')
    pins = f"pins:\n  amd64:\n    address: {address}\n    sha256: {digest}\n"
    unlocked.write("python.yaml", f'version: 3.13.5\ntag: "1"\n{pins}')
    mirror = ("--mirror", f"https://x.test/=file://{standin.parent}/")
    for words in (("lock",), ("build", "all", *mirror), ("sign", "dist")):
        done = unlocked.run(*words, AIWS_SIGNING_KEY=text_of(MAKER))
        assert done.code == 0, done.err
    (archive,) = unlocked.dist.glob("*.tar.gz")
    content = (unlocked.dist / provenance.name(archive.name)).read_bytes()
    said = provenance.parse(content, archive.name)[1].materials
    assert said.portable == "amd64"
    assert [(item.uri, item.digest) for item in said.items if item.kind == "python"] == [(address, digest)]
    assert unlocked.run("verify", "dist").code == 0
    assert unlocked.run("verify", str(archive), "--rebuild").code == 0
