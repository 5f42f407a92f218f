"""A child of the benchmark: make a release hold one file, and print the seconds from first to last byte."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from bundler.model.sidecar import Place
from bundler.progress import Silent
from bundler.release.content import content_of
from bundler.release.fill import Filler
from bundler.release.switch import Draft, Wanted
from bundler.session import Session


def main(repository: str, commit: str, file: Path, sha256: str) -> None:
    """Upload `file` to a new draft, as `publish` does, and compare what is stored."""
    settings = Session(manifests=None, cache_dir=file.parent, env=dict(os.environ), progress=Silent(), jobs=4)
    pieces = content_of(file.parent, [file.name], {file.name: sha256}).pieces(Place(repository))
    with settings.github(repository) as github:
        draft = Draft(github, Wanted(f"bench-{time.time_ns()}", commit, "", pieces), "0" * 16)
        began = time.monotonic()
        Filler(github, settings.progress, settings.jobs, settings.cancelled).fill(draft.release, pieces, draft.check)
        print(time.monotonic() - began)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), sys.argv[4])
