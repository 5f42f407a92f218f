"""A component's service as a LaunchAgent: what a manifest says, and what of it `agent.py` fills in on the host."""

from __future__ import annotations

import json
import plistlib
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bundler.kinds.wheelhouse.members import agent
from bundler.kinds.wheelhouse.members.agents import AGENT, RUNNER, render, script_variables
from tests.kinds.wheelhouse.members.test_units import PLAN

PROGRAM = Path(agent.__file__)
WORDS = ["--port", "@port@", "--config=@etc@/a.yaml", '50% of "$HOME"']
SHOW = "import json, os, sys; print(json.dumps([sys.argv[1:], dict(os.environ), os.getcwd()]))"
LINES = {
    "A=b c": "b c",
    "A='b c'  ": "b c",
    'A="x&y"': "x&y",
    "A=postgresql://u:p@h/d?a=b&c=d": "postgresql://u:p@h/d?a=b&c=d",
    "#A=b": None,
    "A=": "",
}


def run(*words: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-B", str(PROGRAM), *map(str, words)]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=20)


def test_a_component_without_a_service_has_none_of_it() -> None:
    assert set(render("demo", "demod", None)) == {RUNNER}
    assert set(script_variables(None).values()) == {""}


def test_the_agent_says_what_the_manifest_does() -> None:
    files = render("demo", "demod", PLAN)
    told = plistlib.loads(files[AGENT])
    assert told["Label"] == "aiws-bundle.demo"
    assert told["ProgramArguments"][6:] == ["@here@/venv/bin/demod", *WORDS]
    assert told["ExitTimeOut"] == 60 and told["KeepAlive"] is True
    left = {"@here@", "@port@", "@etc@", "@state@", "@logs@", "@prefix@", "@identity@"}
    assert set(re.findall(r"@[a-z]+@", files[AGENT].decode())) == left
    assert files["metadata/etc/a.yaml"] == b"greeting: hello\n"
    assert b"demo-" not in files[AGENT] and b"TOKEN=demo-@random@\n" in files["metadata/etc/secrets.env"]


def test_a_path_with_a_quote_is_one_word_of_the_script() -> None:
    said = script_variables(replace(PLAN, ready="/it's"))["service_ready"]
    done = subprocess.run(["sh", "-c", f"printf %s '{said}'"], capture_output=True, text=True, check=True)
    assert done.stdout == "/it's"


@pytest.mark.parametrize("line", LINES)
def test_the_program_gets_the_secret_variables(tmp_path: Path, line: str) -> None:
    (tmp_path / "secrets").write_text(f"# mine\n{line}\n")
    done = run("run", tmp_path / "secrets", sys.executable, "-c", SHOW, "a b", KEPT="1")
    words, env, _ = json.loads(done.stdout)
    assert words == ["a b"] and env["KEPT"] == "1" and env.get("A") == LINES[line]


def test_without_secrets_it_runs_and_with_odd_ones_it_says_so(tmp_path: Path) -> None:
    assert run("run", tmp_path / "none", sys.executable, "-c", "").returncode == 0
    (tmp_path / "secrets").write_text("A='b\n")
    done = run("run", tmp_path / "secrets", sys.executable, "-c", "")
    assert done.returncode == 1 and done.stderr == "agent.py: No closing quotation\n"


def test_a_property_list_is_filled_in_and_started_as_launchd_would(tmp_path: Path) -> None:
    program = tmp_path / "venv" / "bin" / "demod"
    program.parent.mkdir(parents=True)
    (program.parent / "python").symlink_to(sys.executable)
    program.write_text(f"#!{sys.executable}\n{SHOW}\n")
    program.chmod(0o755)
    (tmp_path / "agent.py").write_bytes(PROGRAM.read_bytes())
    (tmp_path / "template").write_bytes(render("demo", "demod", PLAN)[AGENT])
    (tmp_path / "env").write_text('PATH="/a b:/c"\nMODE=<&>\n')
    words = [f"{name}={tmp_path}" for name in ("here", "prefix", "etc", "state", "logs")]
    target = tmp_path / "made.plist"
    assert run("write", tmp_path / "template", target, tmp_path / "env", *words, "identity=0f", "port=99").stderr == ""
    assert b"@" not in target.read_bytes()
    done = run("start", target, "MODE=trial", HOME="/home")
    told, env, folder = json.loads(done.stdout)
    assert told == ["--port", "99", f"--config={tmp_path}/a.yaml", '50% of "$HOME"']
    assert env.items() >= {"PATH": "/a b:/c", "MODE": "trial", "BUNDLE_INSTALLATION": f"{tmp_path} (0f)"}.items()
    assert folder == str(tmp_path)
