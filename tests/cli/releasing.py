"""A world whose archives are built, and a repository to publish them to."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bundler.release.content import content_of
from bundler.words import ARCHIVE
from tests.github import GitHub, ReleaseView, Seen, github
from tests.world import TARGETS, Ran, World

REPO = "example/litellm"


# The times (s since 1970) that builds give their files: the tool's own default, and another.
FIRST, OTHER = "315532800", "1000000000"


@dataclass
class Releasing:
    """A checkout with a filled dist/ and the server that takes it. `epoch` is the time of what dist/ holds."""

    world: World
    hub: GitHub
    epoch: str = FIRST

    @property
    def tag(self) -> str:
        return f"runtime-{self.hub.head[:12]}"

    @property
    def contents(self) -> dict[str, bytes]:
        """Name -> bytes of what a release of `dist/` holds.

        That is `dist/` itself, what publishing puts beside its archives, and SHA256SUMS with lines for this too.
        """
        held = {path.name: path.read_bytes() for path in self.world.dist.iterdir()}
        listed = {name: _sha256(content) for name, content in held.items() if name.endswith(ARCHIVE)}
        pieces = content_of(self.world.dist, listed, listed).archives
        beside = {piece.name: piece.content for piece in pieces if piece.name not in held}
        lines = held["SHA256SUMS"].decode().splitlines()
        lines += [f"{_sha256(content)}  {name}" for name, content in beside.items()]
        sums = "".join(f"{line}\n" for line in sorted(lines, key=lambda line: line[66:]))
        return {**held, **beside, "SHA256SUMS": sums.encode()}

    @property
    def files(self) -> dict[str, str]:
        """Name -> SHA-256 of what a release of `dist/` holds."""
        return {name: _sha256(content) for name, content in self.contents.items()}

    def env(self, token: str | None = None) -> dict[str, str]:
        token = self.hub.token if token is None else token
        return {"GITHUB_API_URL": self.hub.api, "GH_TOKEN": token, "SOURCE_DATE_EPOCH": self.epoch}

    def run(self, *words: str, token: str | None = None) -> Ran:
        return self.world.run(*words, **self.env(token))

    def publish(self, *words: str, token: str | None = None) -> Ran:
        """Publish `dist/` under the head's tag."""
        return self.run("publish", "dist", "--repo", REPO, "--tag", self.tag, *words, token=token)

    def published(self) -> list[ReleaseView]:
        """Every release that is no draft."""
        return [release for release in self.hub.releases() if not release.draft]

    def stored(self, tag: str) -> dict[str, str]:
        """Name -> SHA-256 of what a published release holds."""
        return {name: asset.sha256 or "" for name, asset in self.release(tag).assets.items()}

    def release(self, tag: str) -> ReleaseView:
        """The published release of a tag."""
        found = self.hub.release(tag)
        assert found is not None, f"{tag} is not published"
        return found

    def writes(self) -> list[Seen]:
        """Every request that could have changed something."""
        reads = ("GET", "HEAD")
        return [s for s in self.hub.seen if s.method not in reads and not s.path.endswith("/generate-notes")]

    def another_build(self) -> None:
        """Replace dist/ by archives of other bytes, as from another commit."""
        self.epoch = OTHER
        fill(self.world, self.epoch)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# What builds make of manifests and locks, by the time of their files: always the same, so it is made once.
_BUILT: dict[tuple[str, str], dict[str, bytes]] = {}


def fill(world: World, epoch: str = FIRST) -> None:
    """Let dist/ hold every target's archive, built elsewhere: whichever test is the first, this world knows of none."""
    shutil.rmtree(world.dist, ignore_errors=True)
    world.dist.mkdir()
    for name, content in _built(world, epoch).items():
        (world.dist / name).write_bytes(content)


def _built(world: World, epoch: str) -> dict[str, bytes]:
    manifests = world.root / "manifests"
    files = (path for path in sorted(manifests.rglob("*")) if path.is_file())
    told = "".join(f"{path.relative_to(manifests)} {_sha256(path.read_bytes())}\n" for path in files)
    if (told, epoch) not in _BUILT:
        with tempfile.TemporaryDirectory() as name:
            elsewhere = replace(world, root=Path(name))
            shutil.copytree(manifests, elsewhere.root / "manifests")
            done = elsewhere.run("build", "all", SOURCE_DATE_EPOCH=epoch)
            assert done.code == 0, done.err
            _BUILT[told, epoch] = {path.name: path.read_bytes() for path in elsewhere.dist.iterdir()}
    return _BUILT[told, epoch]


@contextmanager
def releasing(world: World, folder: Path, *, enterprise: bool = False, arches: str = "amd64") -> Iterator[Releasing]:
    """Build every target of `arches`, an archive a distribution, and serve a repository that has no release yet."""
    world.write("targets.yaml", TARGETS.replace("[amd64, arm64]", f"[{arches}]"))
    fill(world)
    with github(folder, repo=REPO, enterprise=enterprise) as hub:
        yield Releasing(world, hub)
