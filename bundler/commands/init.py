"""`init`: write the manifests of one more component, for a person to go on with; all of them or none, over nothing."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bundler.adapters.new_files import put_new
from bundler.adapters.regular import read_regular
from bundler.adapters.workspace import TARGETS, TRUST, Workspace
from bundler.errors import UsageError
from bundler.kinds import BEGINNERS
from bundler.kinds.beginning import Begun, Wish
from bundler.kinds.manifests import SHARED, Manifests
from bundler.model.document import parse_yaml
from bundler.model.known_hosts import USUAL, known_targets, suite_of
from bundler.model.target import Target, select
from bundler.model.targets_file import parse_targets
from bundler.model.targets_text import extended_text, new_text
from bundler.platforms import image, spellings
from bundler.session import Session

_FOLDER, _IGNORED = "manifests", ".gitignore"
_LARGEST_IGNORED = 1 << 20
_TRUST_TEXT = """\
# Whose signatures count: none yet. `aiws-bundle keygen NAME` makes a key, and says what to write here.
keys: []
# A file of the index that is younger is not locked: what is trojaned is mostly noticed within days.
cooldown:
  days: 7
"""
_IGNORED_TEXT = """\
# What aiws-bundle makes, and roots to rehearse in.
/dist/
/root-*/
"""
# What a root needs that an archive is rehearsed in.
_PACKAGES = "python3,python3-venv,ca-certificates,libstdc++6"


@dataclass(frozen=True)
class InitReport:
    """What was written, and how to go on: `made` are new files, `changed` those that have more in them now.

    `found` tells of the component, `notes` what is to be known; `commands` can be pasted, one after the other.
    """

    folder: Path
    component: str
    made: tuple[Path, ...]
    changed: tuple[Path, ...]
    found: Mapping[str, str]
    notes: tuple[str, ...]
    commands: tuple[str, ...]


def folder_for(chosen: Path | None) -> Path:
    """The folder that is meant: the chosen one, else the nearest that other commands would find, else a new one."""
    if chosen:
        return chosen
    try:
        return Workspace.find(None, Path.cwd()).folder
    except UsageError:
        return Path.cwd() / _FOLDER


def init(session: Session, folder: Path, wish: Wish, selectors: Sequence[str]) -> InitReport:
    """Begin a component for the targets that the selectors mean; without any, for those that the folder has.

    Raises UsageError, ManifestError, UnreachableError, IntegrityError; then nothing was written.
    """
    workspace = Workspace(folder)
    texts = dict(workspace.manifest_texts()) if folder.is_dir() else {}
    before = Manifests.parse(texts) if TARGETS in texts else None
    chosen, text = _targets(texts.get(TARGETS), before.targets if before else (), selectors)
    hosts = parse_targets(parse_yaml(text, TARGETS)).targets()
    known = before or Manifests.nothing()
    begun = _begun(session, wish, chosen, replace(known, hosts=replace(known.hosts, targets=hosts)))
    new = {TARGETS: text, **({} if TRUST in texts else {TRUST: _TRUST_TEXT}), **begun.files}
    after = Manifests.parse({**texts, **new})
    fresh = {folder / name: content for name, content in new.items() if name != TARGETS or before is None}
    ignored = folder.parent / _IGNORED
    if not os.path.lexists(ignored):
        fresh = {ignored: _IGNORED_TEXT, **fresh}
    grown = before is not None and text != texts[TARGETS]
    _write(workspace, fresh, texts[TARGETS] if grown else "", text)
    return InitReport(
        folder,
        begun.name,
        tuple(fresh),
        (folder / TARGETS,) if grown else (),
        begun.found,
        (*begun.notes, *_wider(before, after), *_unignored(ignored, fresh)),
        tuple(_commands(folder, begun.name, after)),
    )


def _targets(text: str | None, listed: Sequence[Target], selectors: Sequence[str]) -> tuple[tuple[Target, ...], str]:
    """What a component is to be for, and the text of targets.yaml that has all of it."""
    names = {target.name for target in listed}
    pool = (*listed, *(target for target in known_targets() if target.name not in names))
    if text is None:
        chosen = select(pool, selectors or USUAL)
        return chosen, new_text(chosen)
    chosen = select(pool, selectors) if selectors else tuple(listed)
    return chosen, extended_text(text, listed, chosen)


def _begun(session: Session, wish: Wish, targets: Sequence[Target], others: Manifests) -> Begun:
    for kind in BEGINNERS:
        if begun := kind.begin(wish, targets, others.hosts, others.trust, others.components, session):
            if f"{begun.name}.yaml" in (*SHARED, TRUST):
                message = f"{begun.name!r} cannot be a component's name: {begun.name}.yaml is another manifest"
                raise UsageError(message, "give another with --name")
            return begun
    raise UsageError(
        f"{wish.what!r} is nothing that can be begun", "give an application of the index: NAME or NAME==VERSION"
    )


def _write(workspace: Workspace, fresh: Mapping[Path, str], old: str, grown: str) -> None:
    """Write all of it or nothing; a targets.yaml that grows had the text `old`."""
    if old:
        workspace.write_own(TARGETS, grown)
    try:
        put_new(fresh)
    except BaseException:
        if old:
            workspace.write_own(TARGETS, old)
        raise


def _wider(before: Manifests | None, after: Manifests) -> list[str]:
    """Which components have more hosts than before, since they are for all that there are."""
    own = before.components.items() if before else ()
    return [
        f"{name}.yaml has no `targets:`, so it is for the new hosts too: lock it for them, or say which it is for"
        for name, one in own
        if before and len(one.assets(after.hosts, ["all"])) > len(one.assets(before.hosts, ["all"]))
    ]


def _unignored(path: Path, fresh: Mapping[Path, str]) -> list[str]:
    if path in fresh:
        return []
    lines = read_regular(path, _LARGEST_IGNORED).decode("utf-8", "replace").split()
    missing = [name for name in ("dist", "root-*") if not {name, f"/{name}", f"{name}/", f"/{name}/"} & set(lines)]
    return [f"{path} does not have {' and '.join(missing)}: add them, or git sees archives"] if missing else []


def _commands(folder: Path, name: str, manifests: Manifests) -> list[str]:
    """What comes next: lock, build, a root, rehearse; for a host whose programs run here, if there is one."""
    assets = manifests.components[name].assets(manifests.hosts, ["all"])
    machine = os.uname().machine
    own = [pair for pair in assets if pair[1].split()[0].endswith(f"-{spellings().get(machine, machine)}")]
    asset, words = (own or list(assets))[0]
    target = next(one for one in manifests.targets if one.name == words.split()[0])
    which = "".join(f" {word}" for word in words.split()[1:])
    given = "" if _is_found(folder) else f" --manifests {shlex.quote(str(folder))}"
    root = f"root-{target.distro}-{target.version}"
    suite = suite_of(target.distro, target.version)
    return [
        f"aiws-bundle{given} lock{which}",
        f"aiws-bundle{given} build {words}",
        *([f"mmdebstrap --variant=apt --include={_PACKAGES} {suite} {root}"] if suite else []),
        *([f"aiws-bundle{given} rehearse dist/{asset} --root {root}"] if image(target.distro, target.version) else []),
    ]


def _is_found(folder: Path) -> bool:
    """Whether other commands find the folder from here."""
    try:
        return Workspace.find(None, Path.cwd()).folder.samefile(folder)
    except UsageError:
        return False
