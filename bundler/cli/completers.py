"""The words that fit at a TAB press, of the manifests, locks and tags at hand; read quickly, and never in full rigour.

To parse manifests as `build` does takes longer than a person waits for a word: here YAML and TOML are read within the
same limits, and what is of another shape than expected is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import TypeAlias

from bundler.adapters.workspace import PYTHON, TARGETS, TRUST, Workspace
from bundler.errors import BundleError

# Takes the folder of manifests that was chosen, and the names of all platforms.
Completer: TypeAlias = Callable[[str | None, Sequence[str]], Iterable[str]]

_MOST_TAGS = 100
_ON_GITHUB = re.compile(r"[:/]([\w.-]+/[\w.-]+?)(?:\.git)?/?$", re.ASCII)
_LOCKED_TAG = re.compile(r'^tag = "([^"\\\s]{1,200})"$', re.MULTILINE)


def _selectors(chosen: str | None, platforms: Sequence[str]) -> Iterable[str]:
    """`all`, distros with their versions and architectures, and the platforms of these architectures."""
    told = _document(_workspace(chosen), TARGETS)
    distros, arches = told.get("distros"), told.get("arches")
    if not isinstance(distros, dict) or not isinstance(arches, list):
        return ()
    names = [str(arch) for arch in arches]
    words = ["all"]
    for distro, versions in distros.items():
        words += [str(distro), *(f"{distro}-{arch}" for arch in names)]
        for version in versions if isinstance(versions, dict) else ():
            words += [f"{distro}-{version}", *(f"{distro}-{version}-{arch}" for arch in names)]
    for platform, arch in product(platforms, names):
        if platform.endswith(f"-{arch}"):
            words += [platform.removesuffix(f"-{arch}"), platform]
    return dict.fromkeys([*words, *names])


def _components(chosen: str | None, platforms: Sequence[str]) -> Iterable[str]:
    """The names of manifests of components."""
    workspace = _workspace(chosen)
    paths = sorted(workspace.folder.glob("*.yaml")) if workspace else ()
    return [path.stem for path in paths if path.name not in (TARGETS, PYTHON, TRUST)]


def _repositories(chosen: str | None, platforms: Sequence[str]) -> Iterable[str]:
    """The repositories that manifests name, and the one that they are in."""
    workspace = _workspace(chosen)
    told = (_document(workspace, f"{name}.yaml").get("repository") for name in _components(chosen, platforms))
    return dict.fromkeys([*(one for one in told if isinstance(one, str)), *_git(workspace)[:1]])


def _tags(chosen: str | None, platforms: Sequence[str]) -> Iterable[str]:
    """The tags of releases."""
    return dict.fromkeys(subject.partition("@")[2] for subject in _subjects(chosen, platforms))


def _subjects(chosen: str | None, platforms: Sequence[str]) -> Iterator[str]:
    """OWNER/REPO@TAG: what manifests and locks take from other repositories, and the tags of their own repository."""
    workspace = _workspace(chosen)
    for name in _components(chosen, platforms):
        told = _document(workspace, f"{name}.yaml")
        lock = (workspace.lock_text(f"assets.{name}.toml") if workspace else None) or ""
        repository, tag = told.get("repository"), told.get("tag")
        yield from (f"{repository}@{one}" for one in _LOCKED_TAG.findall(lock[:10_000]) if isinstance(repository, str))
        if isinstance(repository, str) and isinstance(tag, str):
            yield f"{repository}@{tag}"
    origin, *tags = _git(workspace) or ["", ""]
    yield from (f"{origin}@{tag}" for tag in tags if origin)


def _schemas(chosen: str | None, platforms: Sequence[str]) -> Iterable[str]:
    """What `schema` prints."""
    folder = Path(__file__).parent.parent / "schemas"
    found = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.schema.json"))
    return [*(name.removesuffix(".schema.json") for name in found), *_components(chosen, platforms)]


COMPLETERS: Mapping[str, Completer] = {
    "selector": _selectors,
    "component": _components,
    "repository": _repositories,
    "tag": _tags,
    "subject": _subjects,
    "schema": _schemas,
}


def _workspace(chosen: str | None) -> Workspace | None:
    return Workspace.at_hand(Path(chosen).expanduser() if chosen else None, Path.cwd())


def _document(workspace: Workspace | None, name: str) -> Mapping[str, object]:
    """A manifest's keys; none if it cannot be read."""
    from bundler.model.document import parse_yaml

    with suppress(BundleError, OSError):
        if workspace and (text := workspace.own_text(name)):
            data = parse_yaml(text, name).data
            return data if isinstance(data, dict) else {}
    return {}


def _git(workspace: Workspace | None) -> Sequence[str]:
    """OWNER/REPO that the manifests are in, and its newest tags as far as they were fetched; nothing if in none."""
    if workspace is None:
        return ()
    import os

    from bundler.adapters.git_revision import Repository
    from bundler.adapters.process import run

    with suppress(BundleError):
        repository = Repository(workspace.folder, os.environ, run)
        if found := _ON_GITHUB.search(repository.origin()):
            return (found.group(1), *repository.tags(_MOST_TAGS))
    return ()
