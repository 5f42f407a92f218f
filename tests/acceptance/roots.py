"""Roots of real distributions, made without a container engine by mmdebstrap and kept between runs by suite."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from filelock import FileLock

_CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "aiws-bundle-tests" / "roots"
_PACKAGES = "?essential", "python3,python3-venv,python3-pip,ca-certificates,libstdc++6"
_SUITES = {"11": "bullseye", "12": "bookworm", "13": "trixie"}


def debian_root(version: str, arch: str) -> Path:
    """Return a root of this Debian, made from the mirror that apt uses; skip the test visibly if it cannot be made."""
    suite = _SUITES[version]
    root = _CACHE / f"{suite}-{arch}"
    if (root / "etc" / "os-release").is_file():
        return root
    program = shutil.which("mmdebstrap")
    if program is None:
        pytest.skip("mmdebstrap is not installed")
    root.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{root}.lock"):  # workers of one run want the same one
        if not (root / "etc" / "os-release").is_file():
            _make(program, root, suite, arch)
    return root


def _make(program: str, root: Path, suite: str, arch: str) -> None:
    making = root.with_name(f"{root.name}.making")
    shutil.rmtree(making, ignore_errors=True)
    argv = [program, "--quiet", f"--arch={arch}", "--variant=extract", *(f"--include={words}" for words in _PACKAGES)]
    if suite == "bullseye":
        argv += ["--aptopt=Acquire::Check-Valid-Until false"]
    else:
        argv += ["--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr"]
    done = subprocess.run([*argv, suite, str(making)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no root of {suite} {arch}: {done.stderr.strip().splitlines()[-1]}")
    _complete(making)
    making.rename(root)


def _complete(root: Path) -> None:
    """Do what the packages' own scripts would have done and Python needs: a bundle of certificates."""
    bundle = root / "etc" / "ssl" / "certs" / "ca-certificates.crt"
    certificates = sorted((root / "usr" / "share" / "ca-certificates" / "mozilla").glob("*.crt"))
    bundle.parent.mkdir(parents=True, exist_ok=True)
    bundle.write_text("".join(path.read_text() for path in certificates))
