"""A container registry on loopback, over TLS, with real images: what the OCI distribution specification asks of one."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import ssl
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import trustme

from tests.server import Reply, Server, serving

OCI = "application/vnd.oci.image"
INDEX, MANIFEST, CONFIG, LAYER = (
    f"{OCI}.{name}" for name in ("index.v1+json", "manifest.v1+json", "config.v1+json", "layer.v1.tar+gzip")
)
DOCKER = "application/vnd.docker"
DOCKER_TYPES = {
    INDEX: f"{DOCKER}.distribution.manifest.list.v2+json",
    MANIFEST: f"{DOCKER}.distribution.manifest.v2+json",
    CONFIG: f"{DOCKER}.container.image.v1+json",
    LAYER: f"{DOCKER}.image.rootfs.diff.tar.gzip",
}
TOKEN = "a.token-of~64/letters+=="


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def layer_of(*files: tuple[str, bytes]) -> bytes:
    """The tar of a layer."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in files:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


LAYERS = (layer_of(("etc/os-release", b"ID=test\n")), layer_of(("usr/bin/program", b"program" * 1000)))


@dataclass
class LocalRegistry:
    """A repository on a server: what is put into it can be asked for, with a token if there is a `challenge`."""

    server: Server
    repository: str = "demo/app"
    challenge: str = ""
    docker: bool = False
    blobs: dict[str, bytes] = field(default_factory=dict)

    def path(self, kind: str, name: str) -> str:
        return f"/v2/{self.repository}/{kind}/{name}"

    def reply(self, content: bytes, **more: object) -> Reply:
        bearer = (TOKEN, self.challenge) if self.challenge else None
        return Reply(content, bearer=bearer, **more)  # type: ignore[arg-type]

    def put(self, kind: str, name: str, content: bytes) -> None:
        self.server.script(self.path(kind, name), self.reply(content))

    def type_of(self, media_type: str) -> str:
        return DOCKER_TYPES[media_type] if self.docker else media_type

    def blob(self, media_type: str, content: bytes) -> dict[str, object]:
        """Put a blob; return its descriptor."""
        digest = digest_of(content)
        self.blobs[digest] = content
        self.put("blobs", digest, content)
        return {"mediaType": self.type_of(media_type), "digest": digest, "size": len(content)}

    def config(self, layers: Sequence[bytes], arch: str = "amd64", os: str = "linux") -> bytes:
        diff_ids = [digest_of(layer) for layer in layers]
        rootfs = {"type": "layers", "diff_ids": diff_ids}
        return json.dumps({"architecture": arch, "os": os, "config": {"Cmd": ["sh"]}, "rootfs": rootfs}).encode()

    def manifest(self, change: Mapping[str, object] | None = None, **of: object) -> bytes:
        """An image's manifest, its blobs put; `change` is laid over it."""
        arch, layers = str(of.get("arch", "amd64")), of.get("layers", LAYERS)
        assert isinstance(layers, tuple)
        content = of.get("config", self.config(layers, arch))
        assert isinstance(content, bytes)
        made: dict[str, object] = {
            "schemaVersion": 2,
            "mediaType": self.type_of(MANIFEST),
            "config": self.blob(CONFIG, content),
            "layers": [self.blob(LAYER, gzip.compress(layer, mtime=0)) for layer in layers],
        }
        return json.dumps(made | dict(change or {})).encode()

    def index(self, **manifests: bytes) -> bytes:
        """An index over manifests by their architecture, each put."""
        listed = []
        for arch, content in manifests.items():
            self.put("manifests", digest_of(content), content)
            platform = {"os": "linux", "architecture": arch}
            media_type = self.type_of(MANIFEST)
            listed.append(
                {"mediaType": media_type, "digest": digest_of(content), "size": len(content), "platform": platform}
            )
        return json.dumps({"schemaVersion": 2, "mediaType": self.type_of(INDEX), "manifests": listed}).encode()

    def publish(self, content: bytes, tag: str = "v1") -> None:
        """Put an index or manifest under a tag and its digest."""
        for name in (tag, digest_of(content)):
            self.put("manifests", name, content)

    def asked(self) -> list[str]:
        """The paths that were asked for."""
        return [one.path for one in self.server.requests]


def give_tokens(server: Server, repository: str = "demo/app", answer: bytes = b"", service: str = "test") -> str:
    """Make a server give tokens for a repository; return the challenge that leads to it."""
    words = {"service": service, "scope": f"repository:{repository}:pull"}
    content = answer or json.dumps({"token": TOKEN, "expires_in": 300}).encode()
    server.script(f"/token?{urlencode(words)}", Reply(content, headers={"Content-Type": "application/json"}))
    return f'Bearer realm="{server.address}/token",service="{service}",scope="repository:samalba/my-app:pull"'


@contextmanager
def tls_serving(authority: trustme.CA) -> Iterator[Server]:
    """A server that is 127.0.0.1 to whoever trusts `authority`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with serving(context) as server:
        yield server


def trust(authority: trustme.CA, folder: Path) -> Path:
    """Write an authority's certificate; return where it is, for SSL_CERT_FILE."""
    path = folder / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    return path
