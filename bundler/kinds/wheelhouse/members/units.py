"""metadata/systemd and metadata/etc: a component's service as units of systemd, and its first configuration.

What only the host knows stands in them as a small word between @, which install.sh fills in.
"""

from __future__ import annotations

from collections.abc import Mapping

from bundler.kinds.wheelhouse.members.templates import filled, template
from bundler.kinds.wheelhouse.program import PORT
from bundler.kinds.wheelhouse.service_plan import CONFIG, RANDOM, SECRETS, ServicePlan

UNITS, ETC = "metadata/systemd", "metadata/etc"
SCRIPT = "systemd/service.sh.part"
WORDS: Mapping[str, str] = {"sudo": "sudo ", "prefix": "/opt/{component}", "sums": "sha256sum --quiet"}
NOTES = ""
_NAMES = ("main.service", "front.service", "front.socket", "health.service", "health.timer")
README = """\

## As a service

    sudo sh {top}/install.sh --systemd

makes a user `{component}`, `/etc/{component}` with a first configuration, and `{component}.service`, which is asked at
http://127.0.0.1:{port}. An upgrade is the same command of the newer archive: the new version is started for a trial
first, requests wait while the service restarts, and if that is not ready the version before runs again.

    sudo sh {top}/install.sh --status
    sudo sh {top}/install.sh --uninstall
"""
# What systemd allows beside waiting for an answer.
_SPARE_SECONDS = 15


def render(component: str, program: str, plan: ServicePlan | None) -> Mapping[str, bytes]:
    """Return the files by path; none without a service."""
    if plan is None:
        return {}
    words = {**_words(component, plan), "@PROGRAM@": program}
    units = {f"{UNITS}/{name}": filled(template("systemd", name), words) for name in _NAMES}
    return {**{path: text.encode() for path, text in units.items()}, **first_configuration(plan)}


def first_configuration(plan: ServicePlan) -> Mapping[str, bytes]:
    """The files of the service's configuration as they are at first, by path."""
    files = {**plan.files, SECRETS: _secrets(plan)}
    return {f"{ETC}/{name}": text.encode() for name, text in files.items()}


def script_variables(plan: ServicePlan | None) -> Mapping[str, str]:
    """What install.sh knows of the service; empty without one."""
    port = str(plan.internal_port) if plan else ""
    return {"service_port": port, "service_trial": " ".join(f"{n}={v}" for n, v in plan.trial.items()) if plan else ""}


def _words(component: str, plan: ServicePlan) -> Mapping[str, str]:
    here = "http://127.0.0.1:@port@"
    arguments = (word.replace(PORT, "@port@").replace(CONFIG, f"/etc/{component}") for word in plan.start)
    return {
        "@COMPONENT@": component,
        "@DESCRIPTION@": plan.description,
        "@AFTER@": "".join(f" {unit}" for unit in plan.after),
        "@ARGUMENTS@": " ".join(map(quoted, arguments)),
        "@READY@": quoted(here + plan.ready),
        "@ALIVE@": quoted(here + plan.alive),
        "@PUBLIC_PORT@": str(plan.port),
        "@START_SECONDS@": str(plan.start_seconds),
        "@START_LIMIT@": str(plan.start_seconds + _SPARE_SECONDS),
        "@STOP_SECONDS@": str(plan.stop_seconds),
    }


def _secrets(plan: ServicePlan) -> str:
    lines = ["# Variables that nobody but root and the service reads. Restart the service after a change.\n"]
    for name, value in plan.secrets.items():
        lines.append(f"{name}={value.replace(RANDOM, '@random@')}\n" if value else f"#{name}=\n")
    return "".join(lines)


def quoted(word: str) -> str:
    """A word of ExecStart= (systemd.service(5), "Command lines")."""
    plain = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{plain}"'
