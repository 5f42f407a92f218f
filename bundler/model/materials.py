"""What an archive was made of, and where: what its provenance tells beside its digest."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from bundler.model.locked_wheel import LockedWheel
from bundler.model.package_url import wheel_url
from bundler.model.pin import InArchive, OnRegistry, Pin
from bundler.words import COMMIT_PATTERN, REPOSITORY_PATTERN

# A manifest or lock of the folder, the lock inside, a portable CPython, a wheel, another archive of ours, a
# repository's commit, any other file that a lock pins.
MaterialKind: TypeAlias = Literal["manifest", "lock", "python", "wheel", "archive", "repository", "file"]

_WORD = r"[A-Za-z0-9_.-]+"
_SERVER = re.compile(r"https://[A-Za-z0-9.-]+(:[0-9]{1,5})?")
_WORKFLOW = re.compile(rf"{REPOSITORY_PATTERN}/\.github/workflows/{_WORD}@refs/[A-Za-z0-9_./+-]+")
_RUN = re.compile(r"[0-9]{1,20}")


@dataclass(frozen=True, order=True)
class Material:
    """One thing that an archive was made of: a file's SHA-256, or a repository's commit (hex).

    `uri` tells where it is or what it is called: an address, a package URL (ECMA-427); "" where the name says it all.
    """

    kind: MaterialKind
    name: str
    digest: str
    uri: str = ""


@dataclass(frozen=True)
class Materials:
    """What an archive tells of how it was made: what the command was told, what decided its bytes, what went in.

    `command` makes it, of `component` for `target`, every file having the time `epoch` (s since 1970). `inputs` is the
    digest of all that decided its bytes. `portable` is what python.yaml calls the CPython that it carries, "" if none.
    """

    command: str
    component: str
    target: str
    epoch: int
    inputs: str
    portable: str
    items: tuple[Material, ...]


@dataclass(frozen=True)
class Sources:
    """What manifests and locks at hand say of an archive that they make: its `inputs`, and what says so.

    `items` are those files, and the portable CPythons by what python.yaml calls them.
    """

    inputs: str
    items: tuple[Material, ...]
    pythons: Mapping[str, Material]


@dataclass(frozen=True)
class Builder:
    """Where an archive is made: `id` names what is trusted to make it, `run` is the address of this very run, if any.

    `source` is the commit that was checked out for it. `version` is the tool's, `commit` the tool's, where known.
    """

    id: str = "urn:aiws-bundle"
    version: str = ""
    commit: str = ""
    run: str = ""
    source: Material | None = None


NO_BUILDER = Builder()


def builder_of(env: Mapping[str, str], version: str, commit: str = "") -> Builder:
    """The builder that an environment tells of: a workflow of GitHub Actions, else this tool on some machine.

    An attempt's number is left out: whoever runs a failed job again makes the same statement.
    https://docs.github.com/en/actions/reference/workflows-and-actions/variables
    """
    server, workflow, repository, run, ref, sha = (
        env.get(f"GITHUB_{name}", "") for name in ("SERVER_URL", "WORKFLOW_REF", "REPOSITORY", "RUN_ID", "REF", "SHA")
    )
    told = (
        env.get("GITHUB_ACTIONS") == "true"
        and _SERVER.fullmatch(server)
        and _WORKFLOW.fullmatch(workflow)
        and re.fullmatch(REPOSITORY_PATTERN, repository)
        and _RUN.fullmatch(run)
        and re.fullmatch(COMMIT_PATTERN, sha)
        and re.fullmatch(r"refs/[A-Za-z0-9_./+-]+", ref)
    )
    if not told:
        return Builder(version=version, commit=commit)
    source = Material("repository", repository, sha, f"git+{server}/{repository}@{ref}")
    return Builder(f"{server}/{workflow}", version, commit, f"{server}/{repository}/actions/runs/{run}", source)


def materials_of(pins: Iterable[Pin]) -> Iterator[Material]:
    """Each pinned file. No index is named: wheels have their package URL, what a registry has its path there."""
    for pin in pins:
        match pin.origin:
            case str(address):
                yield Material("file", pin.name, pin.sha256, address)
            case LockedWheel():
                yield of_wheel(pin.origin)
            case OnRegistry(path):
                yield Material("file", path, pin.sha256)
            case InArchive(archive, path):
                yield Material("file", f"{archive}/{path}", pin.sha256)


def of_wheel(wheel: LockedWheel) -> Material:
    """A wheel, by its package URL."""
    return Material("wheel", wheel.filename, wheel.sha256, wheel_url(wheel.project, wheel.version))
