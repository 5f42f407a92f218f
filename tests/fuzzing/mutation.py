"""Bytes that are almost right: what a fuzzer makes of seeds, as hypothesis strategies, so that failures shrink."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

# Words that readers of several formats stumble over: numbers at the edges, quotes, ends, controls, other encodings.
_ODD = (
    b"", b"\0", b"\n", b"\r\n", b" ", b"\t", b"\x1b[2J", b"\x7f", b"\xff\xfe", b"\xc3\x28", "\u202e\u2028²٣".encode(),
    b"0", b"-1", b"1e999", b"NaN", b"null", b"true", b"[]", b"{}", b"''", b'""', b'"""', b"'''", b"\\", b"\\u0000",
    b"2147483648", b"18446744073709551616", b"9" * 400, b"9" * 5000, b"..", b"/", b"../", b"./", b"//", b"\\\\?\\",
    b"a" * 300, b"[" * 60, b"{" * 60, b"(" * 60, b"a." * 200, b"&a [*a]", b"!!python/name:os", b"%s%n", b"=",
    b"==", b"#",
    b"PK\x05\x06", b"PK\x01\x02", b"\x1f\x8b\x08", b"ustar\x0000", b"ustar  \0", b"file:///etc/passwd", b"http://[::1",
    b"https://user:secret@host/", b"; python_version < '4'", b"@ file:///x", b"<![a[", b"<!--", b"&#x110000;",
)  # fmt: skip


def mutants(seeds: Sequence[bytes], words: Sequence[bytes] = ()) -> st.SearchStrategy[bytes]:
    """Some of `seeds`, changed in one to eight places: flipped, cut, doubled, overwritten, joined with another seed.

    `words` are of the format itself and are written in as often as the odd ones are.
    """
    change = st.tuples(
        st.sampled_from(("flip", "write", "insert", "cut", "double", "join", "swap")),
        st.floats(0, 1, allow_nan=False),
        st.floats(0, 1, allow_nan=False),
        st.one_of(st.sampled_from(_ODD), st.sampled_from(tuple(words) or _ODD), st.binary(max_size=8)),
    )
    changes = st.lists(change, min_size=1, max_size=8)
    return st.builds(_changed, st.sampled_from(seeds), changes, st.sampled_from(seeds))


def _changed(seed: bytes, changes: Sequence[tuple[str, float, float, bytes]], other: bytes) -> bytes:
    data = seed
    for kind, first, second, word in changes:
        at, to = sorted((int(first * len(data)), int(second * len(data))))
        to = min(to, at + 4096)
        if kind == "flip" and data:
            at = min(at, len(data) - 1)
            data = data[:at] + bytes([data[at] ^ (1 << int(second * 7))]) + data[at + 1 :]
        elif kind == "write":
            data = data[:at] + word + data[at + len(word) :]
        elif kind == "insert":
            data = data[:at] + word + data[at:]
        elif kind == "cut":
            data = data[:at] + data[to:]
        elif kind == "double":
            data = data[:to] + data[at:to] + data[to:]
        elif kind == "join":
            data = data[:at] + other[int(second * len(other)) :]
        elif kind == "swap":
            data = data[:at] + data[at:to].swapcase() + data[to:]
    return data[: 1 << 20]
