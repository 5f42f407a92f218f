"""A program that opens a sandbox, runs probes in it, and tells as JSON what came of them.

    probing.py overlay ROOT SCRATCH SENTINEL NAME...
    probing.py sealed - SCRATCH SENTINEL NAME...

It is started as the users whose sandboxes are probed, so it needs nothing but the sandbox and Python's own library.
"""

from __future__ import annotations

import json
import os
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bundler.adapters.sandbox import Sandbox, opened, sealed

PROBE = Path(__file__).with_name("probe.py")
PATH = "/usr/local/bin:/usr/bin:/bin"


@contextmanager
def sandbox(kind: str, root: str, scratch: Path) -> Iterator[tuple[Sandbox, str]]:
    """A sandbox with the probe in it, and the folder that may be written in."""
    if kind == "overlay":
        archive = scratch / "archive.tar.gz"
        if not archive.exists():
            with tarfile.open(archive, "w:gz") as tar:
                tar.add(PROBE, "unpacked/probe.py")
        with opened(Path(root), os.uname().machine, scratch / "mountpoint", archive) as made:
            yield made, "/tmp"
    else:
        shown = {path: Path(path) for path in ("/bin", "/usr", "/lib", "/lib64") if Path(path).exists()}
        outlet = scratch / "outlet"
        outlet.unlink(missing_ok=True)
        with sealed(shown, {}, "/build", scratch / "mountpoint", outlet, lambda: False) as made:
            yield made, "/build/tmp"


def main(kind: str, root: str, scratch: str, sentinel: str, *names: str) -> None:
    """Run the probes, the dangerous ones each in a sandbox of its own."""
    told = {}
    with sandbox(kind, root, Path(scratch)) as (made, folder):
        made.write(f"{folder}/probe.py", PROBE.read_text())
        for name in names:
            env = {"PATH": PATH, "TMPDIR": f"{folder}/of-{name}"}
            made.write(f"{folder}/of-{name}/here", "")
            began = time.monotonic()
            done = made.run(["python3", "-I", f"{folder}/probe.py", name, sentinel], env, folder, 60)
            told[name] = [done.code, done.output[-400:], time.monotonic() - began]
            made.run(["rm", "-rf", f"{folder}/of-{name}"], env, folder, 60)
        made.attempts()
        assert made.read(f"{folder}/probe.py")
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
