"""Sizes as people read them; documents (`--json`) hold bytes."""

from __future__ import annotations


def size_text(size: int) -> str:
    """Spell a number of bytes, in units of 1000: `152.7 MB`, `61.0 kB`, `512 bytes`; never `0.0` of something."""
    if size >= 100_000:
        return f"{size / 1e6:.1f} MB"
    if size >= 1000:
        return f"{size / 1e3:.1f} kB"
    return f"{size} byte{'' if size == 1 else 's'}"


def share_text(done: int, total: int) -> str:
    """Spell how much of a size is done: `98.1 of 154.6 MB`."""
    far, whole = size_text(done), size_text(total)
    number, _, unit = far.partition(" ")
    return f"{number if whole.endswith(f' {unit}') else far} of {whole}"
