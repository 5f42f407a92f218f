"""A component's service as units and a first configuration: what a manifest says, and only that."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from bundler.kinds.wheelhouse.members.units import quoted, render, script_variables
from bundler.kinds.wheelhouse.service_plan import ServicePlan

PLAN = ServicePlan(
    description="a demo",
    start=("--port", "{port}", "--config={config}/a.yaml", '50% of "$HOME"'),
    ready="/ready",
    alive="/alive",
    port=8000,
    internal_port=8001,
    files={"a.yaml": "greeting: hello\n"},
    secrets={"TOKEN": "demo-{random}", "OTHER": ""},
    trial={"MIGRATE": "no", "MODE": "trial"},
    after=("postgresql.service",),
    start_seconds=20,
)
HOST_WORDS = {"@prefix@", "@identity@", "@here@", "@port@", "@proxyd@", "@systemctl@", "@random@"}


def test_a_component_without_a_service_has_none_of_it() -> None:
    assert render("demo", "demo", None) == {}
    assert script_variables(None) == {"service_port": "", "service_trial": ""}


def test_the_units_say_what_the_manifest_does() -> None:
    files = {path: content.decode() for path, content in render("demo", "demod", PLAN).items()}
    main = files["metadata/systemd/main.service"]
    assert (
        'ExecStart=@here@/venv/bin/demod "--port" "@port@" "--config=/etc/demo/a.yaml" "50%% of \\"$$HOME\\""\n' in main
    )
    assert "After=network-online.target postgresql.service\n" in main
    assert 'probe.py ready "http://127.0.0.1:@port@/ready" 20\n' in main
    assert "TimeoutStartSec=35\n" in main and "User=demo\n" in main
    assert "ListenStream=127.0.0.1:8000\n" in files["metadata/systemd/front.socket"]
    assert '"http://127.0.0.1:@port@/alive"' in files["metadata/systemd/health.service"]
    assert script_variables(PLAN) == {"service_port": "8001", "service_trial": "MIGRATE=no MODE=trial"}


def test_what_is_left_to_fill_in_only_the_host_knows() -> None:
    text = b"".join(render("demo", "demod", PLAN).values()).decode()
    left = set(re.findall(r"@[A-Za-z_]+@", text))
    assert left == HOST_WORDS


def test_the_first_configuration_holds_no_secret_of_its_own() -> None:
    files = render("demo", "demod", PLAN)
    assert files["metadata/etc/a.yaml"] == b"greeting: hello\n"
    assert files["metadata/etc/secrets.env"].decode().splitlines()[1:] == ["TOKEN=demo-@random@", "#OTHER="]


def test_each_unit_says_whose_it_is_in_its_first_line() -> None:
    for path, content in render("demo", "demod", PLAN).items():
        if path.startswith("metadata/systemd/"):
            assert b"for @prefix@ (@identity@), which" in content.splitlines()[0]


@pytest.mark.parametrize(("word", "text"), [("a b", '"a b"'), ("%h$A", '"%%h$$A"'), ('"\\', '"\\"\\\\"')])
def test_words_of_a_command_are_quoted_for_systemd(word: str, text: str) -> None:
    assert quoted(word) == text


def test_words_go_into_manifest_json_and_come_back() -> None:
    assert PLAN.words()["internal-port"] == 8001
    assert replace(PLAN, after=()).words()["after"] == []
