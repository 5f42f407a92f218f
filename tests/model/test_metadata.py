from __future__ import annotations

import io
import tempfile
import zipfile
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.errors import IntegrityError
from bundler.model.closure import Wheel
from bundler.model.metadata import parse_metadata, read_wheel
from tests.model.samples import PROPERTY
from tests.wheels import INFO, METADATA, NAME, wheel

PLACE = f"{INFO}/METADATA"
READ = Wheel(NAME, ("lib>=1", "more; extra == 'x'"), ">=3.9", frozenset())


def read(content: bytes, filename: str = NAME) -> Wheel:
    return read_wheel(io.BytesIO(content), filename)


def refused(content: bytes, filename: str = NAME) -> str:
    with pytest.raises(IntegrityError) as caught:
        read(content, filename)
    assert caught.value.exit_code == 3
    assert filename in caught.value.message
    return caught.value.message


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_wheel_says_what_it_needs(compression: int) -> None:
    assert read(wheel({"some_app/more.py": "x = 1\n" * 99}, compression=compression)) == READ


def test_a_wheel_that_needs_nothing() -> None:
    assert read(wheel({PLACE: "Metadata-Version: 2.1\nName: some-app\nVersion: 1.0\n"})) == Wheel(
        NAME, extras=frozenset()
    )


@pytest.mark.parametrize("spelled", ["Some.App", "SOME_APP", "some--app"])
@pytest.mark.parametrize("info", [INFO, "Some_App-1.0.dist-info", "some.app-1.dist-info"])
def test_names_are_compared_as_the_field_does(spelled: str, info: str) -> None:
    assert read(wheel({f"{info}/METADATA": METADATA.replace("some-app", spelled)}, info)) == READ


@pytest.mark.parametrize("version", ["1.0", "1", "1.0.0", "v1.0"])
def test_versions_are_compared_as_the_field_does(version: str) -> None:
    assert read(wheel({PLACE: METADATA.replace("Version: 1.0", f"Version: {version}")})) == READ


@pytest.mark.parametrize(
    "description",
    ["x" * 100_000, "Requires-Dist: not-this\n", "Name: other\n", "\n\nRequires-Python: <3\n", "\xff é 🙂"],
    ids=lambda text: text[:20],
)
def test_a_description_is_not_looked_at(description: str) -> None:
    assert read(wheel({PLACE: f"{METADATA}\n{description}"})) == READ


def test_metadata_that_is_no_text_is_refused_as_pip_does() -> None:
    assert "not UTF-8" in refused(wheel({PLACE: METADATA.encode() + b"\n\xff\xfe\x00"}))
    assert "not UTF-8" in refused(wheel({PLACE: METADATA.encode() + b"Author: Caf\xe9\n"}))
    assert "not UTF-8" in refused(wheel({PLACE: METADATA.encode() + b"Requires-Dist: caf\xe9\n"}))


def test_line_ends_of_windows_are_line_ends() -> None:
    content = f"{METADATA}\nRequires-Dist: not-this\n".replace("\n", "\r\n")
    assert parse_metadata(content.encode(), NAME) == READ


def test_metadata_deeper_inside_is_left_alone() -> None:
    vendored = "Metadata-Version: 2.1\nName: vendored\nVersion: 9\n"
    assert read(wheel({f"some_app/_vendor/{PLACE}": vendored, f"{INFO}/METADATA.orig": vendored})) == READ


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        (METADATA.replace("some-app", "other"), "speaks of 'other' '1.0'"),
        (METADATA.replace("Version: 1.0", "Version: 1.1"), "speaks of 'some-app' '1.1'"),
        (METADATA.replace("Name: some-app\n", ""), "speaks of None '1.0'"),
        (METADATA.replace("Version: 1.0\n", ""), "Invalid version"),
        (METADATA.replace("Version: 1.0", "Version: one"), "Invalid version"),
        (METADATA.replace("Version: 1.0", f"Version: {'9' * 5000}"), "Exceeds the limit"),
        (METADATA + "Name: other\n", "cannot be read: name"),
        (METADATA + "VERSION: 1.0\n", "cannot be read: version"),
        (METADATA + "Requires-Python: >=3.8\n", "cannot be read: requires-python"),
        (METADATA + "Requires-Dist: a\n ,b\n", "',b' continues it"),
        (METADATA + "Requires-Dist: a\x0bRequires-Dist: b\n", "cannot be read: requires-dist"),
        (METADATA + "Summary: a\rRequires-Dist: b\n", "a character at which some readers end a line"),
        (METADATA + "no header\nRequires-Dist: b\n", "no header: 'no header'"),
        (METADATA.replace("2.1", "9.0"), "no version that is known"),
        (METADATA.replace("Metadata-Version: 2.1\n", ""), "no version that is known"),
        (METADATA + f"Requires-Dist: {'a' * 5000}\n", "more than 4096 characters"),
        (METADATA + "Requires-Dist: a\n" * 2001, "cannot be read: requires-dist"),
        (METADATA + "X: y\n" * 10_001, "more than 10000 lines"),
        ("\n" + METADATA, "no header: ''"),
        ("", "speaks of None None"),
    ],
    ids=lambda text: text[-30:],
)
def test_metadata_of_another_wheel_or_with_a_field_twice_is_refused(metadata: str, said: str) -> None:
    assert said in refused(wheel({PLACE: metadata}))


def test_a_field_that_does_not_matter_may_be_there_twice_and_folded() -> None:
    assert read(wheel({PLACE: METADATA + "Colour: red\nSummary: a\nSummary: b\nLicense: long\n    text\n\t\n"})) == READ


def test_metadata_of_absurd_size_is_refused_before_it_is_unpacked() -> None:
    bomb = wheel({PLACE: METADATA + "\n" + "x" * (4 << 20)})
    assert len(bomb) < 10_000
    assert f"larger than {4 << 20} bytes" in refused(bomb)
    assert read(wheel({PLACE: METADATA + "\n" + "x" * (3 << 20)})) == READ


def test_metadata_that_unpacks_to_more_than_it_says_is_refused() -> None:
    content = wheel({PLACE: METADATA * 50_000})
    size = len(METADATA * 50_000).to_bytes(4, "little")
    assert content.count(size) == 2
    refused(content.replace(size, (100).to_bytes(4, "little")))


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compression_that_no_wheel_has_is_refused(compression: int) -> None:
    assert "neither stored nor deflated" in refused(wheel(compression=compression))


WHOLE = wheel({PLACE: METADATA + "\n" + "text " * 50})


@pytest.mark.parametrize("content", [b"", b"PK", b"not a zip", b"PK\x05\x06" + bytes(18), WHOLE[:-30], WHOLE[:60]])
def test_what_is_no_whole_zip_is_refused(content: bytes) -> None:
    refused(content)


def test_damage_is_refused_where_zlib_finds_it() -> None:
    start = WHOLE.index(PLACE.encode()) + len(PLACE)
    assert "cannot be inflated" in refused(WHOLE[:start] + bytes([WHOLE[start] ^ 0x06]) + WHOLE[start + 1 :])


@pytest.mark.parametrize("filename", ["some_app.whl", "some_app-1.0.zip", "some_app-one-py3-none-any.whl"])
def test_a_file_name_of_no_wheel_is_refused(filename: str) -> None:
    refused(wheel({PLACE: METADATA}), filename)


_DAMAGE = st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), min_size=1, max_size=4)


@PROPERTY
@given(_DAMAGE, st.integers(len(WHOLE) // 2, len(WHOLE)))
def test_no_damage_raises_anything_but_an_integrity_error(damage: list[tuple[int, int]], length: int) -> None:
    content = bytearray(WHOLE)
    for place, value in damage:
        content[place] = value
    with tempfile.TemporaryFile() as file:
        file.write(content[:length] if len(damage) == 4 else content)
        file.seek(0)
        with suppress(IntegrityError):
            read_wheel(file, NAME)


@PROPERTY
@given(
    st.one_of(st.binary(), st.lists(st.sampled_from(METADATA.splitlines(keepends=True))).map("".join).map(str.encode))
)
def test_no_metadata_raises_anything_but_an_integrity_error(content: bytes) -> None:
    try:
        assert parse_metadata(content, NAME).filename == NAME
    except IntegrityError as error:
        assert NAME in error.message


LICENCE = "License-Expression: MIT OR ISC\n"
TEXT = "License: MIT\n"


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        (LICENCE, ("MIT OR ISC",)),
        (TEXT, ("MIT",)),
        (f"{TEXT}        and a text of\n        many lines\n", ()),
        (TEXT * 2, ()),
        (LICENCE + TEXT, ("MIT OR ISC",)),
        ("Classifier: License :: OSI Approved :: ISC License (ISCL)\n", ("ISC",)),
        ("Classifier: License :: OSI Approved :: ISC License (ISCL)\n" * 2001, ()),
        ("License: \x1b[31m\n", ()),
    ],
)
def test_a_licence_that_cannot_be_read_in_one_way_is_not_told(fields: str, told: tuple[str, ...]) -> None:
    assert read(wheel({PLACE: METADATA.rstrip() + "\n" + fields})).licences == told


def test_sboms_of_a_wheel_are_told_by_their_paths() -> None:
    places = [f"{INFO}/sboms/{number:02}.cdx.json" for number in range(25)]
    assert read(wheel({**dict.fromkeys(places, "{}"), f"{INFO}/sboms.txt": ""})).sboms == tuple(places[:20])
