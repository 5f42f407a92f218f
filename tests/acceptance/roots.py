"""Roots of real distributions, made without a container engine by mmdebstrap and kept between runs by suite."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

_CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "aiws-bundle-tests" / "roots"
_PACKAGES = "?essential", "python3,python3-venv,python3-pip,ca-certificates,libstdc++6"
_SUITES = {"11": "bullseye", "12": "bookworm", "13": "trixie"}
# A host before this role: with Ansible and PostgreSQL, which others bring, but no pip; that is in a repository in it.
_MACHINE = (
    "systemd,systemd-sysv,dbus,iproute2,sudo,acl,ca-certificates,libstdc++6,python3,python3-venv",
    "ansible-core,python3-apt,postgresql",
)
# A host as its maker hands it over: it boots, has a Python, and nothing that an installation brings.
_FRESH = "systemd,systemd-sysv,dbus,iproute2,sudo,python3"
_UNUSED = ("doc", "man", "locale")
_REPOSITORY = """
chroot "$1" sh -euc '
apt-get clean
apt-get install -qq --no-install-recommends --download-only python3-pip python3-psycopg2 > /dev/null
mkdir /srv/apt
mv /var/cache/apt/archives/*.deb /srv/apt/
cd /srv/apt
for deb in *.deb; do
  dpkg-deb --field "$deb"
  printf "Filename: ./%s\nSize: %s\nSHA256: %s\n\n" "$deb" "$(stat -c %s "$deb")" "$(sha256sum < "$deb" | cut -c 1-64)"
done > Packages'
"""


def debian_root(version: str, arch: str) -> Path:
    """Return a root of this Debian, made from the mirror that apt uses; skip the test visibly if it cannot be made."""
    suite = _SUITES[version]
    return _kept(_CACHE / f"{suite}-{arch}", lambda root: _unpacked(root, suite, arch))


def debian_machine(version: str) -> Path:
    """Return a root of this Debian that boots, for this host's own architecture; skip visibly if it cannot be made."""
    suite = _SUITES[version]
    return _kept(_CACHE / f"{suite}-machine", lambda root: _installed(root, suite))


def fresh_machine(version: str) -> Path:
    """Return a root of this Debian that boots and has nothing beside, no Ansible, git or pip; skip visibly if none."""
    suite = _SUITES[version]
    return _kept(_CACHE / f"{suite}-fresh", lambda root: _bare(root, suite))


def _kept(root: Path, make: Callable[[Path], None]) -> Path:
    if (root / "etc" / "os-release").is_file():
        return root
    root.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{root}.lock"):  # workers of one run want the same one
        if not (root / "etc" / "os-release").is_file():
            making = root.with_name(f"{root.name}.making")
            shutil.rmtree(making, ignore_errors=True)
            make(making)
            making.rename(root)
    return root


def _unpacked(root: Path, suite: str, arch: str) -> None:
    words = [f"--arch={arch}", "--variant=extract", *(f"--include={words}" for words in _PACKAGES)]
    if suite == "bullseye":
        words += ["--aptopt=Acquire::Check-Valid-Until false"]
    else:
        words += ["--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr"]
    _mmdebstrap(*words, suite, str(root))
    _complete(root)


def _installed(root: Path, suite: str) -> None:
    words = ["--variant=apt", *(f"--include={words}" for words in _MACHINE), f"--customize-hook={_REPOSITORY}"]
    words += ["--dpkgopt=force-unsafe-io", *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in _UNUSED)]
    _mmdebstrap(*words, suite, str(root))


def _bare(root: Path, suite: str) -> None:
    words = ["--variant=minbase", f"--include={_FRESH}", '--customize-hook=chroot "$1" apt-get clean']
    words += ["--dpkgopt=force-unsafe-io", *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in _UNUSED)]
    _mmdebstrap(*words, suite, str(root))


def _mmdebstrap(*words: str) -> None:
    program = shutil.which("mmdebstrap")
    if program is None:
        pytest.skip("mmdebstrap is not installed")
    done = subprocess.run([program, "--quiet", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no root of {words[-2]}: {done.stderr.strip().splitlines()[-1]}")


def _complete(root: Path) -> None:
    """Do what the packages' own scripts would have done and Python needs: a bundle of certificates."""
    bundle = root / "etc" / "ssl" / "certs" / "ca-certificates.crt"
    certificates = sorted((root / "usr" / "share" / "ca-certificates" / "mozilla").glob("*.crt"))
    bundle.parent.mkdir(parents=True, exist_ok=True)
    bundle.write_text("".join(path.read_text() for path in certificates))
