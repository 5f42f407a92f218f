"""`publish` with a key: what goes up, who may sign, and what the real programs say of it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from bundler.model.ed25519 import Ed25519Signer
from tests.cli.releasing import REPO
from tests.cli.signing import ALICE, MAKER, STRANGER, Signing, findings, text_of

# Whole commands, each of which takes a good part of a second.
pytestmark = pytest.mark.slow

NAMES = {"allowed_signers", "minisign.pub", "SHA256SUMS.minisig", "SHA256SUMS.sig"}


def asset(signing: Signing, name: str, tag: str = "") -> str:
    return signing.releasing.release(tag or signing.tag).assets[name].path.read_text()


def test_a_release_and_its_channel_are_signed_and_each_says_what_it_is(signed: Signing) -> None:
    for tag in (signed.tag, "latest-runtime"):
        assets = signed.releasing.release(tag).assets
        assert assets.keys() >= NAMES
        sums = assets["SHA256SUMS"]
        comment = asset(signed, "SHA256SUMS.minisig", tag).splitlines()[2]
        head = signed.releasing.hub.head
        said = f"tag:{tag} commit:{head} sha256:{sums.sha256} date:2026-01-01T00:00:00Z"
        assert comment == f"trusted comment: {said}"
        listed = sums.path.read_text()
        assert {name for name in NAMES if f"  {name}\n" in listed} == {"allowed_signers", "minisign.pub"}
    done = signed.verify(f"{REPO}@{signed.tag}", f"{REPO}@latest-runtime")
    assert (done.code, findings(done)) == (0, []), done.out
    (one, other) = done.json()["releases"]
    assert one["signed"]["signers"] == other["signed"]["signers"] == [{"name": "maker", "forms": ["minisign", "ssh"]}]
    told = signed.run("verify", f"{REPO}@{signed.tag}").out
    assert f"{REPO}@{signed.tag}: signed by maker (minisign, ssh); {signed.tag}, commit {head}, 2026-01-01T" in told


def test_published_again_nothing_changes(signed: Signing) -> None:
    before = signed.releasing.stored(signed.tag)
    done = signed.publish("--channel", "latest-runtime")
    assert done.code == 0, done.err
    assert done.out.count("unchanged  ") == 2
    assert "signed by maker\n" in done.out
    assert signed.releasing.stored(signed.tag) == before
    assert signed.releasing.writes() == []


def test_a_channel_s_signature_is_not_one_of_its_release(signed: Signing) -> None:
    hub = signed.releasing.hub
    assets = {name: one.path.read_bytes() for name, one in signed.releasing.release("latest-runtime").assets.items()}
    hub.add_release("other", assets)
    done = signed.verify(f"{REPO}@other")
    assert done.code == 3
    told = "\n".join(findings(done))
    assert "SHA256SUMS.minisig: does not count: of another release\n    expected other\n    actual   latest-ru" in told
    assert "SHA256SUMS.sig: does not count: of another release" in told


@pytest.mark.parametrize(
    ("signer", "names", "more", "why"),
    [
        (None, ("maker",), {}, "trust.yaml names keys that sign releases, and none is at hand"),
        (STRANGER, ("maker",), {}, "is not in trust.yaml"),
        (ALICE, ("maker", "alice"), {}, "alice is the key of a rebuilder, which makes no releases"),
        (MAKER, ("maker",), {"maker": "valid-until: 2020-01-01"}, "maker was valid until 2020-01-01"),
        (MAKER, ("maker",), {"maker": "valid-from: 2999-01-01"}, "maker is valid from 2999-01-01 on"),
        (MAKER, ("maker",), {"maker": "revoked: {since: 2020-01-01, reason: lost}"}, "maker is revoked since 2020-01"),
    ],
    ids=["none", "stranger", "rebuilder", "expired", "early", "revoked"],
)
def test_a_key_that_does_not_make_releases_is_refused_before_anything_happens(
    signing: Signing, signer: Ed25519Signer | None, names: tuple[str, ...], more: dict[str, str], why: str
) -> None:
    signing.trust(*names, **more)
    done = signing.publish(signer=signer)
    assert done.code == 2
    assert why in done.err
    assert "--unsigned publishes without a signature" in done.err
    assert signing.releasing.writes() == []


def test_unsigned_is_said_and_told(signing: Signing) -> None:
    done = signing.publish("--unsigned", signer=None)
    assert done.code == 0, done.err
    assert "not signed\n" in done.out
    assert not signing.releasing.stored(signing.tag).keys() & {"SHA256SUMS.minisig", "SHA256SUMS.sig"}
    done = signing.verify(f"{REPO}@{signing.tag}")
    assert done.code == 3
    assert findings(done)[0].startswith("SHA256SUMS: signed by no release keys, and 1 must have signed it")
    assert signing.verify("--require", "0", f"{REPO}@{signing.tag}").code == 0
    done = signing.publish("--unsigned", "--key", "x")
    assert (done.code, "contradict" in done.err) == (2, True)


def test_a_signed_release_is_not_torn_apart_without_the_key(signed: Signing) -> None:
    before = signed.releasing.stored(signed.tag)
    for words in (["--unsigned"], ["--unsigned", "--channel", "latest-runtime"]):
        done = signed.publish(*words, signer=None)
        assert done.code == 2
        assert "is published with signatures (SHA256SUMS.minisig, SHA256SUMS.sig), and no key is at hand" in done.err
    signed.releasing.world.write("trust.yaml", "keys: []\n")
    assert signed.publish(signer=None).code == 2
    assert signed.releasing.stored(signed.tag) == before
    assert signed.releasing.writes() == []


def test_a_key_is_never_shown(signing: Signing) -> None:
    secret = "".join(text_of(MAKER).splitlines()[1:-1])
    for words in ((), ("--json",), ("-v",)):
        done = signing.publish(*words)
        assert secret[-60:] not in (done.out + done.err).replace("\n", "")
        assert MAKER.seed.hex() not in done.out + done.err


def test_without_a_trust_yaml_the_key_signs_all_the_same(signing: Signing) -> None:
    signing.releasing.world.write("trust.yaml", "keys: []\n")
    done = signing.publish()
    assert done.code == 0, done.err
    assert f"signed by {MAKER.public.fingerprint}" in done.out
    assert signing.releasing.stored(signing.tag).keys() & NAMES == {"SHA256SUMS.minisig", "SHA256SUMS.sig"}
    done = signing.verify(f"{REPO}@{signing.tag}")
    assert done.code == 0
    notes = "\n".join(done.json()["releases"][0]["notes"])
    assert "who made it is not proven, as no key is known here (SHA256SUMS.minisig, SHA256SUMS.sig cannot" in notes


def test_a_rebuilder_signs_what_was_downloaded_and_it_is_published_with_the_next_run(signed: Signing) -> None:
    head = signed.releasing.hub.head
    signed.trust("maker", "alice", "bob", require="{release: 1, rebuilder: 1}")
    assert signed.publish("--replace", "--channel", "latest-runtime").code == 0
    folder = signed.download()
    done = signed.run("sign", "downloaded", "--tag", signed.tag, "--commit", head, signer=ALICE)
    assert done.code == 0, done.err
    assert (folder / "SHA256SUMS.alice.sig").is_file()
    done = signed.verify("downloaded")
    assert (done.code, findings(done)) == (0, [])

    dist = signed.releasing.world.dist
    for name in ("SHA256SUMS.alice.minisig", "SHA256SUMS.alice.sig"):
        shutil.copy(folder / name, dist / name)
    (dist / "SHA256SUMS.bob.sig").write_bytes((folder / "SHA256SUMS.alice.sig").read_bytes()[:-40])
    done = signed.publish("--channel", "latest-runtime")
    assert done.code == 0, done.err
    assert "left out, as it does not count for what is published: SHA256SUMS.bob.sig" in done.out
    assert signed.releasing.stored(signed.tag).keys() >= {"SHA256SUMS.alice.minisig", "SHA256SUMS.alice.sig"}
    done = signed.verify("--require", "2", f"{REPO}@{signed.tag}")
    assert (done.code, findings(done)) == (0, [])
    assert [one["name"] for one in done.json()["releases"][0]["signed"]["signers"]] == ["alice", "maker"]
    assert signed.verify("--require", "3", f"{REPO}@{signed.tag}").code == 3

    # What is on the release stays there, also where dist/ does not have it.
    for path in dist.glob("SHA256SUMS.*.*"):
        path.unlink()
    done = signed.publish("--channel", "latest-runtime")
    assert done.code == 0, done.err
    assert done.out.count("unchanged  ") == 2, done.out


@pytest.mark.skipif(shutil.which("minisign") is None, reason="needs minisign")
def test_minisign_takes_it_and_no_flipped_byte(signed: Signing) -> None:
    folder = signed.download()

    def verified() -> int:
        words = ["minisign", "-Vqm", "SHA256SUMS", "-p", "minisign.pub"]
        return subprocess.run(words, cwd=folder, check=False, capture_output=True).returncode

    assert verified() == 0
    _flip(folder / "SHA256SUMS")
    assert verified() != 0


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs ssh-keygen")
def test_ssh_keygen_takes_it_and_no_flipped_byte(signed: Signing) -> None:
    folder = signed.download()

    def verified(namespace: str) -> int:
        words = ["ssh-keygen", "-Y", "verify", "-f", "allowed_signers", "-I", "maker", "-n", namespace]
        with (folder / "SHA256SUMS").open("rb") as sums:
            done = subprocess.run(
                [*words, "-s", "SHA256SUMS.sig"], cwd=folder, check=False, capture_output=True, stdin=sums
            )
        return done.returncode

    assert verified(f"{signed.tag}@aiws-bundle") == 0
    assert verified("latest-runtime@aiws-bundle") != 0
    _flip(folder / "SHA256SUMS")
    assert verified(f"{signed.tag}@aiws-bundle") != 0


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[3] ^= 1
    path.write_bytes(content)


def test_what_json_says_of_it(signing: Signing) -> None:
    done = signing.publish("--json")
    assert json.loads(done.out)["signed_by"] == "maker"


def test_each_archive_has_a_provenance_that_is_checked_and_explained(signed: Signing) -> None:
    assets = signed.releasing.release(signed.tag).assets
    archives = [name for name in assets if name.endswith(".tar.gz")]
    assert archives and {f"{name}.intoto.jsonl" for name in archives} <= assets.keys()
    folder = signed.download()
    done = signed.run("--json", "inspect", "--provenance", f"{folder.name}/{archives[0]}")
    assert done.code == 0, done.out
    told = done.json()
    assert (told["signer"], told["findings"]) == ("maker", [])
    assert {"manifest", "lock", "wheel"} <= {one["kind"] for one in told["materials"]}
    # That of another archive, though signed and listed.
    one, other = (folder / f"{name}.intoto.jsonl" for name in archives[:2])
    one.write_bytes(other.read_bytes())
    assert signed.run("inspect", "--provenance", f"{folder.name}/{archives[0]}").code == 3
    done = signed.verify(folder.name)
    assert done.code == 3
    assert any("is of an archive of another name" in finding for finding in findings(done))
