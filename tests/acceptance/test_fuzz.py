"""Whatever bytes come: what reads them refuses with an error for people, or accepts; nothing else, and in no long time.

`tests/fuzzing/corpus/READER/` holds what was found before: it is tried every time, by the fast tests as well.
AIWS_FUZZ=60 tries sixty times as many as a run of all tests does.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bundler.errors import BundleError
from tests.fuzzing.mutation import mutants
from tests.fuzzing.readers import READERS, Reader

CORPUS = Path(__file__).parent.parent / "fuzzing" / "corpus"
FOUND = sorted(path for path in CORPUS.glob("*/*") if path.parent.name in READERS)
TIMES = int(os.environ.get("AIWS_FUZZ", "1"))
# One input of at most 1 MiB; what takes longer has no bound. Processor time: machines are busy.
LONGEST = 5.0


def attempt(reader: Reader, content: bytes) -> None:
    """Read, and fail for anything but an answer or a refusal within the bound."""
    began = time.thread_time()
    with suppress(BundleError, *reader.refuses):
        reader.read(content)
    took = time.thread_time() - began
    assert took < LONGEST, f"{took:.1f} s for {len(content)} bytes"


@pytest.mark.parametrize("name", READERS)
def test_seeds_are_read_and_what_was_found_is_refused(name: str) -> None:
    reader = READERS[name]
    for content in (*reader.seeds(), *(path.read_bytes() for path in FOUND if path.parent.name == name)):
        attempt(reader, content)


def test_the_corpus_belongs_to_readers() -> None:
    assert {path.parent.name for path in CORPUS.glob("*/*")} <= set(READERS)


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
def test_nothing_but_refusals_escapes(name: str) -> None:
    reader = READERS[name]

    @settings(
        max_examples=reader.examples * TIMES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.one_of(mutants(reader.seeds(), reader.words), st.binary(max_size=2000)))
    def fuzz(content: bytes) -> None:
        attempt(reader, content)

    fuzz()
