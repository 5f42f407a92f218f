"""Where archives are put together."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from bundler.adapters.apart import Downloads
from bundler.adapters.store import Store
from bundler.bench import Bench
from bundler.errors import IntegrityError
from bundler.progress import Silent
from bundler.session import Session


def length(path: Path) -> int:
    return len(path.read_bytes())


def fails(path: Path) -> int:
    raise IntegrityError(path.name)


def bench(folder: Path, downloads: Downloads | None = None) -> Bench:
    session = replace(Session(None, folder, {}, Silent()), downloads=downloads)
    store = Store(folder)
    for sha256, content in (("a" * 64, b"four"), ("b" * 64, b"seven b")):
        path = store.path(sha256)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return Bench(session, None, store, folder)


def test_what_was_made_of_a_file_where_it_was_brought_is_not_made_again(tmp_path: Path) -> None:
    downloads = Downloads(0, (), 1)
    downloads._made["a" * 64, length] = pickle.dumps(4000)
    assert bench(tmp_path, downloads).ask("a" * 64, length) == 4000
    assert bench(tmp_path, downloads).ask("b" * 64, length) == 7
    assert bench(tmp_path).ask("a" * 64, length) == 4
    with pytest.raises(IntegrityError, match="a" * 64):
        bench(tmp_path, downloads).ask("a" * 64, fails)
