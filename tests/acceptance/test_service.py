"""install.sh --systemd on a booted Debian, with a small server: nothing is lost but what is in flight."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bundler.kinds.wheelhouse.members import units
from bundler.kinds.wheelhouse.members.templates import filled
from bundler.kinds.wheelhouse.service_plan import ServicePlan
from tests.acceptance.machines import run_booted
from tests.acceptance.roots import debian_machine, fresh_machine
from tests.installing import archive

pytestmark = pytest.mark.slow

# What is done under load, which comes from as many threads.
LOADED = ("drop-in", "upgrade", "no start", "no service", "rollback", "kill")
THREADS = 4

PLAN = ServicePlan(
    description="a server that says its version",
    start=("--port", "{port}", "{config}/greeting.conf"),
    ready="/ready",
    alive="/",
    port=4000,
    internal_port=4001,
    files={"greeting.conf": "hello\n"},
    secrets={"TOKEN": "sk-{random}", "DATABASE_URL": ""},
    trial={"TRIAL": "yes"},
    start_seconds=30,
)
# It says its version, as `--version` or over HTTP; what fails is told by the version.
SERVER = """
import http.server, os, sys, time
VERSION = "{version}"
if sys.argv[1:] == ["--version"]:
    sys.exit(print("litellm", VERSION))
port, config = int(sys.argv[2]), open(sys.argv[3]).read()
assert os.environ["TOKEN"].startswith("sk-"), "no secret"
open(os.environ["HOME"] + "/mine", "w").close()
if VERSION == "no-start" or (VERSION == "no-service" and "TRIAL" not in os.environ):
    sys.exit("it does not start")
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        time.sleep(0.02)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"litellm {{VERSION}} {{os.environ.get('GREETING', '')}}".encode())
    def log_message(self, *words):
        pass
class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 100
time.sleep(1)
Server(("127.0.0.1", port), Handler).serve_forever()
"""


def archives(folder: Path, minor: str) -> Path:
    """Unpacked archives of two versions that work, one that never starts, and one that starts on trial only."""
    for version in ("1.0", "2.0", "no-start", "no-service"):
        code = SERVER.format(version=version)
        program = f"""exec "$(dirname "$(readlink -f "$0")")/python" -I -B - "$@" <<'CODE'\n{code}CODE"""
        archive(folder / version, version, program, service=PLAN, minor=minor)
    return folder


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What came of every step of the scenario, which boots once."""
    folder = tmp_path_factory.mktemp("service")
    shown = {"/archives": archives(folder / "archives", "3.11")}
    printed = run_booted(debian_machine("12"), "tests.acceptance.operating.service", folder / "out", shown)
    assert (folder / "out" / "report.json").exists(), printed[-4000:]
    found: dict[str, Any] = json.loads((folder / "out" / "report.json").read_text())
    for name in LOADED:
        figures = found[name]["load"]
        print(f"{name}: {figures['sent']} sent, {len(figures['lost'])} lost, longest {figures['longest']} s")
    return found


def came(report: dict[str, Any], name: str) -> tuple[int, str]:
    code, said = report[name]["came"]
    return int(code), str(said)


def test_it_makes_a_service_with_a_user_and_a_configuration(report: dict[str, Any]) -> None:
    code, said = came(report, "install")
    assert code == 0, said
    assert "made: the user litellm" in said and said.endswith("running: litellm.service")
    assert report["install"]["answers"] == "litellm 1.0"
    assert "nothing to do" in came(report, "again")[1]
    assert came(report, "status")[0] == came(report, "status after")[0] == 0
    assert "before    litellm 1.0" in came(report, "status after")[1]
    files = came(report, "files")[1]
    assert "/etc/litellm root:litellm 750" in files and "/etc/litellm/secrets.env root:litellm 640" in files
    assert re.search(r"^TOKEN=sk-[0-9a-f]{32}\n#DATABASE_URL=$", report["secrets"]["came"], re.M)


def test_systemd_finds_nothing_wrong_with_the_units(report: dict[str, Any]) -> None:
    assert came(report, "verify") == (0, "")
    score = re.search(r"litellm.service: ([0-9.]+) OK", report["security"]["came"])
    assert score and float(score[1]) <= 1.5, report["security"]


@pytest.mark.parametrize("name", LOADED)
def test_requests_are_answered_throughout_but_those_in_flight_at_the_restart(report: dict[str, Any], name: str) -> None:
    load = report[name]["load"]
    lost = load["lost"]
    assert load["answered"] + len(lost) == load["sent"] > 20
    assert len(lost) <= (0 if name == "no start" else THREADS), lost
    ends = [ended for _, _, ended in lost]
    assert not ends or max(ends) - min(ends) < 1, "all at one moment"


def test_an_upgrade_restarts_the_service_as_the_new_version(report: dict[str, Any]) -> None:
    assert came(report, "upgrade")[0] == 0
    assert report["upgrade"]["answers"] == "litellm 2.0 hello", "with the operator's drop-in"


def test_what_does_not_start_on_trial_touches_nothing(report: dict[str, Any]) -> None:
    code, said = came(report, "no start")
    assert code == 1
    assert "it does not start\n" in said and "the one that runs was not touched" in said
    assert "restarting" not in said
    assert report["no start"]["answers"] == "litellm 2.0 hello"


def test_what_does_not_become_ready_is_switched_back(report: dict[str, Any]) -> None:
    code, said = came(report, "no service")
    assert code == 1
    assert "the version before runs again" in said
    assert report["no service"]["answers"] == "litellm 2.0 hello"
    assert report["look"]["came"]["trial"] == "", "nothing of a trial is left"


def test_a_rollback_restarts_the_service(report: dict[str, Any]) -> None:
    assert came(report, "rollback")[0] == 0
    assert report["rollback"]["answers"] == "litellm 1.0 hello"


def test_what_is_ended_or_hangs_is_started_again(report: dict[str, Any]) -> None:
    assert report["kill"]["answers"] == report["hang"]["answers"] == "litellm 1.0 hello"
    assert report["hang"]["came"][1] is True, "by another process"


def test_a_file_that_changed_is_told(report: dict[str, Any]) -> None:
    code, said = came(report, "damage")
    assert code == 1
    assert "bin/litellm: is not as it was installed" in said


def test_another_s_unit_is_left_and_refused(report: dict[str, Any]) -> None:
    (code, said), text = report["foreign"]["came"]
    assert code == 1
    assert "litellm-health.timer is there and not of this installation" in said
    assert text == "[Timer]\nOnCalendar=daily\n"


def test_what_a_killed_run_began_is_gone_on_with(report: dict[str, Any]) -> None:
    code, said = came(report, "half")
    assert code == 0 and "running: litellm.service" in said
    assert report["half"]["answers"] == "litellm 1.0 hello"


def test_it_is_removed_and_what_is_the_operator_s_only_when_asked(report: dict[str, Any]) -> None:
    code, said = came(report, "uninstall")
    assert code == 0
    assert said.count("removed: /etc/systemd/system/litellm") == 5
    after = report["after uninstall"]["came"]
    assert after["there"] == ["/etc/litellm", "/var/lib/litellm"]
    assert after["user"].startswith("litellm:")
    assert "removed: the user litellm" in came(report, "purge")[1]
    assert report["after purge"]["came"] == {"there": [], "user": "", "trial": ""}


PREFIX = "/opt/litellm"


@pytest.mark.parametrize("version", ["11", "13"])
def test_older_and_newer_systemd_takes_the_units(version: str, tmp_path: Path) -> None:
    if os.geteuid() or not shutil.which("systemd-nspawn"):
        pytest.skip("takes root and systemd-nspawn")
    words = {"prefix": PREFIX, "identity": "0" * 16, "here": PREFIX, "port": "4001", "systemctl": "/bin/systemctl"}
    words["proxyd"] = "/lib/systemd/systemd-socket-proxyd"
    for path, content in units.render("litellm", "litellm", PLAN).items():
        if path.startswith(units.UNITS):
            kind = path.rpartition("/")[2]
            name = "litellm.service" if kind == "main.service" else f"litellm-{kind}"
            text = filled(content.decode(), {f"@{word}@": value for word, value in words.items()})
            (tmp_path / name).write_text(text)
    script = (
        f"mkdir -p {PREFIX}/venv/bin && cp /bin/true {PREFIX}/venv/bin/litellm && cp /bin/true {PREFIX}/venv/bin/python"
        f" && touch {PREFIX}/README.md && cp /units/* /etc/systemd/system/ && cd /etc/systemd/system"
        " && systemd-analyze verify litellm*"
    )
    argv = ["systemd-nspawn", "-q", "-D", str(fresh_machine(version)), "--volatile=overlay", "--private-network"]
    argv += ["--register=no", "--keep-unit", "--drop-capability=CAP_SYS_TIME", f"--bind-ro={tmp_path}:/units"]
    done = subprocess.run(
        [*argv, "--pipe", "--", "/bin/sh", "-ec", script], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "litellm" not in done.stdout + done.stderr, "no unit is complained of"
