"""README.md of archives: of what manifest.json says, and nothing else."""

from __future__ import annotations

from dataclasses import replace

from bundler.kinds.wheelhouse.members.archive_manifest import PythonFacts, parse, render
from bundler.kinds.wheelhouse.members.readme import render as readme
from bundler.kinds.wheelhouse.members.texts import PROBE, PROGRAMS, README
from bundler.kinds.wheelhouse.members.texts import render as texts
from tests.kinds.wheelhouse.members.test_archive_manifest import FACTS
from tests.kinds.wheelhouse.members.test_units import PLAN


def test_it_says_what_it_is_and_how_to_install_it() -> None:
    text = readme(FACTS).decode()
    assert text.startswith("# litellm for debian 12 amd64\n")
    assert "`litellm[proxy]==1.0`" in text and "the host's Python 3.11." in text
    for command in ("sha256sum --quiet -c metadata/files.sha256", "sudo sh litellm-runtime/install.sh\n", "--rollback"):
        assert command in text
    assert "{" not in text and "--systemd" not in text


def test_a_service_and_a_portable_python_are_told() -> None:
    facts = replace(FACTS, service=PLAN, python=PythonFacts("3.13.9", "portable", "2.36", "a" * 64))
    text = readme(facts).decode()
    assert "install.sh --systemd" in text and "http://127.0.0.1:8000" in text
    assert "a Python 3.13.9 of its own" in text


def test_the_members_follow_from_manifest_json_alone() -> None:
    facts = replace(FACTS, service=PLAN)
    assert texts(parse(render(facts, ()))) == texts(facts)
    assert set(texts(FACTS)) == {README, PROBE, *(f"metadata/{name}" for name in PROGRAMS)}


def test_a_mac_is_told_of_its_own_ways() -> None:
    facts = replace(
        FACTS,
        distro="macos",
        version="11",
        arch="arm64",
        service=PLAN,
        python=PythonFacts("3.13.9", "portable", "11.0"),
    )
    text = readme(facts).decode()
    for command in (
        "shasum -a 256 -c metadata",
        "\n    sh litellm-runtime/install.sh --launchd",
        "com.apple.quarantine",
    ):
        assert command in text
    assert "tar -xzf litellm-…-darwin-arm64.tar.gz" in text
    assert "sudo" not in text and "{" not in text and "systemd" not in text
    assert {path for path in texts(facts) if "launchd" in path or "systemd" in path} == {"metadata/launchd/agent.plist"}
