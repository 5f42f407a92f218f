"""docs/operate.md, run as it stands on a booted Debian 12: the real LiteLLM, from a stick, upgraded under load."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import pytest

from tests.acceptance.machines import run_booted
from tests.acceptance.operating.document import blocks
from tests.acceptance.roots import debian_machine
from tests.acceptance.test_database import checkout

pytestmark = pytest.mark.slow

TARGET = "debian-12-amd64"
ARCHIVE = f"litellm-runtime-{TARGET}.tar.gz"
THREADS = 4


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What came of each block. The second release has the same wheels, and one variable more."""
    folder = tmp_path_factory.mktemp("operate")
    manifests = checkout(folder / "checkout") / "manifests"
    engines = "query-engine" in (manifests / "locks" / f"pylock.litellm-{TARGET}.toml").read_text()
    sticks = {}
    for name in ("one", "two"):
        out = folder / name
        argv = [sys.executable, "-m", "bundler", "build", TARGET, "--out", str(out)]
        done = subprocess.run(argv, cwd=folder / "checkout", capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        sticks[name] = out
        text = (manifests / "litellm.yaml").read_text()
        assert "environment:\n" in text
        (manifests / "litellm.yaml").write_text(
            text.replace("environment:\n", "environment:\n  LITELLM_EDITION: two\n", 1)
        )
    settings = {"STICK": "/media/stick/one", "NEWER": "/media/stick/two", "ARCHIVE": ARCHIVE}
    (folder / "asked").write_text(json.dumps({"settings": settings, "database": engines}))
    shown = {"/asked": folder / "asked", **{f"/media/stick/{name}": path for name, path in sticks.items()}}
    printed = run_booted(debian_machine("12"), "tests.acceptance.operating.document", folder / "out", shown, 900)
    assert (folder / "out" / "report.json").exists(), printed[-4000:]
    found: dict[str, Any] = json.loads((folder / "out" / "report.json").read_text())
    for block in found["blocks"]:
        print(f"{block['heading']}: {block['seconds']} s")
    assert all(block["good"] for block in found["blocks"]), f"{found['blocks'][-1]}\n{found['journal'][-3000:]}"
    return {**found, "engines": engines}


def said(report: dict[str, Any], heading: str) -> str:
    return "\n".join(block["said"] for block in report["blocks"] if block["heading"] == heading)


def test_every_block_is_run(report: dict[str, Any]) -> None:
    words = [word for _, word, _ in blocks()]
    assert words.count("settings") == 1
    run = [one for one in blocks() if one[1] == "" or (one[1] == "database" and report["engines"])]
    assert [block["heading"] for block in report["blocks"]] == [heading for heading, _, _ in run]
    assert len(run) >= 14


def test_litellm_is_installed_as_a_service_and_answers(report: dict[str, Any]) -> None:
    assert f"{ARCHIVE}: OK" in said(report, "Verify")
    assert "running: litellm.service" in said(report, "Install")
    assert "health    http://127.0.0.1:4001/health/readiness answers" in said(report, "Install")
    assert "it works" in said(report, "Configure")
    score = re.search(r"litellm.service: ([0-9.]+) OK", report["security"])
    assert score and float(score[1]) <= 1.5, report["security"][-500:]


def test_it_is_upgraded_under_load_and_nothing_is_lost_but_what_is_in_flight(report: dict[str, Any]) -> None:
    load = report["load"]
    print(f"{load['sent']} sent, {len(load['lost'])} lost, longest {load['longest']} s")
    assert "restarting litellm.service; requests wait\nrunning: litellm.service" in said(report, "Upgrade")
    assert load["sent"] > 20
    assert len(load["lost"]) <= THREADS, load["lost"]
    ends = [ended for _, _, ended in load["lost"]]
    assert not ends or max(ends) - min(ends) < 1, "all at one moment"


def test_the_rest_does_what_is_said(report: dict[str, Any]) -> None:
    assert "switched back in /opt/litellm" in said(report, "Roll back")
    assert "before    LiteLLM: Current Version = 1." in said(report, "Watch")
    assert "removed: the user litellm" in said(report, "Remove")
    assert report["user"] == ""
    assert "/opt/litellm" not in report["left"] and "/etc/litellm" not in report["left"]


def test_the_database_is_used(report: dict[str, Any]) -> None:
    if not report["engines"]:
        pytest.skip("the locks have no engines of Prisma: PostgreSQL was made ready, LiteLLM was not told of it")
    assert '"db":"connected"' in said(report, "Database")
