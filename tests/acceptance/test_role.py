"""The consumers' own way on a booted Debian: an installer, an Ansible role, sudo and a service, all without a network.

The installer and the role in `role/` do what the consumers' do, with the same modules in the same order; Ansible, sudo,
systemd and PostgreSQL are the distribution's own. Here LiteLLM is installed on Debian 13; on Debian 12 the same role
does so in `test_package`, out of an all-in-one package.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance import test_database
from tests.acceptance.machines import run_booted
from tests.acceptance.plays import Play
from tests.acceptance.roots import debian_machine
from tests.acceptance.test_database import aiws, checkout
from tests.server import Server

pytestmark = pytest.mark.slow

VERSIONS = ("12", "13")
# The consumers' unit has none of runtime.env: LiteLLM asks for prices, and takes those that it carries.
PRICES = "raw.githubusercontent.com"


@dataclass(frozen=True)
class Bundles:
    """A folder with the archives, whether their wheels bring database support, and whether its engines are real."""

    folder: Path
    database: bool
    real: bool


@dataclass(frozen=True)
class Outcome:
    """What a machine told of itself, and the runs of the role in it."""

    report: dict[str, Any]
    plays: dict[str, Play]


@pytest.fixture(scope="module")
def machines() -> dict[str, Path]:
    with ThreadPoolExecutor() as pool:
        return dict(zip(VERSIONS, pool.map(debian_machine, VERSIONS), strict=True))


server = test_database.server


@pytest.fixture(scope="module")
def bundles(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Bundles:
    """What the committed locks make; where these have no engines, stand-ins are locked."""
    folder = checkout(tmp_path_factory.mktemp("checkout"))
    targets = [f"debian-{version}-amd64" for version in VERSIONS]
    locks = [folder / "manifests" / "locks" / f"pylock.litellm-{target}.toml" for target in targets]
    real = all("query-engine" in lock.read_text() for lock in locks)
    if not real:
        aiws("lock", *targets, cwd=folder, mirror=server.address)
    aiws("build", *targets, cwd=folder, mirror=server.address)
    shown = json.loads(aiws("--json", "inspect", f"dist/{name(VERSIONS[0])}", cwd=folder, mirror=server.address).stdout)
    return Bundles(folder / "dist", "+aiws." in json.dumps(shown), real)


def name(version: str) -> str:
    return f"litellm-runtime-debian-{version}-amd64.tar.gz"


def outcome(
    version: str, root: Path, bundles: Bundles, out: Path, *plays: str, service: bool, **environment: str
) -> Outcome:
    """Boot the machine, and run the installer in it once for each name."""
    variables = {"litellm_database": bundles.database, "litellm_database_used": bundles.real}
    asked = {"plays": plays, "service": service, "variables": variables, "environment": environment}
    out.with_suffix(".json").write_text(json.dumps(asked))
    shown = {f"/dist/{name(version)}": bundles.folder / name(version), "/asked": out.with_suffix(".json")}
    printed = run_booted(root, "tests.acceptance.role.scenario", out, shown)
    assert (out / "report.json").exists(), printed[-4000:]
    report = json.loads((out / "report.json").read_text())
    found = Outcome(report, {play: Play.read(out / f"{play}.log") for play in plays})
    for play, told in found.plays.items():
        print(f"debian {version}, {play}: {told.figures()}")
    return found


@pytest.fixture(scope="module")
def installed(bundles: Bundles, machines: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    out = tmp_path_factory.mktemp("installed") / "out"
    return outcome("13", machines["13"], bundles, out, "first", "second", service=True)


def test_the_role_installs_and_changes_nothing_the_second_time(installed: Outcome) -> None:
    first, second = installed.plays["first"], installed.plays["second"]
    assert first.counts["failed"] == second.counts["failed"] == 0
    assert {"Install prerequisites", "Install LiteLLM", "Write the marker", "Restart litellm"} <= set(
        first.that("changed")
    )
    assert second.that("changed") == ["Upgrade pip"], "the consumers' role has no creates for it: it changes always"
    assert "Install LiteLLM" in second.that("skipping"), "the marker holds the exact requirement"


def test_the_service_answers_when_the_package_is_gone(installed: Outcome) -> None:
    assert installed.report["service"] == "active"
    alive, ready = (installed.report["answers"][path] for path in ("liveliness", "readiness"))
    assert alive == [200, '"I\'m alive!"']
    assert ready[0] == 200
    assert json.loads(ready[1])["status"] in ("healthy", "connected")


def test_nothing_asks_the_network_but_the_service_for_prices(installed: Outcome) -> None:
    told = [installed.report, *(installed.report[name] for name in installed.plays)]
    attempts = [(attempt["what"], attempt["program"]) for one in told for attempt in one["attempts"]]
    assert {what for what, _ in attempts} <= {PRICES}, attempts
    assert all("/bin/litellm " in program for _, program in attempts), attempts


@pytest.mark.parametrize("version", VERSIONS)
def test_without_the_variable_for_sudo_pip_never_sees_the_wheels(
    version: str, bundles: Bundles, machines: dict[str, Path], tmp_path: Path
) -> None:
    without = {"WITHOUT": "ANSIBLE_BECOME_FLAGS"}
    refused = outcome(version, machines[version], bundles, tmp_path / "out", "refused", service=False, **without)
    play = refused.plays["refused"]
    assert play.counts["failed"] == 1
    assert play.that("fatal") == ["Install LiteLLM"]
    assert refused.report["pip"] == "", "a host without pip has no /etc/pip.conf to help"
    attempts = refused.report["refused"]["attempts"]
    assert attempts, "pip was left to ask an index"
    assert all(" -m pip install " in attempt["program"] for attempt in attempts), attempts


def test_the_machine_may_not_set_the_clock(installed: Outcome) -> None:
    assert installed.report["clock"] != 0


def test_the_database_s_client_is_generated_from_the_wheels_alone(bundles: Bundles, installed: Outcome) -> None:
    if not bundles.database:
        pytest.skip("no wheel of these archives brings database support")
    for play in installed.plays.values():
        assert "Generate the database client" in play.that("ok")


def test_the_proxy_serves_from_its_database(bundles: Bundles, installed: Outcome) -> None:
    if not bundles.real:
        pytest.skip(
            "the locks have no engines of Prisma: everything up to them was run, migrations and queries were not"
        )
    assert json.loads(installed.report["answers"]["readiness"][1])["db"] == "connected"
    status, key = installed.report["key"]
    assert status == 200, key
    assert json.loads(key)["key"].startswith("sk-")
