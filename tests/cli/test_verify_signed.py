"""`verify` of what is signed, badly signed, or not: folders, releases, single archives."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bundler.model import minisign, sshsig
from bundler.model.ed25519 import Ed25519Signer
from bundler.model.statement import Statement
from tests.cli.releasing import REPO
from tests.cli.signing import ALICE, MAKER, STRANGER, Signing, findings
from tests.github import Fault

# Whole commands, each of which takes a good part of a second.
pytestmark = pytest.mark.slow

ARCHIVE = "litellm-runtime-debian-12-amd64.tar.gz"
MINISIG, SSHSIG = "SHA256SUMS.minisig", "SHA256SUMS.sig"


def told(signing: Signing, *words: str, code: int = 3) -> str:
    done = signing.verify(*words)
    assert done.code == code, done.out + done.err
    return "\n".join(findings(done))


def resign(folder: Path, tag: str = "", commit: str = "", date: str = "", *, signer: Ed25519Signer = MAKER) -> None:
    """Sign a folder's SHA256SUMS, whatever is in it."""
    content = (folder / "SHA256SUMS").read_bytes()
    said = Statement(tag, commit, hashlib.sha256(content).hexdigest(), date)
    (folder / MINISIG).write_bytes(minisign.compose(signer, content, said.comment))
    (folder / SSHSIG).write_bytes(sshsig.compose(signer, content, said.namespace))


def test_a_downloaded_release_is_signed_and_of_when(signed: Signing) -> None:
    signed.download()
    done = signed.verify("downloaded")
    assert (done.code, findings(done)) == (0, [])
    (one,) = done.json()["signed"]
    assert one["signers"] == [{"name": "maker", "forms": ["minisign", "ssh"]}]
    assert (one["tag"], one["commit"], one["date"]) == (signed.tag, signed.releasing.hub.head, "2026-01-01T00:00:00Z")
    assert [
        (file["file"], file["form"], file["name"], file["role"], file["state"], file["why"])
        for file in one["signatures"]
    ] == [
        (MINISIG, "minisign", "maker", "release", "good", None),
        (SSHSIG, "ssh", "maker", "release", "good", None),
    ]


def test_what_nobody_signed_is_refused_where_keys_are_named(signed: Signing) -> None:
    folder = signed.download()
    (folder / MINISIG).unlink()
    assert told(signed, "downloaded", code=0) == ""
    (folder / SSHSIG).unlink()
    assert "downloaded/SHA256SUMS: signed by no release keys, and 1 must have signed it" in told(signed, "downloaded")
    done = signed.verify("downloaded", "--require", "0")
    assert done.code == 0
    assert any("who made it is not proven: nobody signed it" in note for note in done.json()["notes"])


Change = Callable[[bytes], bytes]
CHANGES: dict[str, tuple[str, Change, str]] = {
    "cut short": (MINISIG, lambda b: b[:-5], "not 4 lines"),
    "cut short, ssh": (SSHSIG, lambda b: b[:-5], "it has to begin with"),
    "trailing byte": (MINISIG, lambda b: b + b"\n", "not 4 lines"),
    "trailing byte, ssh": (SSHSIG, lambda b: b + b"\n", "it has to begin with"),
    "empty": (MINISIG, lambda b: b"", "not 4 lines"),
    "huge": (SSHSIG, lambda b: b * 100, "is larger than"),
    "crlf": (MINISIG, lambda b: b.replace(b"\n", b"\r\n"), "not 4 lines"),
    "other lines, ssh": (SSHSIG, lambda b: b.replace(b"\n", b"", 2), "it has to begin with"),
    "not canonical": (MINISIG, lambda b: b.replace(b"\n", b"=\n", 2), "base64"),
    "comment": (MINISIG, lambda b: b.replace(b"tag:runtime", b"tag:runtimf"), "the trusted comment was changed"),
    "flipped": (MINISIG, lambda b: _flipped(b), "does not fit the content"),
}


def _flipped(content: bytes) -> bytes:
    lines = content.split(b"\n")
    value = bytearray(base64.b64decode(lines[1]))
    value[20] ^= 1
    lines[1] = base64.b64encode(value)
    return b"\n".join(lines)


@pytest.mark.parametrize("what", CHANGES)
def test_a_damaged_signature_is_wrong_although_another_is_good(signed: Signing, what: str) -> None:
    name, change, why = CHANGES[what]
    folder = signed.download()
    (folder / name).write_bytes(change((folder / name).read_bytes()))
    said = told(signed, "downloaded")
    assert f"downloaded/{name}" in said
    assert why in said


def test_what_is_no_file_is_not_read(signed: Signing) -> None:
    folder = signed.download()
    (folder / MINISIG).unlink()
    os.mkfifo(folder / MINISIG)
    assert "not a regular file" in told(signed, "downloaded")


def test_a_signature_of_another_file_or_release_is_noticed(signed: Signing) -> None:
    folder = signed.download()
    sums = folder / "SHA256SUMS"
    before = sums.read_bytes()
    sums.write_bytes(
        b"".join(sorted(line for line in before.splitlines(keepends=True) if ARCHIVE not in line.decode()))
    )
    (folder / ARCHIVE).unlink()
    assert "SHA256SUMS.minisig: does not count: the signature does not fit the content" in told(signed, "downloaded")
    sums.write_bytes(before)
    resign(folder, "runtime-" + "0" * 12)
    (folder / SSHSIG).write_bytes(sshsig.compose(MAKER, before, f"{signed.tag}@aiws-bundle"))
    assert "its signatures are of two releases: runtime-000000000000" in told(signed, "downloaded", "--ignore-missing")


@pytest.mark.parametrize(
    ("tag", "commit", "why"),
    [
        ("", "", "of another release\n    expected {tag}\n    actual   a folder that is of none"),
        ("runtime-0123456789ab", "", "of another release\n    expected {tag}\n    actual   runtime-0123456789ab"),
        ("{tag}", "c" * 40, "of another commit\n    expected {head}\n    actual   " + "c" * 40),
    ],
)
def test_a_valid_signature_of_another_release_on_this_one_is_wrong(
    signed: Signing, tag: str, commit: str, why: str
) -> None:
    folder, names = signed.download(), {"tag": signed.tag, "head": signed.releasing.hub.head}
    resign(folder, tag.format(**names), commit)
    hub = signed.releasing.hub
    release = hub.published(signed.tag)
    assert release is not None
    hub.drop(release, next(one for one in release.assets.values() if one.name == SSHSIG))
    asset = release.named(MINISIG)
    assert asset is not None
    shutil.copy(folder / MINISIG, asset.path)
    asset.size, asset.tells_digest = asset.path.stat().st_size, False
    assert f"{MINISIG}: does not count: {why.format(**names)}" in told(signed, f"{REPO}@{signed.tag}")


def test_another_release_than_was_asked_for_is_refused_though_it_is_signed(signed: Signing) -> None:
    hub, newer = signed.releasing.hub, "runtime-0123456789ab"
    release = hub.published(signed.tag)
    assert release is not None
    body = {"id": release.id, "tag_name": signed.tag, "draft": False, "upload_url": ""}
    hub.faults.append(Fault("api", "GET", f"/releases/tags/{newer}", status=200, body=body, times=-1))
    done = signed.run("verify", f"{REPO}@{newer}")
    assert done.code == 3
    assert f"asked for the release {newer}, GitHub tells of {signed.tag}" in done.err


def test_a_comment_that_says_nothing_of_a_release_does_not_count(signed: Signing) -> None:
    folder = signed.download()
    content = (folder / "SHA256SUMS").read_bytes()
    (folder / MINISIG).write_bytes(minisign.compose(MAKER, content, "timestamp:1 file:SHA256SUMS"))
    (folder / SSHSIG).write_bytes(sshsig.compose(MAKER, content, "file"))
    said = told(signed, "downloaded")
    assert "its trusted comment does not say of which release it is" in said
    assert "its namespace is file, not TAG@aiws-bundle" in said


def test_a_key_that_nobody_named_does_not_count(signed: Signing) -> None:
    folder = signed.download()
    resign(folder, signed.tag, signer=STRANGER)
    said = told(signed, "downloaded")
    for name in (MINISIG, SSHSIG):
        assert f"{name}: does not count: made with a key that is not known here" in said
    assert "signed by no release keys" in said


@pytest.mark.parametrize(
    ("line", "why", "then"),
    [
        ("valid-until: 2026-06-30", "maker was valid until 2026-06-30, and it is ", "2026-06-30"),
        ("valid-from: 2999-01-01", "maker is valid from 2999-01-01 on, and it is ", "2999-01-01"),
        (
            "revoked: {since: 2026-06-30, reason: the laptop was stolen}",
            "2026-06-30: the laptop was stolen",
            "2026-06-29",
        ),
    ],
    ids=["expired", "early", "revoked"],
)
def test_a_key_counts_on_its_days(signed: Signing, line: str, why: str, then: str) -> None:
    signed.download()
    signed.trust("maker", maker=line)
    said = told(signed, "downloaded")
    assert why in said
    assert "signed by no release keys" in said
    assert told(signed, "downloaded", "--verify-time", then, code=0) == ""
    assert signed.verify("downloaded", "--verify-time", "then").code == 2


def test_without_a_key_it_says_what_is_not_proven(signed: Signing) -> None:
    signed.download()
    signed.releasing.world.write("trust.yaml", "keys: []\n")
    done = signed.verify("downloaded")
    assert done.code == 0
    assert [note for note in done.json()["notes"] if "who made it is not proven, as no key is known here" in note]
    assert "who made it is not proven" in told(signed, "downloaded", "--require", "1")


@pytest.mark.parametrize("name", ["minisign.pub", "allowed_signers", "trust.yaml", "key.pub", "line"])
def test_whom_to_trust_is_said_by_a_file_from_elsewhere(signed: Signing, tmp_path: Path, name: str) -> None:
    folder = signed.download()
    for made in ("minisign.pub", "allowed_signers"):
        shutil.copy(folder / made, tmp_path / made)
    shutil.copy(signed.root / "manifests" / "trust.yaml", tmp_path)
    (tmp_path / "key.pub").write_text(f"{MAKER.public.openssh} somebody@somewhere\n")
    (tmp_path / "line").write_text(MAKER.public.minisign)
    signed.releasing.world.write("trust.yaml", "keys: []\n")
    path = str(tmp_path / name)
    done = signed.verify("downloaded", "--trusted", path)
    assert (done.code, findings(done)) == (0, []), done.err
    assert len(done.json()["signed"][0]["signers"]) == 1
    assert told(signed, f"{REPO}@{signed.tag}", "--trusted", path, code=0) == ""
    resign(folder, signed.tag, signer=ALICE)
    assert "does not count" in told(signed, "downloaded", "--trusted", path)


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("x", b"", "names no key"),
        ("x", b"\xff\xfe", "not text"),
        ("x", b"untrusted comment: x\nRWQ\n", "base64"),
        ("x", b"a ssh-rsa AAAA\nb ssh-rsa AAAA\n", "x:1:"),
        ("x", b'a namespaces="git" ssh-ed25519 %s\n' % MAKER.public.openssh.split()[1].encode(), "namespaces are not"),
        (
            "x",
            b'a valid-after="99991231235959" ssh-ed25519 %s\n' % MAKER.public.openssh.split()[1].encode(),
            "no day is late enough",
        ),
        ("trust.yaml", b"keys: 7\n", "keys"),
        ("trust.yaml", b"keys: []\n", "names no key"),
        ("x", b"a" * (2 << 20), "is larger than"),
    ],
    ids=["empty", "binary", "minisign", "rsa", "namespace", "end of days", "manifest", "no keys", "large"],
)
def test_a_file_that_names_no_key_is_refused(
    signed: Signing, tmp_path: Path, name: str, content: bytes, why: str
) -> None:
    (tmp_path / name).write_bytes(content)
    done = signed.verify("dist", "--trusted", str(tmp_path / name))
    assert done.code == 2
    assert why in done.err + done.out


def test_one_archive_alone_agrees_with_itself_only(signed: Signing, tmp_path: Path) -> None:
    folder = signed.download()
    alone = tmp_path / ARCHIVE
    shutil.copy(folder / ARCHIVE, alone)
    done = signed.verify(str(alone))
    assert (done.code, findings(done)) == (0, [])
    assert any("agrees with itself, which does not prove where it is from" in note for note in done.json()["notes"])
    for words in (["--require", "1"], ["--trusted", str(folder / "minisign.pub")], ["--not-older-than", "2020-01-01"]):
        assert "which does not prove where it is from" in told(signed, str(alone), *words)

    for name in ("SHA256SUMS", MINISIG, SSHSIG):
        shutil.copy(folder / name, tmp_path / name)
    done = signed.verify(str(alone), "--require", "1")
    assert (done.code, findings(done)) == (0, [])
    assert done.json()["signed"][0]["signers"][0]["name"] == "maker"
    assert f"{alone}: signed by maker" in signed.run("verify", str(alone)).out.replace("\n        ", " ")
    (tmp_path / SSHSIG).write_bytes(b"x")
    assert "SHA256SUMS.sig: does not count" in told(signed, str(alone))
    (tmp_path / "SHA256SUMS").write_text(f"{'0' * 64}  {ARCHIVE}\n")
    assert "SHA-256 differs" in told(signed, str(alone))


def test_what_is_called_as_a_signature_and_is_none_is_surplus_on_a_release(signed: Signing) -> None:
    hub = signed.releasing.hub
    hub.add_release("more", {"SHA256SUMS.payload": b"x"})
    release, more = hub.published(signed.tag), hub.published("more")
    assert release is not None and more is not None
    release.assets |= more.assets
    assert "SHA256SUMS.payload: surplus" in told(signed, f"{REPO}@{signed.tag}")


@pytest.mark.parametrize(
    ("floor", "why"),
    [
        ("2026-01-01", ""),
        ("2025-12-31", ""),
        (
            "2026-01-02",
            "older than asked for\n    expected 2026-01-02T00:00:00Z or later\n    actual   {tag} of 2026-01-01",
        ),
        ("runtime-0123456789ab@2026-01-01T00:00:00Z", ""),
        ("runtime-0123456789ab@2026-01-01T01:00:00+00:00", "expected runtime-0123456789ab of 2026-01-01T01:00:00Z"),
        ("{tag}", ""),
        ("offline-ai-workspace-7", "That cannot be told: the date of offline-ai-workspace-7 is not known"),
    ],
)
def test_a_downgrade_of_a_folder_is_noticed(signed: Signing, floor: str, why: str) -> None:
    signed.download()
    said = told(signed, "downloaded", "--not-older-than", floor.format(tag=signed.tag), code=3 if why else 0)
    assert why.format(tag=signed.tag) in said


def test_all_in_one_packages_are_counted(signed: Signing) -> None:
    folder = signed.download()
    resign(folder, "offline-ai-workspace-7")
    for floor, code in (("offline-ai-workspace-7", 0), ("offline-ai-workspace-10", 3), ("offline-ai-workspace-6", 0)):
        told(signed, "downloaded", "--not-older-than", floor, code=code)
    assert "no signature that counts has a date" in told(signed, "downloaded", "--not-older-than", "2026-01-01")
    for name in (MINISIG, SSHSIG):
        (folder / name).unlink()
    said = told(signed, "downloaded", "--require", "0", "--not-older-than", "offline-ai-workspace-6")
    assert "That cannot be told: no signature that counts says which release this is" in said


def test_an_earlier_folder_says_what_is_older(signed: Signing) -> None:
    shutil.copytree(signed.download(), signed.root / "earlier")
    resign(signed.root / "earlier", "runtime-0123456789ab", date="2026-02-01T00:00:00Z")
    for words in (["earlier"], ["earlier/SHA256SUMS.minisig"]):
        assert "actual   runtime-" in told(signed, "downloaded", "--not-older-than", *words)
    assert told(signed, "earlier", "--not-older-than", "downloaded", code=0) == ""
    resign(signed.root / "earlier", "runtime-0123456789ab", date="2020-02-01T00:00:00Z", signer=STRANGER)
    done = signed.verify("downloaded", "--not-older-than", "earlier")
    assert (done.code, "no signature that counts says which release" in done.err) == (2, True)


def test_a_tag_is_looked_up_where_the_release_is(signed: Signing) -> None:
    hub = signed.releasing.hub
    there = {name: one.path.read_bytes() for name, one in signed.releasing.release(signed.tag).assets.items()}
    folder = signed.download()
    tag = "runtime-0123456789ab"
    resign(folder, tag, date="2026-03-01T00:00:00Z")
    hub.add_release(tag, {**there, **{name: (folder / name).read_bytes() for name in (MINISIG, SSHSIG)}})
    said = told(signed, f"{REPO}@{signed.tag}", "--not-older-than", tag)
    assert f"expected {tag} of 2026-03-01T00:00:00Z or later" in said
    done = signed.verify(f"{REPO}@{signed.tag}", "--not-older-than", "runtime-000000000000")
    assert done.code == 4
    hub.add_release("runtime-111111111111", {"SHA256SUMS": there["SHA256SUMS"]})
    said = told(signed, f"{REPO}@{signed.tag}", "--not-older-than", "runtime-111111111111")
    assert "the date of runtime-111111111111 is not known" in said


@pytest.mark.parametrize("floor", ["", "a b", "@", "x@soon", "dist@nowhen"])
def test_what_is_no_release_to_compare_with_is_refused(signed: Signing, floor: str) -> None:
    assert signed.verify("dist", "--not-older-than", floor).code == 2
