"""`rehearsal:` of a package's manifest: what may stand there, and that no package depends on it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bundler.errors import ManifestError
from bundler.kinds.manifests import Manifests
from bundler.kinds.offline.component import OfflineComponent
from bundler.kinds.offline.manifest import Offline
from bundler.kinds.offline.plan import PackageRehearsal, Run, ServiceCheck, filled
from bundler.kinds.offline.recipe import Recipe
from bundler.model.target import Target
from tests.world import PYTHON, TARGETS, WHEELHOUSE

OFFLINE = """\
kind: offline
component: demo-offline
repository: example/demo
asset: demo-offline-{distro}-{version}-{arch}.tar.gz
parts: [{manifest: litellm}]
"""
REHEARSAL = """\
rehearsal:
  environment: {FOLDER: "${ROOT}/repos/demo"}
  files: {/root/.token: "no secret"}
  runs:
    - {name: the demo, command: [ansible-playbook, "${ROOT}/repos/demo/site.yaml"], changes: 1}
  services:
    - {unit: demo.service, port: 80, ask: [{path: /, answer: fine}]}
    - {unit: database}
"""


def parsed(rehearsal: str = REHEARSAL) -> Offline:
    texts = {"targets.yaml": TARGETS, "python.yaml": PYTHON, "litellm.yaml": WHEELHOUSE}
    found = Manifests.parse({**texts, "offline.yaml": OFFLINE + rehearsal}).components["offline"]
    assert isinstance(found, OfflineComponent)
    return found.manifest


def test_it_says_what_is_run_and_what_must_answer() -> None:
    plan = parsed().rehearsal
    assert plan is not None
    assert plan.runs == (Run("the demo", ("ansible-playbook", "${ROOT}/repos/demo/site.yaml"), 1),)
    assert [(one.unit, one.port) for one in plan.services] == [("demo.service", 80), ("database", None)]
    assert filled(plan.environment["FOLDER"], "/opt/x") == "/opt/x/repos/demo"
    assert parsed("").rehearsal is None
    assert parsed("rehearsal: {}\n").rehearsal == PackageRehearsal()


WRONG = {
    "a question without a port": ("port: 80, ", "needs a port"),
    "a unit twice": ("unit: database", "unit: demo.service", "is there twice"),
    "an option as a unit": ("unit: database", "unit: --force", "unit"),
    "no command": ('command: [ansible-playbook, "${ROOT}/repos/demo/site.yaml"]', "command: []", "command"),
    "two lines in a word": ("ansible-playbook,", '"a\\nb",', "one line of printable"),
    "a file that climbs": ("/root/.token", "/root/../etc/passwd", "climb"),
    "a file below the current folder": ("/root/.token", "token", "files"),
    "a variable in small letters": ("FOLDER", "folder", "environment"),
    "changes below none": ("changes: 1", "changes: -1", "changes"),
    "a key nobody knows": ("changes: 1", "chnges: 1", "chnges"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_makes_no_sense_is_told_with_its_line(what: str) -> None:
    before, *after, told = WRONG[what]
    assert before in REHEARSAL
    with pytest.raises(ManifestError) as caught:
        parsed(REHEARSAL.replace(before, after[0] if after else ""))
    assert "offline.yaml:" in str(caught.value) and told in str(caught.value)


def test_no_package_is_made_anew_for_it() -> None:
    target = Target("debian", "12", "amd64", 36, "3.11.2")

    def inputs(manifest: Offline) -> str:
        return Recipe("offline", manifest, target, "lock", "text", (), 0).inputs

    assert inputs(parsed()) == inputs(parsed(""))
    assert inputs(parsed()) != inputs(replace(parsed(), repository="example/other"))


def test_a_service_may_only_have_to_run() -> None:
    assert ServiceCheck("demo").ask == ()
