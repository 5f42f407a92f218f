"""Files are opened in one way: as regular files, without waiting. Who does otherwise stands here with the reason."""

from __future__ import annotations

import re
from pathlib import Path

import bundler

BUNDLER = Path(bundler.__file__).parent
OPENS = re.compile(r"(?:\.open\(|\bopen\(|\.read_text\(|\.read_bytes\(|fdopen\()")
REASONS = {
    "__main__.py": "a standard stream that was closed",
    "adapters/regular.py": "the one place",
    "adapters/archive.py": "a file of the store or of this run's folder, whose digest is compared",
    "adapters/own_folder.py": "a file that this run writes, without following links",
    "adapters/control_group.py": "the kernel's files",
    "adapters/kernel.py": "the kernel's files",
    "adapters/jail.py": "the outlet of a sandbox, made by this run",
    "adapters/jail_files.py": "inside a sandbox, without following links",
    "adapters/jail_rights.py": "the kernel's files",
    "adapters/jail_start.py": "the system's /etc/subuid and the kernel's files",
    "adapters/sweep.py": "the kernel's files",
    "adapters/make_wheel.py": "inside a sandbox",
    "adapters/in_the_making.py": "hidden files of this run, without following links, and those of killed ones",
    "commands/apply.py": "in a hidden folder of this run",
    "adapters/new_files.py": "files that this run wrote, to sync them",
    "adapters/loopback.py": "the kernel's files",
    "adapters/resolver.py": "what uv wrote in a folder of this run",
    "adapters/pip_compile.py": "what pip-compile wrote in a folder of this run",
    "adapters/wheel_file.py": "the wheel that a build left, taken out of its sandbox",
    "adapters/source_archive.py": "a file that this run writes",
    "bench.py": "a file that this run writes",
    "kinds/offline/examine.py": "a file that this run writes",
    "kinds/wheelhouse/build_wheel.py": "a file that this run writes",
    "cli/schema.py": "a file of this package",
    "cli/report.py": "GITHUB_STEP_SUMMARY, to append to it",
    "kinds/wheelhouse/members/install.py": "on the host, what was installed there",
    "kinds/wheelhouse/members/agent.py": "on the host, what is the user's own",
    "kinds/wheelhouse/members/install_imports.py": "on the host, what was installed there",
    "kinds/wheelhouse/members/install_share.py": "on the host, what was installed there",
    "kinds/wheelhouse/members/install_version.py": "on the host, what was installed there",
    "kinds/wheelhouse/members/install_wheels.py": "on the host, what is in the archive",
    "kinds/wheelhouse/members/probe.py": "on the host, what was installed there",
    "kinds/wheelhouse/members/templates.py": "a file of this package",
    "cli/summary.py": "GITHUB_OUTPUT, to append to it",
    "pages/frame.py": "a file of this package",
    "kinds/wheelhouse/portable_pins.py": "a file of this package",
    "payloads/npm/locking.py": "a file that this run writes",
    "payloads/prisma/__init__.py": "a file of this package",
    "payloads/prisma/locking.py": "a file that this run writes",
    "payloads/prisma/wheel.py": "a file of this package",
    "payloads/repository/locking.py": "a file that this run writes",
    "payloads/repository/proof.py": "a file that this run writes",
    "transfer/apply_delta.py": "on a host, what its user names",
    "release/way.py": "a file that this run writes",
    "transfer/script.py": "files of this package",
    "transfer/repaired.py": "a new file, in a folder of this run's own",
    "transfer/volumes.py": "files that this run writes",
    "release/from_set.py": "a new file, in a folder of this run's own",
    "release/sources.py": "what pip recorded of this package",
}


def test_files_are_opened_as_regular_files_only() -> None:
    opening = {}
    for path in sorted(BUNDLER.rglob("*.py")):
        text = re.sub(r"open_regular\(|tarfile\.open\(|os\.open\(", "", path.read_text(encoding="utf-8"))
        if OPENS.search(text):
            opening[str(path.relative_to(BUNDLER))] = OPENS.findall(text)
    assert opening.keys() == REASONS.keys(), opening
