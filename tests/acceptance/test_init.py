"""Three applications of three shapes are begun, locked, built and rehearsed as `init` says, in one folder."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.roots import debian_machine, debian_root
from tests.acceptance.test_rehearse import aiws

pytestmark = pytest.mark.slow

# A plain command, a library with a script, a server: none of them is in this project's manifests.
SHAPES = (
    ("12", ("httpie", "--program", "http"), "program: runs"),
    ("12", ("pygments",), "program: runs"),
    (
        "13",
        ("datasette", "--serve", "serve --memory -h 127.0.0.1 -p {port}", "--ready", "/-/versions.json"),
        "program: ready, and answers",
    ),
)


def test_three_applications_come_up_on_hosts_without_network(tmp_path: Path) -> None:
    for version, words, tried in SHAPES:
        target = f"debian-{version}-amd64"
        begun = json.loads(aiws("--json", "init", *words, "--targets", target, cwd=tmp_path))
        lock, build, _, rehearse = (shlex.split(line) for line in begun["commands"])
        for line in (lock, build):
            aiws(*line[1:], cwd=tmp_path)
        root = debian_root("12", "amd64") if version == "12" else debian_machine("13")
        report: dict[str, Any] = json.loads(aiws("--json", *rehearse[1:3], "--root", str(root), cwd=tmp_path))
        steps = [step["name"] for step in report["steps"]]
        assert report["ok"] and not [step for step in report["steps"] if step["attempts"]], report
        assert tried in steps and steps[-1] == "install.sh: uninstall leaves nothing"
        print(words[0], report["versions"], f"{sum(step['seconds'] for step in report['steps']):.0f} s")
