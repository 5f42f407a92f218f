from __future__ import annotations

import hashlib
import tracemalloc
from dataclasses import replace
from typing import TypeAlias

import pytest

from bundler.adapters.workspace import Workspace
from bundler.errors import LockError
from bundler.kinds.manifests import load_manifests
from bundler.kinds.wheelhouse.lock import Lock, MalformedLockError, facts_for
from bundler.kinds.wheelhouse.order import WheelhouseOrder
from bundler.kinds.wheelhouse.recipe import Recipe
from bundler.model.interpreter import Interpreter
from bundler.model.portable_python import PortablePython, PythonPin
from tests.model.samples import REQUEST, WHEEL
from tests.world import World

AMD64, ARM64 = (PythonPin(f"https://example.org/{digit}", digit * 64) for digit in "ab")
Pins: TypeAlias = dict[str, PythonPin]
PYTHON = PortablePython("3.13.9", "1", {"amd64": AMD64, "arm64": ARM64}, ("*.a", "/share/"))
LOCK = Lock(facts_for(REQUEST, "uv 0.9", "2026-11-24T00:00:00Z", {}), (WHEEL,))
RECIPE = Recipe(
    request=REQUEST,
    asset="litellm-runtime-debian-12-amd64.tar.gz",
    lock_name="pylock.litellm-debian-12-amd64.toml",
    lock_text=LOCK.render(),
    python=PYTHON,
    installer=lambda: b"#!/bin/sh\n",
    epoch=1_700_000_000,
)
PORTABLE = replace(RECIPE, request=replace(REQUEST, portable=True))


def test_the_lock_is_parsed_and_known_by_its_digest() -> None:
    assert RECIPE.lock() == LOCK
    assert RECIPE.lock_sha256 == hashlib.sha256(RECIPE.lock_text.encode()).hexdigest()


def test_a_stale_lock_is_told_with_the_way_out() -> None:
    with pytest.raises(LockError) as caught:
        replace(RECIPE, request=replace(REQUEST, requirement="litellm==9")).lock()
    assert caught.value.message.startswith("pylock.litellm-debian-12-amd64.toml is stale: the manifests changed: ")
    assert caught.value.hint == "run `aiws-bundle lock debian-12-amd64`"


def test_a_malformed_lock_is_told() -> None:
    with pytest.raises(MalformedLockError):
        replace(RECIPE, lock_text="x").lock()


def test_the_portable_python_is_pinned_for_the_targets_architecture_where_it_is_carried() -> None:
    arm = replace(REQUEST.target, arch="arm64")
    assert RECIPE.python_pin is None
    assert PORTABLE.python_pin == AMD64
    assert replace(PORTABLE, request=replace(PORTABLE.request, target=arm)).python_pin == ARM64


def test_an_archive_that_carries_no_portable_python_is_the_same_where_none_is_pinned() -> None:
    without = replace(RECIPE, python=None)
    assert (without.python_pin, without.python_part, without.inputs()) == (None, RECIPE.python_part, RECIPE.inputs())


def test_everything_that_decides_the_bytes_changes_the_inputs() -> None:
    moved: Pins = {"amd64": replace(AMD64, sha256="c" * 64), "arm64": ARM64}
    recipes = [
        RECIPE,
        replace(RECIPE, epoch=RECIPE.epoch + 1),
        replace(RECIPE, lock_text=RECIPE.lock_text + "\n"),
        replace(RECIPE, installer=lambda: b"#!/bin/sh\nset -e\n"),
        replace(RECIPE, request=replace(REQUEST, bootstrap=())),
        replace(RECIPE, request=replace(REQUEST, environment=(("A", "1"),))),
        replace(RECIPE, request=replace(REQUEST, environment=(("A", "2"),))),
        replace(RECIPE, request=replace(REQUEST, python=Interpreter("3.11.3", "linux-amd64", 36))),
        PORTABLE,
        replace(PORTABLE, python=replace(PYTHON, version="3.13.10")),
        replace(PORTABLE, python=replace(PYTHON, pins=moved)),
        replace(PORTABLE, python=replace(PYTHON, leave_out=("*.a",))),
        replace(PORTABLE, python=replace(PYTHON, leave_out=("/share/", "*.a"))),
    ]
    inputs = [recipe.inputs() for recipe in recipes]
    assert len(set(inputs)) == len(inputs)
    assert all(len(digest) == 64 for digest in inputs)


def test_what_does_not_decide_the_bytes_leaves_the_inputs() -> None:
    elsewhere: Pins = {
        "amd64": replace(AMD64, address="https://example.com/elsewhere"),
        "arm64": replace(ARM64, sha256="c" * 64),
    }
    assert replace(RECIPE, python=replace(PYTHON, version="3.13.10")).inputs() == RECIPE.inputs()
    assert replace(PORTABLE, python=replace(PYTHON, pins=elsewhere)).inputs() == PORTABLE.inputs()
    assert replace(RECIPE, lock_name="elsewhere").inputs() == RECIPE.inputs()


def test_the_inputs_are_known_without_a_lock_that_can_be_parsed() -> None:
    assert replace(RECIPE, lock_text="x").inputs() != RECIPE.inputs()


def test_a_thousand_orders_hold_no_scripts(locked: World) -> None:
    """Each is of 49 kB, and all orders are held while archives are made."""
    workspace = Workspace(locked.root / "manifests")
    manifests = load_manifests(workspace)
    [component] = manifests.chosen(())
    orders = component.orders(manifests.hosts, workspace, ["all"], 0)
    scripts = [order.recipe.installer() for order in orders if isinstance(order, WheelhouseOrder)]
    tracemalloc.start()
    try:
        again = component.orders(manifests.hosts, workspace, ["all"], 0)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(again) == len(scripts) > 3
    assert held < sum(map(len, scripts)) / 2
