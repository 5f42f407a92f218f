"""Attestations (PEP 740): real ones, which pypi-attestations' own source archive has as samples, and broken ones."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from base64 import b64encode
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from bundler.adapters.attestations import UnverifiedError, Verifier
from bundler.errors import IntegrityError
from bundler.model.publisher import Publisher

pytestmark = pytest.mark.skipif(find_spec("pypi_attestations") is None, reason="pypi-attestations is not installed")

NAME = "demo-1-py3-none-any.whl"
DIGEST = "a" * 64
CIRCLE = "circleci_sign_publish_example-0.0.1.dev137-py3-none-any.whl"
GITHUB = "pypi_attestations-0.0.19.tar.gz"
IDENTITY = {"kind": "GitHub", "repository": "trailofbits/pypi-attestations", "workflow": "release.yml"}


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, bytes]:
    """The files in the folder of samples, by name."""
    folder = tmp_path_factory.mktemp("samples")
    wanted = f"pypi-attestations=={version('pypi-attestations')}"
    argv = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "-q",
        "--no-deps",
        "--no-binary",
        ":all:",
        "-d",
        str(folder),
        wanted,
    ]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode:
        pytest.skip(f"the index cannot be reached, or has no source archive: {done.stderr.strip()[-200:]}")
    return dict(_members(next(folder.glob("*.tar.gz"))))


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(path) as archive:
        for member in archive:
            if "/test/assets/" in member.name and (file := archive.extractfile(member)):
                yield member.name.rpartition("/")[2], file.read()


@pytest.fixture(autouse=True)
def _own_trust_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sigstore's trust root is the one that came with it."""
    for name in ("XDG_CACHE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))


def verified(content: bytes, name: str, digest: str) -> tuple[Publisher, ...]:
    return Verifier(refresh=False).publishers(content, name, digest)


def said_by(samples: Mapping[str, bytes], **publisher: str) -> bytes:
    """A real provenance object, said to be a publisher's who differs so far."""
    document = json.loads(samples[f"{GITHUB}.provenance"])
    document["attestation_bundles"][0]["publisher"] |= publisher
    return json.dumps(document).encode()


@pytest.mark.slow
def test_real_attestations_prove_who_published(samples: Mapping[str, bytes]) -> None:
    content, wheel = samples[f"{CIRCLE}.provenance"], samples[CIRCLE]
    (publisher,) = verified(content, CIRCLE, sha256(wheel).hexdigest())
    assert publisher.kind == "CircleCI"
    assert dict(publisher.claims)["vcs_origin"] == "github.com/CircleCI-Public/sign-and-publish-examples"
    assert "vcs_ref" not in dict(publisher.claims), "it is another one with every release"
    (publisher,) = verified(said_by(samples), GITHUB, sha256(samples[GITHUB]).hexdigest())
    assert str(publisher) == "GitHub trailofbits/pypi-attestations release.yml"


@pytest.mark.slow
def test_a_real_attestation_of_other_bytes_or_of_somebody_else_does_not_hold(samples: Mapping[str, bytes]) -> None:
    good, digest = said_by(samples), sha256(samples[GITHUB]).hexdigest()
    with pytest.raises(IntegrityError, match="does not match distribution digest"):
        verified(good, GITHUB, DIGEST)
    with pytest.raises(IntegrityError, match="does not match distribution name"):
        verified(good, NAME, digest)
    for other in ({"repository": "somebody/else"}, {"workflow": "other.yml"}):
        with pytest.raises(IntegrityError, match="does not hold"):
            verified(said_by(samples, **other), GITHUB, digest)


@pytest.mark.slow
@pytest.mark.parametrize("field", ["signature", "statement"])
def test_a_flipped_bit_in_a_real_attestation_is_seen(samples: Mapping[str, bytes], field: str) -> None:
    document = json.loads(said_by(samples))
    envelope = document["attestation_bundles"][0]["attestations"][0]["envelope"]
    text = envelope[field]
    envelope[field] = text[:40] + ("A" if text[40] != "A" else "B") + text[41:]
    with pytest.raises(IntegrityError, match="does not hold"):
        verified(json.dumps(document).encode(), GITHUB, sha256(samples[GITHUB]).hexdigest())


def test_a_certificate_that_is_none_is_refused() -> None:
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, start, start + timedelta(1)).sign(key, SHA256())
    version_3 = bytes.fromhex("a003020102")
    odd = made.public_bytes(Encoding.DER).replace(version_3, bytes.fromhex("a003020112"))  # X.509 has no version 19
    material = {"certificate": b64encode(odd).decode(), "transparency_entries": [{}]}
    envelope = {"statement": "e30=", "signature": "e30="}
    bundle = {
        "publisher": IDENTITY,
        "attestations": [{"version": 1, "verification_material": material, "envelope": envelope}],
    }
    content = json.dumps({"version": 1, "attestation_bundles": [bundle]}).encode()
    with pytest.raises(IntegrityError, match="18 is not a valid X509 version"):
        verified(content, NAME, DIGEST)


def test_what_is_no_provenance_object_is_refused() -> None:
    attestation = {"version": 1, "envelope": {}, "verification_material": {}}
    unsigned = {"version": 1, "attestation_bundles": [{"publisher": IDENTITY, "attestations": [attestation]}]}
    for content in (b"", b"{}", b"[]", b"[" * 100_000, b"\xff", json.dumps(unsigned).encode()):
        with pytest.raises(IntegrityError, match=f"{NAME}: what the index serves .* does not hold"):
            verified(content, NAME, DIGEST)


def test_without_pypi_attestations_nothing_is_called_proven(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pypi_attestations", None)
    said = {"version": 1, "attestation_bundles": [{"publisher": IDENTITY, "attestations": [{}]}]}
    with pytest.raises(UnverifiedError, match="the extra `attestations`"):
        verified(json.dumps(said).encode(), NAME, DIGEST)
