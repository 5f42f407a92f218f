"""All manifests of a folder: the choices people edit. YAML text in, frozen values out; every problem with its line.

A JSON Schema for each file is generated from their classes (`bundler.kinds.schema`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from packaging.requirements import Requirement

from bundler.adapters.workspace import Workspace
from bundler.errors import ManifestError, Problem, UsageError
from bundler.kinds.prebuilt.manifest import ReleaseAsset
from bundler.kinds.wheelhouse import manifest as wheelhouse
from bundler.kinds.wheelhouse.manifest import Wheelhouse
from bundler.model.document import Document, parse_yaml, validate
from bundler.model.manifest_values import adapter_of
from bundler.model.portable_python import PortablePython
from bundler.model.target import Target, select
from bundler.model.targets_file import TargetsFile
from bundler.session import Settings

# Work grows with the product of targets and overrides.
_MOST_CHOICES = 120_000


@dataclass(frozen=True)
class Manifests:
    """All manifests of a folder. `wheelhouses` and `release_assets` are keyed by file stem (`litellm`, `console`)."""

    targets: tuple[Target, ...]
    wheelhouses: Mapping[str, Wheelhouse]
    release_assets: Mapping[str, ReleaseAsset]
    python: PortablePython

    @classmethod
    def parse(cls, texts: Mapping[str, str]) -> Manifests:
        """Parse the manifests from file name -> text. Raises ManifestError holding every problem of every file."""
        problems: list[Problem] = [
            Problem(name, 0, 0, "is missing") for name in ("targets.yaml", "python.yaml") if name not in texts
        ]
        parsed: dict[str, TargetsFile | PortablePython | Wheelhouse | ReleaseAsset] = {}
        documents: dict[str, Document] = {}
        for name, text in sorted(texts.items()):
            try:
                documents[name] = parse_yaml(text, name)
                parsed[name] = _parse_one(documents[name])
            except ManifestError as error:
                problems.extend(error.problems)
        targets_file, python = parsed.pop("targets.yaml", None), parsed.pop("python.yaml", None)
        targets = targets_file.targets() if isinstance(targets_file, TargetsFile) else ()
        wheelhouses = {name.removesuffix(".yaml"): m for name, m in parsed.items() if isinstance(m, Wheelhouse)}
        assets = {name.removesuffix(".yaml"): m for name, m in parsed.items() if isinstance(m, ReleaseAsset)}
        if (choices := len(targets) * sum(1 + len(one.overrides) for one in wheelhouses.values())) > _MOST_CHOICES:
            message = f"{choices} choices, of targets times overrides of all components; {_MOST_CHOICES} are the most"
            problems.append(Problem("targets.yaml", 0, 0, message))
        elif isinstance(python, PortablePython) and targets:
            for stem, one in wheelhouses.items():
                problems += _cross_check(documents[f"{stem}.yaml"], one, targets, python)
        if problems or not isinstance(python, PortablePython):
            raise ManifestError(sorted(dict.fromkeys(problems), key=lambda p: (p.file, p.line, p.column)))
        return cls(targets, wheelhouses, assets, python)


def _parse_one(document: Document) -> TargetsFile | PortablePython | Wheelhouse | ReleaseAsset:
    if document.name == "targets.yaml":
        return validate(document, adapter_of(TargetsFile))
    if document.name == "python.yaml":
        return validate(document, adapter_of(PortablePython))
    kind = document.data.get("kind") if isinstance(document.data, dict) else None
    if kind == "wheelhouse":
        return wheelhouse.parse(document)
    if kind == "release-asset":
        return validate(document, adapter_of(ReleaseAsset))
    raise ManifestError([document.problem(("kind",), "kind: is wheelhouse or release-asset")])


def _cross_check(
    document: Document, wheelhouse: Wheelhouse, targets: tuple[Target, ...], python: PortablePython
) -> list[Problem]:
    """What no single value shows: overrides that select nothing, a Python that cannot be had."""
    problems = []
    for index, override in enumerate(wheelhouse.overrides):
        try:
            chosen = select(targets, override.targets)
        except UsageError as error:
            message = f"overrides.{index}.targets: {error.message}; {error.hint}"
            problems.append(document.problem(("overrides", index, "targets"), message))
            continue
        if override.requirement and wheelhouse.source and not override.source:
            one, other = Requirement(wheelhouse.requirement), Requirement(override.requirement)
            if (one.name, one.specifier) != (other.name, other.specifier):
                message = f"overrides.{index}: the source is for {one.name}{one.specifier}; add `source: index`"
                problems.append(document.problem(("overrides", index, "requirement"), message))
        if override.python == "system":
            lacking = [target.name for target in chosen if target.system_python is None]
            if lacking:
                place = ("overrides", index, "python")
                problems.append(document.problem(place, f"{lacking[0]} has no system Python to use (targets.yaml)"))
    unpinned = sorted({target.arch for target in targets} - set(python.pins))
    for name, choice in wheelhouse.sections.items():
        problems += [document.problem((name,), f"{name}: {problem}") for problem in choice.problems(targets)]
    needs = any(t.system_python is None for t in targets) or any(o.python == "portable" for o in wheelhouse.overrides)
    if needs and unpinned:
        problems.append(Problem("python.yaml", 0, 0, f"pins: none for {unpinned[0]}, which a target needs"))
    return problems


def load_manifests(workspace: Workspace) -> Manifests:
    """Parse all manifests of a folder. Raises ManifestError with every problem."""
    return Manifests.parse(workspace.manifest_texts())


def component_names(manifests: Manifests, asked: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Part the components `asked` for (file stems) into wheelhouses and released ones. Raises UsageError for others."""
    known = sorted([*manifests.wheelhouses, *manifests.release_assets])
    for name in asked:
        if name not in known:
            raise UsageError(f"unknown component {name!r}", f"there are: {', '.join(known)}")
    names = tuple(dict.fromkeys(asked))
    return (
        tuple(name for name in names if name in manifests.wheelhouses),
        tuple(name for name in names if name in manifests.release_assets),
    )


def part_components(settings: Settings, asked: tuple[str, ...] | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """As `component_names`, of the manifests at hand; None asks for all. Raises ManifestError too."""
    manifests = load_manifests(settings.workspace())
    return component_names(manifests, (*manifests.wheelhouses, *manifests.release_assets) if asked is None else asked)
