"""Runs of stored blocks, found in bytes that are not always as `build` writes them."""

from __future__ import annotations

from pathlib import Path

from bundler.transfer import runs as of_sets
from bundler.transfer.form import Source
from bundler.transfer.layout import Unframed, runs


def framed(content: bytes) -> bytes:
    parts = (content[at : at + 65535] for at in range(0, len(content), 65535))
    return b"".join(
        b"\0" + len(part).to_bytes(2, "little") + (len(part) ^ 65535).to_bytes(2, "little") + part for part in parts
    )


def test_a_short_block_ends_a_run(tmp_path: Path) -> None:
    """Places in a run are counted in whole blocks, so what follows a short one is another run."""
    first, second = b"a" * 70_000, b"b" * 66_000
    path = tmp_path / "file"
    path.write_bytes(b"head\0\0\xff\xff" + framed(first) + framed(second) + b"tail")
    with path.open("rb") as file:
        source = Source([file.fileno()])
        found = list(runs(source))
        assert [run.size for run in found] == [0, len(first), len(second), 0]
        assert [run.length for run in found] == [8, len(framed(first)), len(framed(second)), 4]
        for run, content in zip(found[1:3], (first, second), strict=True):
            assert Unframed(source, run.start, run.size).read(0, run.size) == content
        assert [(run.size, run.stored) for run in of_sets.runs(source)] == [
            (8, False),
            (len(first), True),
            (len(second), True),
            (4, False),
        ]
