"""How a long command ends: what was made, and what to do next."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from shlex import join

from bundler.cli import Options
from bundler.terminal import warn, warn_block


def close(options: Options, made: str, *following: Sequence[object]) -> None:
    """Say on standard error, for people, what was made and what to do next: commands, as words after the program's.

    Nothing with --quiet or --json.
    """
    if options.quiet or options.json:
        return
    sys.stdout.flush()
    warn()
    warn_block(made)
    shared = ["--manifests", str(options.manifests)] if options.manifests else []
    for number, words in enumerate(following):
        warn(f"{'      ' if number else 'next: '}{join(['aiws-bundle', *shared, *map(str, words)])}")
