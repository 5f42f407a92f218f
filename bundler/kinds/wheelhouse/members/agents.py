"""metadata/launchd and metadata/etc: a component's service as a LaunchAgent, and its first configuration.

What only the host knows stands in it as a small word between @, which `agent.py` fills in there. What the keys mean:
launchd.plist(5).
"""

from __future__ import annotations

import plistlib
from collections.abc import Mapping

from bundler.kinds.wheelhouse.members.templates import template
from bundler.kinds.wheelhouse.members.units import first_configuration
from bundler.kinds.wheelhouse.program import PORT
from bundler.kinds.wheelhouse.service_plan import CONFIG, SECRETS, ServicePlan

AGENT, RUNNER = "metadata/launchd/agent.plist", "metadata/agent.py"
SCRIPT = "launchd/service.sh.part"
WORDS: Mapping[str, str] = {"sudo": "", "prefix": "~/.local/opt/{component}", "sums": "shasum -a 256"}
NOTES = """\

## What a browser fetched

has the attribute com.apple.quarantine, and Finder gives it to what it unpacks: macOS starts no program that has it.
`install.sh` takes it from the copy that it installs, once all files there were compared with their digests.
"""
README = """\

## As an agent

    sh {top}/install.sh --launchd

makes the LaunchAgent aiws-bundle.{component} of the user who runs it, with a first configuration in
~/.config/aiws-bundle/{component}; it is asked at http://127.0.0.1:{port}. An upgrade is the same command of the newer
archive: the new version is started for a trial first, and if the agent does not become ready then, the version before
runs again.

    sh {top}/install.sh --status
    sh {top}/install.sh --uninstall
"""
_UMASK = 0o077


def render(component: str, program: str, plan: ServicePlan | None) -> Mapping[str, bytes]:
    """Return the files by path; without a service only the program that install.sh keeps."""
    runner = {RUNNER: template("agent.py").encode()}
    if plan is None:
        return runner
    arguments = (word.replace(PORT, "@port@").replace(CONFIG, "@etc@") for word in plan.start)
    python = ("@here@/venv/bin/python", "-I", "-B", "@here@/agent.py")
    agent = {
        "Label": f"aiws-bundle.{component}",
        "ProgramArguments": [*python, "run", f"@etc@/{SECRETS}", f"@here@/venv/bin/{program}", *arguments],
        "EnvironmentVariables": {"BUNDLE_INSTALLATION": "@prefix@ (@identity@)"},
        "WorkingDirectory": "@state@",
        "RunAtLoad": True,
        "KeepAlive": True,
        "ExitTimeOut": plan.stop_seconds,
        "Umask": _UMASK,
        "StandardOutPath": f"@logs@/{component}.log",
        "StandardErrorPath": f"@logs@/{component}.err.log",
    }
    return {**runner, AGENT: plistlib.dumps(agent), **first_configuration(plan)}


def script_variables(plan: ServicePlan | None) -> Mapping[str, str]:
    """What install.sh knows of the service; empty without one. The program itself listens where it is asked."""
    told = {
        "port": str(plan.port) if plan else "",
        "ready": plan.ready.replace("'", "'\\''") if plan else "",
        "alive": plan.alive.replace("'", "'\\''") if plan else "",
        "start_seconds": str(plan.start_seconds) if plan else "",
        "stop_seconds": str(plan.stop_seconds) if plan else "",
        "trial": " ".join(f"{name}={value}" for name, value in plan.trial.items()) if plan else "",
    }
    return {f"service_{name}": value for name, value in told.items()}
