"""`build`: from selectors to archives in the output folder, with the SHA256SUMS that covers them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bundler.adapters.archive import Written
from bundler.adapters.dist import Dist
from bundler.adapters.workspace import Workspace
from bundler.errors import BundleError, LockError, gravest
from bundler.kinds.manifests import Manifests, component_names, load_manifests
from bundler.kinds.wheelhouse.build_state import build_lock_fault
from bundler.kinds.wheelhouse.lock import Lock
from bundler.kinds.wheelhouse.members import installer
from bundler.kinds.wheelhouse.members.archive_manifest import inputs_of
from bundler.kinds.wheelhouse.recipe import Recipe
from bundler.kinds.wheelhouse.request import request_for
from bundler.model.outcome import Outcome
from bundler.model.target import select
from bundler.session import Settings


@dataclass(frozen=True)
class BuildReport:
    """All outcomes of one run, in the order of the targets."""

    folder: Path
    outcomes: tuple[Outcome, ...]

    @property
    def exit_code(self) -> int:
        """0, or the code of the gravest failure."""
        return gravest([outcome.error for outcome in self.outcomes if outcome.error])


def build(
    settings: Settings,
    selectors: Sequence[str],
    components: tuple[str, ...],
    out: Path,
    *,
    offline: bool = False,
    force: bool = False,
) -> BuildReport:
    """Build every selected archive that is not finished yet. A target that fails does not stop the others.

    Raises UsageError, ManifestError or LockError before anything is written.
    """
    workspace = settings.workspace()
    manifests = load_manifests(workspace)
    wheelhouses, released = component_names(manifests, components)
    recipes = _recipes(workspace, manifests, selectors, wheelhouses, settings.epoch())
    bring = _bringing(settings, workspace, manifests, selectors, released)
    dist = Dist(out, settings.cache_dir / "dist", inputs_of)
    with dist.opened(settings.progress):
        done = {} if force else {recipe.asset: o for recipe in recipes if (o := _finished(dist, recipe))}
        waiting = [recipe for recipe in recipes if recipe.asset not in done]
        if waiting:
            locks = _locks(workspace, waiting)
            with nullcontext() if offline else settings.network() as network:
                from bundler.kinds.wheelhouse.make import make_all  # large: not loaded for what is finished

                made = make_all(settings, network, dist, waiting, locks)
            done |= {recipe.asset: _outcome(recipe, made[recipe.asset]) for recipe in waiting}
        brought = bring(dist, offline, force)
    return BuildReport(out, (*(done[recipe.asset] for recipe in recipes), *brought))


def _bringing(
    settings: Settings, workspace: Workspace, manifests: Manifests, selectors: Sequence[str], names: tuple[str, ...]
) -> Callable[[Dist, bool, bool], list[Outcome]]:
    """What brings the archives that other repositories release. Raises LockError for what is not locked."""
    if not names:
        return lambda dist, offline, force: []
    from bundler.kinds.prebuilt.bring import bring_all, locked_archives  # large: loaded when asked for

    archives = locked_archives(workspace, manifests, selectors, names)
    return partial(bring_all, settings, archives)


def _recipes(
    workspace: Workspace, manifests: Manifests, selectors: Sequence[str], components: tuple[str, ...], epoch: int
) -> list[Recipe]:
    """One recipe a component and target. Raises LockError naming every target that has no lock."""
    recipes, missing = [], []
    targets = select(manifests.targets, selectors) if components else ()
    for component in components:
        for target in targets:
            text = workspace.lock_text(target)
            if text is None:
                missing.append(target.name)
                continue
            request = request_for(manifests, component, target)
            asset = manifests.wheelhouses[component].asset_name(target)
            name, script = workspace.lock_path(target).name, installer.render(request)
            recipes.append(Recipe(request, asset, name, text, manifests.python, script, epoch))
    if missing:
        raise LockError(f"not locked: {', '.join(missing)}", f"run `aiws-bundle lock {' '.join(missing)}`")
    return recipes


def _locks(workspace: Workspace, recipes: Sequence[Recipe]) -> dict[str, Lock]:
    """Parse the lock of each recipe, by asset. Raises one LockError for all that are stale or malformed."""
    locks: dict[str, Lock] = {}
    errors: list[LockError] = []
    for recipe in recipes:
        try:
            lock = recipe.lock()
            if fault := build_lock_fault(workspace, recipe.request, lock):
                raise LockError(f"{recipe.lock_name} is stale: {fault}")
            locks[recipe.asset] = lock
        except LockError as error:
            errors.append(error)
    if errors:
        names = " ".join(recipe.request.target.name for recipe in recipes if recipe.asset not in locks)
        raise LockError("\n".join(error.message for error in errors), f"run `aiws-bundle lock {names}`")
    return locks


def _finished(dist: Dist, recipe: Recipe) -> Outcome | None:
    """The outcome of an archive that is there already, made from the same inputs."""
    written = dist.current(recipe.asset, recipe.inputs())
    if written is None:
        return None
    target = recipe.request.target.name
    return Outcome(target, recipe.asset, "unchanged", written.size, written.sha256, lacking=recipe.lacking)


def _outcome(recipe: Recipe, made: Written | BundleError) -> Outcome:
    """The outcome of an archive that had to be made."""
    target = recipe.request.target.name
    if isinstance(made, BundleError):
        return Outcome(target, recipe.asset, "failed", error=made)
    return Outcome(target, recipe.asset, "built", made.size, made.sha256, lacking=recipe.lacking)
