"""A service that install.sh makes, in a booted machine: upgraded, refused, switched back, ended, removed, under load.

/archives holds the unpacked archives of a server that says its version; /out/report.json tells what came of each step.
"""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from bundler.adapters.loopback import up_loopback
from tests.acceptance.operating.load import Load

_UNIT = "litellm.service"
_UNITS = [_UNIT, *(f"litellm-{name}" for name in ("front.socket", "front.service", "health.service", "health.timer"))]


class Steps:
    """Takes steps and keeps what came of them."""

    def __init__(self) -> None:
        self.report: dict[str, object] = {}

    def take(self, name: str, work: Callable[[], object], *, load: bool = False) -> None:
        """Do one thing, under load if asked; what it returned, what answers then, and the load's figures."""
        came: list[object] = []
        began = time.monotonic()

        def worked() -> None:
            came.append(work())

        figures: dict[str, object] = {}
        if load:
            figures = Load(4000, "/", pause=0.02).during(worked)
        else:
            worked()
        told = {"came": came[0], "seconds": round(time.monotonic() - began, 1), "load": figures, "answers": answer("/")}
        self.report[name] = told
        print(f"== {name}: {json.dumps(told)[:1500]}", flush=True)


def answer(path: str) -> str:
    """What the service says, or that nobody listens where it is asked."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:4000{path}", timeout=20) as response:
            return str(response.read().decode()).strip()
    except OSError as error:
        return str(error)


def said(*argv: str) -> tuple[int, str]:
    """A program's exit code, and all it said."""
    done = subprocess.run(argv, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return done.returncode, (done.stdout + done.stderr).strip()


def install(version: str, *words: str) -> Callable[[], object]:
    return lambda: said("sh", f"/archives/{version}/install.sh", *words)


def kill() -> object:
    return said("systemctl", "kill", "--signal=KILL", _UNIT)


def hang() -> object:
    """Have it answer no more, and look after it as the timer does."""
    unit = Path("/etc/systemd/system/litellm-health.service")
    unit.write_text(unit.read_text().replace('/" 10', '/" 1'))  # seconds: it is a test
    said("systemctl", "daemon-reload")
    before = said("systemctl", "show", "--property=MainPID", _UNIT)
    said("systemctl", "kill", "--signal=STOP", _UNIT)
    looked = said("systemctl", "start", "litellm-health.service")
    for _ in range(100):
        if said("systemctl", "show", "--property=MainPID", _UNIT) != before and answer("/").startswith("litellm"):
            break
        time.sleep(0.1)
    return [looked[0], before != said("systemctl", "show", "--property=MainPID", _UNIT)]


def damage() -> object:
    for program in Path("/opt/litellm/bin").resolve().glob("litellm"):
        program.write_text(program.read_text() + "\n")
    return said("sh", "/archives/1.0/install.sh", "--status")


def foreign() -> object:
    """Another's unit in the place of one of ours."""
    place = Path("/etc/systemd/system/litellm-health.timer")
    place.write_text("[Timer]\nOnCalendar=daily\n")
    came = install("1.0", "--systemd")()
    return [came, place.read_text()]


def half() -> object:
    """What a run that was killed leaves that had made its first unit, and the next run."""
    said("systemctl", "disable", "--now", "litellm-front.socket", _UNIT, "litellm-health.timer")
    for unit in _UNITS[1:]:
        (Path("/etc/systemd/system") / unit).unlink()
    return install("1.0", "--systemd")()


def drop_in() -> object:
    """The operator's own change, which a trial has too."""
    folder = Path("/etc/systemd/system/litellm.service.d")
    folder.mkdir()
    (folder / "mine.conf").write_text("[Service]\nEnvironment=GREETING=hello\n")
    said("systemctl", "daemon-reload")
    return said("systemctl", "restart", _UNIT)


def look() -> dict[str, object]:
    paths = [str(path) for unit in _UNITS for path in Path("/etc/systemd/system").rglob(unit)]
    there = [*paths, *(str(p) for p in map(Path, ("/etc/litellm", "/var/lib/litellm", "/opt/litellm")) if p.exists())]
    return {
        "there": sorted(there),
        "user": said("getent", "passwd", "litellm")[1],
        "trial": said("find", "/run/systemd/system", "-name", "litellm*")[1],
    }


def main() -> None:
    """Take every step."""
    up_loopback()
    steps = Steps()
    take = steps.take
    take("foreign", foreign)
    Path("/etc/systemd/system/litellm-health.timer").unlink()
    take("install", install("1.0", "--systemd"))
    take("again", install("1.0", "--systemd"))
    take("status", install("1.0", "--status"))
    take("verify", lambda: said("systemd-analyze", "verify", *(f"/etc/systemd/system/{unit}" for unit in _UNITS)))
    take("security", lambda: said("systemd-analyze", "security", "--no-pager", _UNIT)[1].splitlines()[-1])
    take("files", lambda: said("stat", "-c", "%n %U:%G %a", "/etc/litellm", *map(str, Path("/etc/litellm").iterdir())))
    take("secrets", lambda: Path("/etc/litellm/secrets.env").read_text())
    take("drop-in", drop_in, load=True)
    take("upgrade", install("2.0"), load=True)
    take("status after", install("2.0", "--status"))
    take("no start", install("no-start"), load=True)
    take("no service", install("no-service"), load=True)
    take("look", look)
    take("rollback", install("2.0", "--rollback"), load=True)
    take("kill", kill, load=True)
    take("hang", hang)
    take("damage", damage)
    take("uninstall", install("1.0", "--uninstall"))
    take("after uninstall", look)
    take("install again", install("1.0", "--systemd"))
    take("half", half)
    take("purge", install("1.0", "--uninstall", "--purge"))
    take("after purge", look)
    steps.report["journal"] = said(
        "journalctl", "--no-pager", "-o", "short-monotonic", *(f"--unit={unit}" for unit in _UNITS)
    )[1]
    Path("/out/report.json").write_text(json.dumps(steps.report, indent=1))


if __name__ == "__main__":
    main()
