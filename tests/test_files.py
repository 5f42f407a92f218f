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
    "adapters/archive.py": "an archive's reader",
    "adapters/http.py": "a file: address",
    "adapters/dist.py": "a file that this run writes",
    "adapters/store.py": "a file that this run writes, below the cache folder",
    "adapters/jail.py": "inside a sandbox",
    "adapters/make_wheel.py": "inside a sandbox",
    "adapters/loopback.py": "the kernel's files",
    "adapters/resolver.py": "what uv wrote in a folder of this run",
    "adapters/pip_compile.py": "what pip-compile wrote in a folder of this run",
    "adapters/gunzip.py": "gzip, over a file that is open",
    "adapters/wheel_file.py": "a member of a wheel",
    "adapters/source_archive.py": "a member of a source archive, and a file that this run writes",
    "pipeline/make.py": "a file that this run writes",
    "steps/build_wheel.py": "a file that this run writes",
    "cli/report.py": "GITHUB_STEP_SUMMARY, to append to it",
    "sidecars/installer.py": "a file of this package",
}


def test_files_are_opened_as_regular_files_only() -> None:
    opening = {}
    for path in sorted(BUNDLER.rglob("*.py")):
        text = re.sub(r"open_regular\(|tarfile\.open\(|os\.open\(", "", path.read_text(encoding="utf-8"))
        if OPENS.search(text):
            opening[str(path.relative_to(BUNDLER))] = OPENS.findall(text)
    assert opening.keys() == REASONS.keys(), opening
