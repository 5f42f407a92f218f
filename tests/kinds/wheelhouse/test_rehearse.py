"""A rehearsal whose programs say anything and leave anything: it goes on, or a step fails in words."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import cast

import pytest

from bundler.adapters.sandbox import Attempt, Finished, Sandbox, Size
from bundler.kinds.kind import Component
from bundler.kinds.manifests import Manifests
from bundler.kinds.steps import Rehearsal
from bundler.kinds.wheelhouse.program import Description, RehearsalPlan
from bundler.kinds.wheelhouse.rehearsal import Rehearsing, describe
from tests.kinds.wheelhouse.members.test_archive_manifest import FACTS
from tests.world import PYTHON, TARGETS

NOTHING = Size(0, 0, hashlib.sha256().hexdigest())
PLAN = RehearsalPlan(start=("--port", "{port}"), ready=("/health",))
FOLDER_LEFT = Size(0, 0, hashlib.sha256(b"./folder").hexdigest())


class Saying:
    """A sandbox in which every program ends well and says `text`, and every folder is `size`."""

    def __init__(self, text: str, size: Size) -> None:
        self._text, self._size = text, size
        self.started: list[Mapping[str, str]] = []

    def run(self, *_: object) -> Finished:
        return Finished(0, self._text, 0.1)

    def look(self, _: str) -> Size:
        return self._size

    def attempts(self) -> tuple[Attempt, ...]:
        return ()

    def ask(self, *_: object) -> tuple[int, str]:
        return 200, "rehearsed"

    def start(self, _: object, env: Mapping[str, str], *__: object) -> int:
        self.started.append(env)
        return 1

    def extract(self, _: str) -> None: ...

    def write(self, *_: str) -> None: ...

    def stop(self, _: int) -> int:
        return 137


def rehearsed(text: str, size: Size = NOTHING, description: Description | None = None) -> Rehearsal:
    sandbox = cast(Sandbox, Saying(text, size))
    description = description or Description("litellm", PLAN, "litellm.yaml")
    return Rehearsing(sandbox, FACTS, "litellm-runtime", description).rehearse(lambda step: None)


def test_what_goes_well_is_good() -> None:
    done = rehearsed("pip 26.0 from here")
    assert done.good
    assert done.measures.versions["pip"] == "26.0"
    assert (done.manifest, done.notes) == ("litellm.yaml", ())


def test_the_program_runs_with_what_the_archive_exports() -> None:
    saying = Saying("LITELLM_LOCAL=True\npip 26.0", NOTHING)
    description = Description("litellm", PLAN, "litellm.yaml")
    assert Rehearsing(cast(Sandbox, saying), FACTS, "litellm-runtime", description).rehearse(lambda step: None).good
    (env,) = saying.started
    assert env["LITELLM_LOCAL"] == "True" and env["PIP_NO_INDEX"] == "true"


def test_without_a_plan_the_program_is_only_asked_for_its_version() -> None:
    with_plan = rehearsed("pip 26.0")
    without = rehearsed("pip 26.0", description=Description("litellm", note="nobody says how"))
    names = [[step.name for step in one.steps] for one in (with_plan, without)]
    assert [name for name in names[0] if name not in names[1]] == ["program: ready, and answers"]
    assert "consumers: the program answers" in names[1]
    assert without.good
    assert without.notes == ("nobody says how",)


WHEELHOUSE = """\
kind: wheelhouse
component: {component}
repository: example/demo
asset: {component}-runtime-{{distro}}-{{version}}-{{arch}}.tar.gz
requirement: demo==1.0
"""
PROGRAM = 'program: demo-server\nrehearsal: {start: ["--port={port}"], ready: [/]}\n'


def manifests(**files: str) -> tuple[Component, ...]:
    parsed = Manifests.parse(
        {"targets.yaml": TARGETS, "python.yaml": PYTHON, **{f"{n}.yaml": t for n, t in files.items()}}
    )
    return tuple(parsed.components.values())


def test_the_manifest_that_says_it_is_the_component_describes_its_program() -> None:
    demo, other = (WHEELHOUSE.format(component=name) for name in ("demo", "other"))
    found = describe(manifests(demo=other, house=demo + PROGRAM), "demo")
    assert (found.program, found.manifest, found.note) == ("demo-server", "house.yaml", "")
    assert found.plan and found.plan.ready == ("/",)
    assert describe(manifests(demo=other + PROGRAM), "demo").manifest == "demo.yaml"


def test_what_no_manifest_describes_is_called_as_its_component_and_that_is_told() -> None:
    demo = WHEELHOUSE.format(component="demo")
    only = "so demo is only asked for its version"
    assert describe(None, "demo") == Description("demo", note=f"no manifests are here (--manifests DIR), {only}")
    nobody = describe(manifests(other=WHEELHOUSE.format(component="other")), "demo")
    assert nobody == Description("demo", note=f"no manifest here describes demo, {only}")
    silent = describe(manifests(demo=demo), "demo")
    assert silent == Description("demo", None, "demo.yaml", f"demo.yaml has no `rehearsal:`, {only}")


@pytest.mark.parametrize("text", ["", " \n\n", "pip", "v " + "9" * 101])
def test_a_program_that_says_no_version_fails_its_step(text: str) -> None:
    last = rehearsed(text).steps[-1]
    assert not last.good
    assert last.detail.startswith("says no version")


def test_a_folder_that_an_uninstallation_leaves_fails_it() -> None:
    last = rehearsed("pip 26.0", FOLDER_LEFT).steps[-1]
    assert (last.name, last.good) == ("install.sh: uninstall leaves nothing", False)
