"""What happens in the booted machine, run with its own Python: words of /out/words decide, /out/report.json tells.

`install`: the installer twice, the package gone in between, and the service asked. `refuse`: once, without the variable
that the archive's runtime.env has for sudo.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

from bundler.adapters.loopback import Watch, route_everything_to_loopback, up_loopback

_OUT = Path("/out")
_ROLE = Path("/checkout/tests/acceptance/role")
_PACKAGE = Path("/srv/package")  # that user of the role may read it


def main() -> None:
    """Do what is asked for."""
    watch = _alone()
    asked = json.loads(Path("/asked").read_text())
    report: dict[str, Any] = {}
    for name in asked["plays"]:
        code, seconds = _installer(name, asked["variables"], asked["environment"])
        report[name] = {"code": code, "seconds": seconds, "attempts": watch.taken()}
        shutil.rmtree(_PACKAGE)  # as the next package does
    if asked["service"]:
        subprocess.run(["systemctl", "restart", "litellm-proxy"], check=True)
        report["answers"] = {path: _answer(f"/health/{path}") for path in ("liveliness", "readiness")}
        report["service"] = _told("systemctl", "is-active", "litellm-proxy")
        if asked["variables"]["litellm_database_used"]:
            report["key"] = _answer("/key/generate", "{}")
        report["attempts"] = watch.taken()
    report["pip"] = _told("find", "/etc/pip.conf")
    report["clock"] = subprocess.run(["date", "-s", "@0"], check=False, capture_output=True).returncode
    (_OUT / "journal").write_text(_told("journalctl", "--no-pager", "-u", "litellm-proxy"))
    (_OUT / "report.json").write_text(json.dumps(report))


def _alone() -> Watch:
    """See every attempt to leave the machine, and give the machine's own name an address."""
    Path("/etc/hosts").write_text(f"127.0.0.1 localhost {socket.gethostname()}\n")
    resolver = Path("/etc/resolv.conf")
    resolver.unlink(missing_ok=True)
    resolver.write_text("nameserver 127.0.0.1\n")
    up_loopback()
    for family in (socket.AF_INET, socket.AF_INET6):
        route_everything_to_loopback(family)
    watch = Watch()
    watch.start()
    return watch


def _installer(name: str, variables: dict[str, Any], environment: dict[str, str]) -> tuple[int, float]:
    (archive,) = Path("/dist").glob("*.tar.gz")
    argv = [str(_ROLE / "installer.sh"), str(archive), str(_PACKAGE), str(_ROLE / "play.yaml")]
    env = {**os.environ, **environment, "ANSIBLE_LOG_PATH": str(_OUT / f"{name}.log")}
    del env["PYTHONPATH"]
    start = time.monotonic()
    done = subprocess.run([*argv, "-e", json.dumps(variables)], env=env, check=False)
    return done.returncode, round(time.monotonic() - start, 1)


def _answer(path: str, body: str | None = None) -> tuple[int, str]:
    """What the service answers, once it does; within a minute."""
    headers = {"Authorization": "Bearer sk-1234", "Content-Type": "application/json"}
    for _ in range(600):
        connection = http.client.HTTPConnection("127.0.0.1", 4000, timeout=30)
        try:
            connection.request("POST" if body else "GET", path, body, headers)
            response = connection.getresponse()
            return response.status, response.read().decode()
        except OSError:
            time.sleep(0.1)
        finally:
            connection.close()
    return 0, "no answer"


def _told(*argv: str) -> str:
    return subprocess.run(argv, check=False, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    main()
