from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace

import pytest

from bundler.kinds.wheelhouse.members.installer import render
from bundler.kinds.wheelhouse.request import Request
from bundler.model.interpreter import Interpreter
from tests.installing import MINOR
from tests.kinds.wheelhouse.members.test_units import PLAN
from tests.mac import MAC
from tests.model.samples import REQUEST, UBUNTU_26

PORTABLE = replace(REQUEST, target=UBUNTU_26, python=Interpreter("3.13.9", "linux-arm64", 43), portable=True)
SERVED = replace(MAC, service=PLAN)
both = pytest.mark.parametrize("request_", [REQUEST, PORTABLE, MAC, SERVED], ids=lambda request: request.target.name)


@both
def test_the_script_is_whole_and_a_shell_can_read_it(request_: Request) -> None:
    script = render(request_)
    assert script.startswith(b"#!/bin/sh\n")
    assert not re.search(rb"@[A-Z_]+@", script)
    assert subprocess.run(["sh", "-n"], input=script, capture_output=True, check=True).stderr == b""


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not installed")
@both
def test_the_whole_script_is_without_findings(request_: Request) -> None:
    done = subprocess.run(["shellcheck", "-"], input=render(request_), capture_output=True, check=False)
    assert done.stdout.decode() == ""


@pytest.mark.parametrize(
    ("request_", "facts"),
    [
        (REQUEST, ["litellm", "debian 12 amd64", "x86_64", "3.11", "2", "system"]),
        (MAC, ["litellm", "macos 11 arm64", "arm64", MINOR, "0", "portable"]),
        (PORTABLE, ["litellm", "ubuntu 26.04 arm64", "aarch64", "3.13", "9", "portable"]),
    ],
)
def test_the_script_is_made_for_its_host(request_: Request, facts: list[str]) -> None:
    names = ["component", "host", "machine", "python_minor", "python_patch", "python_source"]
    lines = render(request_).decode().splitlines()
    for name, fact in zip(names, facts, strict=True):
        assert f"{name}='{fact}'" in lines


def test_only_without_a_portable_python_the_host_must_have_one() -> None:
    assert b"base system with Python 3.11." in render(REQUEST)
    assert b"base system." in render(PORTABLE)


def test_each_system_has_its_own_steps_and_no_others() -> None:
    linux, mac = render(REQUEST).decode(), render(SERVED).decode()
    for word in ("sha256sum --quiet", "flock -n", "readlink -m", "stat -c", "systemctl"):
        assert word in linux and word not in mac
    for word in ("shasum -a", "perl -e", "stat -f", "launchctl", "/opt/homebrew/bin", "service_ready='/ready'"):
        assert word in mac and word not in linux


def test_archives_are_known_by_their_names() -> None:
    assert b'"$component"-*-debian-12-amd64.tar.gz)' in render(REQUEST)
    assert b'"$component"-*-darwin-arm64.tar.gz | "$component"-*-macos-11-arm64.tar.gz)' in render(MAC)
