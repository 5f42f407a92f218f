"""Whether this machine lets anybody make a sandbox."""

from __future__ import annotations

import shutil
import subprocess

import pytest


def _can() -> bool:
    if shutil.which("unshare") is None:
        return False
    private = ("--net", "--mount", "--pid", "--fork", "--mount-proc", "true")
    tries = (["unshare", *user, *private] for user in (("--user", "--map-root-user"), ()))
    return any(subprocess.run(argv, capture_output=True, check=False).returncode == 0 for argv in tries)


needs_sandbox = pytest.mark.skipif(not _can(), reason="no private namespaces can be made here")
