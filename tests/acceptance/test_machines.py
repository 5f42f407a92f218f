"""Booted machines: nothing of one is left, however who booted it ends."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.acceptance.roots import debian_machine

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent.parent
BOOT = """import sys
from pathlib import Path
from tests.acceptance.machines import run_booted
run_booted(Path(sys.argv[1]), "http.server", Path(sys.argv[2]), {})
"""


def test_a_machine_ends_with_the_process_that_booted_it(tmp_path: Path) -> None:
    out = tmp_path / "out"
    booting = subprocess.Popen([sys.executable, "-c", BOOT, str(debian_machine("12")), str(out)], cwd=ROOT)
    try:
        until(lambda: (out / "started").exists() or booting.poll() is not None, 420)
        if booting.poll() is not None:
            pytest.skip("no machine boots here")
        assert len(inside(out)) > 3
    finally:
        booting.kill()
        booting.wait()
    until(lambda: not inside(out), 10)
    assert inside(out) == []


def until(true: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.1)


def inside(out: Path) -> list[str]:
    """The processes that see the folder as a mount of their own."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"{out} /out " in (process / "mountinfo").read_text():
                found.append(process.name)
    return found
