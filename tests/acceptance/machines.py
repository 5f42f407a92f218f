"""Debian machines booted from a root by systemd-nspawn.

No network reaches them and they may not set the host's clock; what they write is in memory and gone with them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from filelock import FileLock

_CHECKOUT = Path(__file__).parent.parent.parent
_CONFINED = [
    "--volatile=overlay",
    "--private-network",
    "--drop-capability=CAP_SYS_TIME",
    "--register=no",
    "--keep-unit",
]
# The machine ends with this process, however that ends: systemd-nspawn alone would leave it running.
_MORTAL = ["setpriv", "--pdeathsig", "KILL", "unshare", "--pid", "--fork", "--kill-child=KILL", "--mount-proc"]
# Seconds from the start until the scenario begins; more is a host on which machines do not boot.
_BOOT = 90
# It is what the machine boots for: when it ends, the machine does.
_UNIT = """[Unit]
Requires=multi-user.target
After=multi-user.target
SuccessAction=poweroff-force
FailureAction=poweroff-force

[Service]
Type=oneshot
Environment=HOME=/root LANG=C.UTF-8 PYTHONPATH=/checkout PYTHONDONTWRITEBYTECODE=1
ExecStartPre=/bin/touch /out/started
ExecStart=/usr/bin/python3 -m {module}
StandardOutput=file:/out/output
StandardError=inherit
"""


def run_booted(root: Path, module: str, out: Path, shown: Mapping[str, Path], limit: float = 420) -> str:
    """Boot the root, run a module of this checkout with the machine's own Python as root, and power off.

    `out`, a new folder, is /out in it; `shown` is what else it sees, read-only, by the path there. Return what the
    module printed. The test is skipped visibly where machines do not boot, and fails after `limit` seconds.
    """
    program = shutil.which("systemd-nspawn")
    if program is None:
        pytest.skip("systemd-nspawn is not installed (systemd-container)")
    if os.geteuid():
        pytest.skip("to boot a machine takes root")
    out.mkdir()
    unit = out / "scenario.service"
    unit.write_text(_UNIT.format(module=module))
    binds = {"/checkout": _CHECKOUT, f"/etc/systemd/system/{unit.name}": unit, **shown}
    # A host that systemd runs gives it a scope of its own; elsewhere there is nobody to ask.
    confined = _CONFINED if Path("/run/systemd/system").is_dir() else [*_CONFINED, "--keep-unit"]
    argv = [
        *_MORTAL, program, "-q", "-D", str(root), *confined, f"--bind={out}:/out",
        *(f"--bind-ro={source}:{path}" for path, source in binds.items()),
        "--console=read-only", "--boot", "--", f"--unit={unit.name}",
    ]  # fmt: skip
    with FileLock(f"{root}.lock"), (out / "console").open("w") as console:  # a root boots once at a time
        machine = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=console, stderr=console)
        try:
            _wait(machine, out, limit)
        finally:
            machine.kill()
            machine.wait()
    return (out / "output").read_text()


def _wait(machine: subprocess.Popen[bytes], out: Path, limit: float) -> None:
    start = time.monotonic()
    while machine.poll() is None:
        seconds = time.monotonic() - start
        if seconds > limit:
            pytest.fail(f"the machine did not end in {limit} s:\n{(out / 'output').read_text()[-2000:]}")
        if seconds > _BOOT and not (out / "started").exists():
            break
        time.sleep(0.1)
    if not (out / "started").exists():
        last = (out / "console").read_text(errors="replace").strip().splitlines()[-1:]
        pytest.skip(f"no machine boots here: {last}")
