"""Container images from a registry of our own: what is locked, the tar that is made, and registries that lie."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import tomli_w
import trustme
from pydantic import TypeAdapter, ValidationError

from bundler.adapters.http import Http, Mirror
from bundler.bench import Bench
from bundler.errors import BundleError, IntegrityError, LockError, UnreachableError
from bundler.model.bundle import File, text_file
from bundler.model.manifest_schema import Schema
from bundler.model.target import Target
from bundler.model.toml import parse_toml
from bundler.payloads import images
from bundler.payloads.images.choice import Images
from bundler.payloads.images.pins import LockedImages
from bundler.session import Network, Session
from tests.payloads.downloads import AMD64, ARM64, contents_of, network_to, session_in
from tests.registry import (
    CONFIG,
    INDEX,
    LAYER,
    LAYERS,
    MANIFEST,
    OCI,
    TOKEN,
    LocalRegistry,
    digest_of,
    give_tokens,
    layer_of,
    tls_serving,
    trust,
)
from tests.server import Reply, Server, redirect

# Whole commands, or other programs: each takes a good part of a second.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def server(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("SSL_CERT_FILE", str(trust(authority, tmp_path)))
    with tls_serving(authority) as made:
        yield made


@pytest.fixture
def registry(server: Server) -> LocalRegistry:
    """A registry that has an image for two architectures, for whoever has a token."""
    made = LocalRegistry(server, challenge=give_tokens(server))
    server.script("/v2/", made.reply(b"{}"))
    made.publish(made.index(amd64=made.manifest(), arm64=made.manifest(arch="arm64")))
    return made


@pytest.fixture
def network(server: Server) -> Iterator[Network]:
    with network_to() as made:
        yield made


def choice(server: Server, **more: object) -> Mapping[str, object]:
    return {"name": "app", "reference": "demo/app", "tag": "v1", "registry": server.address, **more}


def section(*entries: Mapping[str, object]) -> Images:
    return TypeAdapter(Images).validate_python(list(entries))


def lock(
    folder: Path, network: Network, entry: Mapping[str, object], target: Target = AMD64, session: Session | None = None
) -> LockedImages:
    return images.lock(section(entry), target, session or session_in(folder), network)


@contextmanager
def bench_in(folder: Path, network: Network | None) -> Iterator[Bench]:
    session = session_in(folder)
    (folder / "spool").mkdir(parents=True, exist_ok=True)
    yield Bench(session, network, session.store(), folder / "spool")


def tar_made(locked: LockedImages, folder: Path, network: Network | None) -> Path:
    with bench_in(folder, network) as bench:
        (made,) = locked.made()
        return bench.make(locked, made)


@dataclass(frozen=True)
class Loaded:
    """What `docker load` makes of a tar, read as the Docker image specification says."""

    tags: list[str]
    config: dict[str, object]
    layers: list[bytes]

    @classmethod
    def of(cls, path: Path) -> Loaded:
        with tarfile.open(path) as tar:
            members = {one.name: one for one in tar.getmembers()}
            assert all(one.isfile() and one.mtime == 0 and one.mode == 0o644 for one in members.values())
            assert len(members) == len(tar.getmembers())

            def read(name: str) -> bytes:
                file = tar.extractfile(members[name])
                assert file is not None
                return file.read()

            (manifest,) = json.loads(read("manifest.json"))
            layers = [gzip.decompress(read(name)) for name in manifest["Layers"]]
            return cls(manifest["RepoTags"], json.loads(read(manifest["Config"])), layers)


# What is locked and made


@pytest.mark.parametrize("docker", [False, True])
@pytest.mark.parametrize(("target", "arch"), [(AMD64, "amd64"), (ARM64, "arm64")])
def test_a_tag_becomes_digests_and_a_tar_that_docker_loads(
    docker: bool, target: Target, arch: str, server: Server, registry: LocalRegistry, network: Network, tmp_path: Path
) -> None:
    registry.docker = docker
    top = registry.index(amd64=registry.manifest(), arm64=registry.manifest(arch="arm64"))
    registry.publish(top)
    locked = lock(tmp_path, network, choice(server), target)
    (image,) = locked.image
    assert image.index == digest_of(top)
    assert image.manifest == digest_of(registry.manifest(arch=arch))
    assert image.config.digest == digest_of(registry.config(LAYERS, arch))
    assert [one.digest for one in image.layers] == [digest_of(gzip.compress(one, mtime=0)) for one in LAYERS]
    path = tar_made(locked, tmp_path, network)
    assert (path.name, path.stat().st_size) == (image.sha256, image.size)
    loaded = Loaded.of(path)
    assert loaded.tags == ["demo/app:v1"]
    assert loaded.config["architecture"] == arch
    assert loaded.layers == list(LAYERS)
    assert path.stat().st_size % tarfile.RECORDSIZE == 0


def test_entries_are_the_tars_and_each_difference_is_found(
    server: Server, registry: LocalRegistry, network: Network, tmp_path: Path
) -> None:
    locked = lock(tmp_path, network, choice(server))
    path = tar_made(locked, tmp_path, network)
    (entry,) = locked.entries(lambda sha256: path.parent / sha256, io.BytesIO())
    assert isinstance(entry, File) and entry.path == "packages/images/app.tar" and not entry.executable
    assert hashlib.sha256(path.read_bytes()).hexdigest() == entry.sha256
    assert list(locked.findings(contents_of([entry]))) == []
    for changed, told in (
        ([], "missing: packages/images/app.tar"),
        ([replace(entry, sha256="0" * 64)], "the lock says"),
        ([replace(entry, executable=True)], "not executable"),
        ([entry, text_file("packages/images/b.tar", b"")], "surplus: packages/images/b.tar"),
    ):
        found = [one.message for one in locked.findings(contents_of(changed))]
        assert len(found) == 1 and told in found[0]


def test_a_lock_is_written_to_toml_and_read_again(
    server: Server, registry: LocalRegistry, network: Network, tmp_path: Path
) -> None:
    locked = lock(tmp_path, network, choice(server))
    adapter = TypeAdapter(LockedImages)
    text = tomli_w.dumps({"images": adapter.dump_python(locked, by_alias=True, mode="json")})
    assert adapter.validate_python(parse_toml(text)["images"]) == locked
    assert TOKEN not in text and "media-type" in text
    assert locked.versions() == {"app": "v1"} and list(locked.pins()) == []


def test_the_tar_is_the_same_on_another_machine_another_day(
    server: Server, registry: LocalRegistry, network: Network, tmp_path: Path
) -> None:
    locked = lock(tmp_path, network, choice(server))
    registry.publish(b"{}")  # the tag leads elsewhere now
    with network_to() as later:
        path = tar_made(locked, tmp_path / "other", later)
    assert path.name == locked.image[0].sha256


def test_without_a_network_the_store_serves(
    server: Server, registry: LocalRegistry, network: Network, tmp_path: Path
) -> None:
    locked = lock(tmp_path, network, choice(server))
    before = len(server.requests)
    tar_made(locked, tmp_path, None)
    assert len(server.requests) == before
    with pytest.raises(UnreachableError, match="not in the store"):
        tar_made(locked, tmp_path / "other", None)


def test_a_tar_that_is_there_needs_no_layers(
    server: Server, registry: LocalRegistry, network: Network, tmp_path: Path
) -> None:
    locked = lock(tmp_path, network, choice(server))
    tar_made(locked, tmp_path, network)
    store = session_in(tmp_path).store()
    for digest in registry.blobs:
        store.discard(digest.removeprefix("sha256:"))
    assert tar_made(locked, tmp_path, None)


def test_targets_of_one_platform_share_the_work_and_all_share_the_tag(
    server: Server, registry: LocalRegistry, network: Network, tmp_path: Path
) -> None:
    targets = [replace(one, version=version) for one in (AMD64, ARM64) for version in ("12", "13")]
    made = [lock(tmp_path, network, choice(server), target) for target in targets]
    assert made[0] == made[1] != made[2] == made[3]
    asked = registry.asked()
    assert asked.count(registry.path("manifests", "v1")) == 1
    assert all(asked.count(registry.path("blobs", digest)) <= 1 for digest in registry.blobs)


def test_a_layer_that_is_there_twice_is_put_once(
    server: Server, registry: LocalRegistry, network: Network, tmp_path: Path
) -> None:
    registry.publish(registry.manifest(layers=(LAYERS[0], LAYERS[1], LAYERS[0])))
    path = tar_made(lock(tmp_path, network, choice(server)), tmp_path, network)
    assert Loaded.of(path).layers == [LAYERS[0], LAYERS[1], LAYERS[0]]


def test_a_tag_may_lead_to_one_manifest(
    server: Server, registry: LocalRegistry, network: Network, tmp_path: Path
) -> None:
    content = registry.manifest()
    registry.publish(content)
    (image,) = lock(tmp_path, network, choice(server)).image
    assert image.index == image.manifest == digest_of(content)
    with pytest.raises(IntegrityError, match="is for linux/amd64, not linux/arm64"):
        lock(tmp_path, network, choice(server), ARM64)


def test_a_layer_of_several_gzip_members_or_none_is_taken(
    server: Server, registry: LocalRegistry, network: Network, tmp_path: Path
) -> None:
    """As eStargz has them, which is gzip all the same."""
    parts = gzip.compress(LAYERS[0][:700], mtime=0) + gzip.compress(LAYERS[0][700:], mtime=0)
    layers = [registry.blob(LAYER, parts), {**registry.blob(LAYER, LAYERS[1]), "mediaType": f"{OCI}.layer.v1.tar"}]
    registry.publish(registry.manifest({"layers": layers}))
    assert tar_made(lock(tmp_path, network, choice(server)), tmp_path, network)


def test_a_digest_in_the_manifest_decides(
    server: Server, registry: LocalRegistry, network: Network, tmp_path: Path
) -> None:
    old, new = registry.index(amd64=registry.manifest()), registry.manifest()
    registry.publish(old)
    registry.publish(new)
    assert lock(tmp_path, network, choice(server, digest=digest_of(old))).image[0].index == digest_of(old)
    registry.put("manifests", digest_of(b"x"), new)
    with pytest.raises(IntegrityError, match="SHA-256 mismatch"):
        lock(tmp_path, network, choice(server, digest=digest_of(b"x")))


def test_blobs_may_come_from_a_mirror_that_needs_no_token(
    server: Server, registry: LocalRegistry, network: Network, tmp_path: Path
) -> None:
    locked = lock(tmp_path, network, choice(server))
    for digest, content in registry.blobs.items():
        path = tmp_path / "mirror" / registry.path("blobs", digest).lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    before = len(server.requests)
    with closing(Http([Mirror(f"{server.address}/", f"file://{tmp_path}/mirror/")])) as http:
        mirrored = Network(lambda: http, Future[str]().result, lambda: "")
        tar_made(locked, tmp_path / "other", mirrored)
    assert len(server.requests) == before


def test_a_download_that_breaks_off_goes_on(
    server: Server, registry: LocalRegistry, network: Network, tmp_path: Path
) -> None:
    content = gzip.compress(LAYERS[1], mtime=0)
    path = registry.path("blobs", digest_of(content))
    server.script(path, registry.reply(content, drop_after=40), registry.reply(content))
    lock(tmp_path, network, choice(server))
    assert [one.offset for one in server.asked(path)] == [0, 40]


# Registries that lie


def broken(registry: LocalRegistry, what: str) -> None:
    """Make the registry lie."""
    good = registry.manifest()
    data = json.loads(good)
    layer, server = data["layers"][0], registry.server
    blob = registry.path("blobs", layer["digest"])
    tops: Mapping[str, object] = {
        "no JSON": b"<html>",
        "NaN": b'{"schemaVersion": NaN}',
        "deep": b"[" * 100_000,
        "a list": b"[]",
        "both": json.dumps({**data, "manifests": []}).encode(),
        "neither": b'{"schemaVersion": 2}',
        "schema 1": json.dumps({**data, "schemaVersion": 1}).encode(),
        "another type": json.dumps({**data, "mediaType": INDEX}).encode(),
        "digest with a path": json.dumps(
            {**data, "layers": [{**layer, "digest": "sha256:../../../etc/passwd"}]}
        ).encode(),
        "another algorithm": json.dumps({**data, "layers": [{**layer, "digest": "sha512:" + "0" * 128}]}).encode(),
        "negative size": json.dumps({**data, "layers": [{**layer, "size": -1}]}).encode(),
        "huge size": json.dumps({**data, "layers": [{**layer, "size": 1 << 40}]}).encode(),
        "huge together": json.dumps({**data, "layers": [{**layer, "size": (8 << 30) - 1}] * 3}).encode(),
        "no layers": json.dumps({**data, "layers": []}).encode(),
        "many layers": json.dumps({**data, "layers": [layer] * 201}).encode(),
        "huge config": json.dumps({**data, "config": {**data["config"], "size": 5 << 20}}).encode(),
        "layer of another size": json.dumps(
            {**data, "layers": [{**layer, "size": layer["size"] - 1}, data["layers"][1]]}
        ).encode(),
        "index in an index": registry.index(amd64=registry.index(amd64=good)),
        "manifest of another size": registry.index(amd64=good).replace(
            f'"size": {len(good)}'.encode(), f'"size": {len(good) + 1}'.encode()
        ),
        "config for another": registry.manifest(config=registry.config(LAYERS, "arm64")),
        "config for windows": registry.manifest(config=registry.config(LAYERS, os="windows")),
        "config of other layers": registry.manifest(config=registry.config((LAYERS[1], LAYERS[0]))),
        "config of fewer layers": registry.manifest(config=registry.config(LAYERS[:1])),
        "config that is none": registry.manifest(config=b"[]"),
        "layer cut short": registry.manifest(
            {"layers": [registry.blob(LAYER, gzip.compress(one, mtime=0)[:-3]) for one in LAYERS]}
        ),
        "layer that is no gzip": registry.manifest({"layers": [registry.blob(LAYER, one) for one in LAYERS]}),
        "layer with more behind it": registry.manifest(
            {"layers": [registry.blob(LAYER, gzip.compress(one, mtime=0) + b"x") for one in LAYERS]}
        ),
    }
    if what in tops:
        content = tops[what]
        assert isinstance(content, bytes)
        registry.publish(content)
    elif what == "manifest of a gigabyte":
        server.script(registry.path("manifests", "v1"), registry.reply(bytes(5 << 20), length=1 << 30))
    elif what == "another blob":
        server.script(blob, registry.reply(b"x" * int(layer["size"])))
    elif what == "shorter blob":
        server.script(blob, registry.reply(b"x"))
    elif what == "endless blob":
        server.script(blob, registry.reply(bytes(1 << 20), length=0))
    elif what == "another manifest":
        registry.put("manifests", digest_of(good), b"{}")
    else:
        raise AssertionError(what)


LIES = {
    "no JSON": "no JSON",
    "NaN": "no JSON",
    "deep": "no JSON",
    "a list": "no JSON object",
    "both": "neither an index nor a manifest",
    "neither": "neither an index nor a manifest",
    "schema 1": "neither an index nor a manifest",
    "another type": "calls itself",
    "digest with a path": "layers.0.digest",
    "another algorithm": "layers.0.digest",
    "negative size": "layers.0.size",
    "huge size": "layers.0.size",
    "huge together": "larger than 16 GiB",
    "no layers": "layers: ",
    "many layers": "layers: ",
    "huge config": "its configuration is larger",
    "layer of another size": "size mismatch",
    "index in an index": "another index",
    "manifest of another size": "size mismatch",
    "config for another": "is for linux/arm64",
    "config for windows": "is for windows/amd64",
    "config of other layers": "inflates to another",
    "config of fewer layers": "lists 1 layers, the manifest 2",
    "config that is none": "no JSON object",
    "layer cut short": "cut short",
    "layer that is no gzip": "cannot be inflated",
    "layer with more behind it": "cut short",
    "manifest of a gigabyte": "larger than 4194304 bytes",
    "another blob": "SHA-256 mismatch",
    "shorter blob": "size mismatch",
    "endless blob": "size mismatch",
    "another manifest": "SHA-256 mismatch",
}


@pytest.mark.parametrize("lie", LIES)
def test_a_registry_that_lies_locks_nothing(
    lie: str, server: Server, registry: LocalRegistry, network: Network, tmp_path: Path
) -> None:
    broken(registry, lie)
    before = server.sent
    with pytest.raises(IntegrityError, match=LIES[lie]):
        lock(tmp_path, network, choice(server))
    assert server.sent - before < 8 << 20


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"layers": [{"mediaType": f"{OCI}.layer.v1.tar+zstd", "digest": digest_of(b""), "size": 1}]}, r"tar\+zstd"),
        (
            {"layers": [{"mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
                         "digest": digest_of(b""), "size": 1}]},
            "foreign",
        ),
        ({"config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": digest_of(b""), "size": 2}}, "empty"),
    ],
)  # fmt: skip
def test_what_no_old_docker_loads_is_refused_with_the_reason(
    change: Mapping[str, object], told: str, server: Server, registry: LocalRegistry, network: Network, tmp_path: Path
) -> None:
    registry.publish(registry.manifest(change))
    with pytest.raises(LockError, match=told):
        lock(tmp_path, network, choice(server))


def test_an_index_without_the_platform_says_what_it_has(
    server: Server, registry: LocalRegistry, network: Network, tmp_path: Path
) -> None:
    registry.publish(registry.index(arm64=registry.manifest(arch="arm64"), s390x=registry.manifest(arch="s390x")))
    with pytest.raises(LockError, match="no image for linux/amd64") as caught:
        lock(tmp_path, network, choice(server))
    assert "linux/arm64, linux/s390x" in caught.value.hint


def test_a_layer_that_inflates_without_end_is_refused(
    server: Server, registry: LocalRegistry, network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bundler.adapters.image_tar._FREE_GROWTH", 1000)
    registry.publish(registry.manifest(layers=(layer_of(("zeros", bytes(4 << 20))),)))
    with pytest.raises(IntegrityError, match="inflates to more than"):
        lock(tmp_path, network, choice(server))


def test_what_is_in_the_store_and_damaged_makes_no_tar(
    server: Server, registry: LocalRegistry, network: Network, tmp_path: Path
) -> None:
    locked = lock(tmp_path, network, choice(server))
    layer = session_in(tmp_path).store().path(locked.image[0].layers[0].sha256)
    layer.write_bytes(bytes(layer.stat().st_size))
    with pytest.raises(IntegrityError):
        tar_made(locked, tmp_path, network)
    assert not session_in(tmp_path).store().path(locked.image[0].sha256).exists()


# Tokens


def test_the_token_goes_to_the_registry_alone(
    server: Server, registry: LocalRegistry, network: Network, tmp_path: Path, authority: trustme.CA
) -> None:
    with tls_serving(authority) as storage:
        for digest, content in registry.blobs.items():
            elsewhere = storage.script(f"/{digest}", Reply(content))
            server.script(
                registry.path("blobs", digest), replace(redirect(elsewhere, 307), bearer=registry.reply(b"").bearer)
            )
        lock(tmp_path, network, choice(server))
        assert storage.requests and all("authorization" not in one.headers for one in storage.requests)
    named = [one for one in server.requests if "authorization" in one.headers]
    assert named and all(one.path.startswith("/v2/demo/app/") for one in named)
    assert sum(one.path.startswith("/token?") for one in server.requests) == 1


def test_a_redirect_to_a_file_or_to_plain_http_is_refused(
    server: Server, registry: LocalRegistry, network: Network, tmp_path: Path
) -> None:
    for elsewhere in ("file:///etc/passwd", "http://127.0.0.1:1/x"):
        for digest in registry.blobs:
            server.script(registry.path("blobs", digest), redirect(elsewhere))
        with pytest.raises(UnreachableError, match="redirects"):
            lock(tmp_path, network, choice(server))


@pytest.mark.parametrize(
    "realm",
    [
        "http://127.0.0.1:{port}/token",
        "https://169.254.169.254/latest/meta-data",
        "https://127.0.0.1:1/token",
        "https://me:pw@127.0.0.1:{port}/token",
        "https://127.0.0.1:{port}@elsewhere.test/token",
        "file:///etc/passwd",
        "//127.0.0.1:{port}/token",
        "https://[",
        "",
    ],
)
def test_tokens_are_asked_for_nowhere_else(
    realm: str, server: Server, registry: LocalRegistry, network: Network, tmp_path: Path
) -> None:
    port = server.address.rpartition(":")[2]
    challenge = f'Bearer realm="{realm.format(port=port)}",service="test"'
    server.script("/v2/", Reply(status=401, headers={"WWW-Authenticate": challenge}))
    with pytest.raises(UnreachableError) as caught:
        lock(tmp_path, network, choice(server))
    assert "pw" not in str(caught.value.message)
    assert registry.asked() == ["/v2/"]


def test_tokens_may_come_from_the_place_that_the_manifest_names(
    server: Server, network: Network, tmp_path: Path, authority: trustme.CA
) -> None:
    with tls_serving(authority) as tokens:
        made = LocalRegistry(server, challenge=give_tokens(tokens))
        server.script("/v2/", made.reply(b"{}"))
        made.publish(made.manifest())
        with pytest.raises(UnreachableError, match="another place") as caught:
            lock(tmp_path, network, choice(server))
        assert "tokens" in caught.value.hint and tokens.requests == []
        assert lock(tmp_path, network, choice(server, tokens=tokens.address)).image[0].tokens == tokens.address


@pytest.mark.parametrize(
    "challenge",
    ['Basic realm="x"', "", "Bearer", 'Bearer service="test"', 'Bearer realm="https://a/",realm="https://b/"'],
)
def test_a_login_that_is_none_by_tokens_is_told(
    challenge: str, server: Server, registry: LocalRegistry, network: Network, tmp_path: Path
) -> None:
    server.script("/v2/", Reply(status=401, headers={"WWW-Authenticate": challenge}))
    with pytest.raises(UnreachableError, match="tokens"):
        lock(tmp_path, network, choice(server))


@pytest.mark.parametrize(
    "answer",
    [b"no", b"[]", b"{}", b'{"token": 1}', b'{"token": "a b"}', b'{"token": "a\\r\\nX: y"}', bytes(70_000)],
)
def test_a_token_that_is_none_is_not_sent(
    answer: bytes, server: Server, registry: LocalRegistry, network: Network, tmp_path: Path
) -> None:
    give_tokens(server, answer=answer)
    with pytest.raises(BundleError) as caught:
        lock(tmp_path, network, choice(server))
    assert caught.value.exit_code in (3, 4)
    assert all("authorization" not in one.headers for one in server.requests)


def test_a_token_is_renewed_before_it_ends(
    server: Server, registry: LocalRegistry, network: Network, tmp_path: Path
) -> None:
    give_tokens(server, answer=json.dumps({"access_token": TOKEN, "expires_in": 5}).encode())
    lock(tmp_path, network, choice(server))
    asked = registry.asked()
    wanted = [path for path in asked if path.startswith("/v2/demo/")]
    assert sum(path.startswith("/token") for path in asked) == len(wanted) > 2


def test_a_registry_that_wants_no_token_is_sent_none(server: Server, network: Network, tmp_path: Path) -> None:
    made = LocalRegistry(server)
    server.script("/v2/", Reply(b"{}"))
    made.publish(made.manifest())
    assert lock(tmp_path, network, choice(server)).image
    assert all("authorization" not in one.headers for one in server.requests)


def test_both_forms_of_manifest_are_asked_for(
    server: Server, registry: LocalRegistry, network: Network, tmp_path: Path
) -> None:
    lock(tmp_path, network, choice(server))
    accept = server.asked(registry.path("manifests", "v1"))[0].headers["accept"]
    assert all(word in accept for word in (INDEX, MANIFEST, "manifest.list.v2+json", "manifest.v2+json"))


# Manifests and locks


@pytest.mark.parametrize(
    ("reference", "repository", "path"),
    [
        ("demo/app", None, "demo/app"),
        ("postgres", "library/postgres", "library/postgres"),
        ("ghcr.example/demo/app", None, "demo/app"),
        ("localhost:5000/app", None, "app"),
        ("localhost/app", None, "app"),
        ("app", None, "app"),
    ],
)
def test_a_reference_says_where_an_image_is_on_its_registry(reference: str, repository: str | None, path: str) -> None:
    entry = {"name": "x", "reference": reference, "tag": "1", "registry": "https://r.test", "repository": repository}
    assert section(entry).images[0].path == path


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("registry", "http://r.test"),
        ("registry", "https://r.test/path"),
        ("registry", "https://me:pw@r.test"),
        ("tokens", "http://r.test"),
        ("tokens", "https://me@r.test/"),
        ("reference", "../app"),
        ("reference", "Demo/App"),
        ("repository", "a//b"),
        ("repository", "a/../b"),
        ("tag", "a/b"),
        ("tag", "../x"),
        ("name", "../x"),
        ("digest", "sha256:x"),
        ("more", "x"),
    ],
)
def test_a_manifest_is_refused_for_what_it_may_not_say(key: str, value: str) -> None:
    entry = {"name": "x", "reference": "demo/app", "tag": "1", "registry": "https://r.test"}
    assert section(entry)
    with pytest.raises(ValidationError):
        section({**entry, key: value})


def test_problems_that_only_targets_show_are_told() -> None:
    entry = {"name": "x", "reference": "demo/app", "tag": "1", "registry": "https://r.test"}
    assert list(section(entry).problems([AMD64])) == []
    assert list(section(entry, entry).problems([AMD64])) == ["debian-12-amd64: x is there twice"]
    assert list(section({**entry, "targets": ["sparc"]}).problems([AMD64])) == ["x: 'sparc' means none of the targets"]
    schema = Schema.of(TypeAdapter(Images))
    assert all("description" in schema.at((0, key)) for key in schema.keys((0,)))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("manifest", "sha256:../x"), ("sha256", "x"), ("size", 0), ("layers", []), ("more", "x"),
        ("config", {"digest": digest_of(b""), "size": -1}), ("registry", "http://r.test"),
        ("layers", [{"digest": digest_of(b""), "size": 1, "media-type": CONFIG}]),
    ],
)  # fmt: skip
def test_a_lock_that_was_tampered_with_is_refused(key: str, value: object) -> None:
    blob = {"digest": digest_of(b""), "size": 1}
    good = {
        "name": "x", "reference": "demo/app", "tag": "1", "registry": "https://r.test", "repository": "demo/app",
        "index": digest_of(b""), "manifest": digest_of(b""), "size": 1, "sha256": "0" * 64, "config": blob,
        "layers": [{**blob, "media-type": LAYER}],
    }  # fmt: skip
    adapter = TypeAdapter(LockedImages)
    adapter.validate_python({"image": [good]})
    for bad in ([{**good, key: value}], [good, good]):
        with pytest.raises(ValidationError):
            adapter.validate_python({"image": bad})
