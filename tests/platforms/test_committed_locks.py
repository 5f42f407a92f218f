"""The locks of the repository, whose bytes hold what the table says of each target's platform."""

from __future__ import annotations

from pathlib import Path

import pytest

from bundler import cli
from bundler.kinds.manifests import Manifests
from bundler.kinds.wheelhouse.component import WheelhouseComponent
from bundler.kinds.wheelhouse.lock import Lock
from bundler.kinds.wheelhouse.request import Request
from tests.model.samples import MANIFESTS, ROOT

FOLDERS = (MANIFESTS, MANIFESTS / "newer", MANIFESTS / "portable")


def requests(folder: Path) -> list[Request]:
    texts = {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.yaml"))}
    manifests = Manifests.parse(texts)
    found = [one for one in manifests.components.values() if isinstance(one, WheelhouseComponent)]
    return [request for one in found for request in one.requests(manifests.hosts)]


def lock_text(folder: Path, request: Request) -> str:
    """The one lock that was made for `request`, whatever its file is called."""
    texts = [path.read_text(encoding="utf-8") for path in (folder / "locks").glob("pylock.*.toml")]
    (text,) = (text for text in texts if f'\nmanifest-sha256 = "{request.digest()}"\n' in text)
    return text


@pytest.mark.parametrize(
    ("folder", "request_"),
    [(folder, request) for folder in FOLDERS for request in requests(folder)],
    ids=lambda value: value.name if isinstance(value, Path) else value.target.name,
)
def test_a_committed_lock_is_written_as_it_was_and_serves_its_target(folder: Path, request_: Request) -> None:
    text = lock_text(folder, request_)
    lock = Lock.parse(text, "lock")
    assert lock.render() == text
    assert lock.staleness(request_) is None


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
@pytest.mark.parametrize("words", [("check",), ("lock", "--check")], ids=" ".join)
@pytest.mark.slow
def test_the_repository_is_sound(
    folder: Path, words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    argv = ["--manifests", str(folder), "--cache-dir", str(tmp_path / "cache"), "--quiet", *words]
    assert cli.run(argv) == 0
