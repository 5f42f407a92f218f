"""Reading anywhere in bytes that only come one after another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hypothesis import given
from hypothesis import strategies as st

from bundler.code.forward import ForwardReader


@given(
    st.lists(st.binary(max_size=20), max_size=8),
    st.lists(st.tuples(st.integers(0, 100), st.integers(0, 60)), max_size=10),
)
def test_it_reads_what_a_slice_of_all_bytes_is(pieces: Sequence[bytes], reads: Sequence[tuple[int, int]]) -> None:
    reader, whole = ForwardReader(lambda: iter(pieces)), b"".join(pieces)
    assert [reader.read(*one) for one in reads] == [whole[offset : offset + size] for offset, size in reads]


def test_going_on_begins_nothing_anew() -> None:
    begun = []

    def begin() -> Iterator[bytes]:
        begun.append(1)
        return iter([b"ab", b"cd", b"ef"])

    reader = ForwardReader(begin)
    assert (reader.read(0, 3), reader.read(3, 2), len(begun)) == (b"abc", b"de", 1)
    assert (reader.read(0, 1), len(begun)) == (b"a", 2)
