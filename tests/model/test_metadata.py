from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Mapping
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.errors import IntegrityError
from bundler.model.closure import Wheel
from bundler.model.metadata import parse_metadata, read_wheel
from tests.model.samples import PROPERTY

NAME = "some_app-1.0-py3-none-any.whl"
PLACE = "some_app-1.0.dist-info/METADATA"
METADATA = (
    "Metadata-Version: 2.1\nName: some-app\nVersion: 1.0\nRequires-Dist: lib>=1\n"
    "Requires-Dist: more; extra == 'x'\nRequires-Python: >=3.9\n"
)
WHEEL = Wheel(NAME, ("lib>=1", "more; extra == 'x'"), ">=3.9")


def zipped(files: Mapping[str, str | bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for path, content in files.items():
            archive.writestr(zipfile.ZipInfo(path), content, compression)
    return stream.getvalue()


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
    assert read(zipped({"some_app/__init__.py": "x = 1\n" * 99, PLACE: METADATA}, compression)) == WHEEL


def test_a_wheel_that_needs_nothing() -> None:
    assert read(zipped({PLACE: "Metadata-Version: 2.1\nName: some-app\nVersion: 1.0\n"})) == Wheel(NAME)


@pytest.mark.parametrize("spelled", ["Some.App", "SOME_APP", "some--app"])
@pytest.mark.parametrize("place", [PLACE, "Some_App-1.0.dist-info/METADATA", "some.app-1.0.dist-info/METADATA"])
def test_names_are_compared_as_the_field_does(spelled: str, place: str) -> None:
    assert read(zipped({place: METADATA.replace("some-app", spelled)})) == WHEEL


@pytest.mark.parametrize("version", ["1.0", "1", "1.0.0", "v1.0"])
def test_versions_are_compared_as_the_field_does(version: str) -> None:
    assert read(zipped({PLACE: METADATA.replace("Version: 1.0", f"Version: {version}")})) == WHEEL


@pytest.mark.parametrize(
    "description",
    ["x" * 100_000, "Requires-Dist: not-this\n", "Name: other\n", "\n\nRequires-Python: <3\n", "\xff é 🙂"],
    ids=lambda text: text[:20],
)
def test_a_description_is_not_looked_at(description: str) -> None:
    assert read(zipped({PLACE: f"{METADATA}\n{description}"})) == WHEEL


def test_a_description_that_is_no_text_is_not_looked_at() -> None:
    assert read(zipped({PLACE: METADATA.encode() + b"\n\xff\xfe\x00"})) == WHEEL


def test_line_ends_of_windows_are_line_ends() -> None:
    content = f"{METADATA}\nRequires-Dist: not-this\n".replace("\n", "\r\n")
    assert parse_metadata(content.encode(), NAME) == WHEEL


def test_metadata_of_other_projects_inside_is_left_alone() -> None:
    vendored = "Metadata-Version: 2.1\nName: vendored\nVersion: 9\n"
    files = {
        "vendored-9.dist-info/METADATA": vendored,
        f"some_app/_vendor/{PLACE}": vendored,
        "some_app-1.0.data/purelib/vendored.dist-info/METADATA": vendored,
        PLACE: METADATA,
        "some_app-1.0.dist-info/METADATA.orig": vendored,
    }
    assert read(zipped(files)) == WHEEL


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        (METADATA.replace("some-app", "other"), "speaks of 'other' '1.0'"),
        (METADATA.replace("Version: 1.0", "Version: 1.1"), "speaks of 'some-app' '1.1'"),
        (METADATA.replace("Name: some-app\n", ""), "speaks of None '1.0'"),
        (METADATA.replace("Version: 1.0\n", ""), "Invalid version"),
        (METADATA.replace("Version: 1.0", "Version: one"), "Invalid version"),
        (METADATA.replace("Version: 1.0", f"Version: {'9' * 5000}"), "Exceeds the limit"),
        (METADATA + "Name: other\n", "speaks of None"),
        (METADATA + "Version: 1.0\n", "Invalid version"),
        (METADATA + "Requires-Python: >=3.8\n", "cannot be read: requires-python"),
        ("\n" + METADATA, "speaks of None None"),
        ("", "speaks of None None"),
    ],
    ids=lambda text: text[-30:],
)
def test_metadata_of_another_wheel_or_with_a_field_twice_is_refused(metadata: str, said: str) -> None:
    assert said in refused(zipped({PLACE: metadata}))


def test_a_requirement_that_is_no_text_is_refused_and_not_left_out() -> None:
    content = METADATA.encode() + b"Requires-Dist: caf\xe9\n"
    assert "cannot be read: requires-dist" in refused(zipped({PLACE: content}))


def test_a_field_that_does_not_matter_may_be_unreadable() -> None:
    assert read(zipped({PLACE: METADATA.encode() + b"Author: Caf\xe9\nColour: red\nSummary: a\nSummary: b\n"})) == WHEEL


def test_a_wheel_without_metadata_is_refused() -> None:
    assert "has 0 METADATA files" in refused(zipped({"some_app/__init__.py": ""}))
    assert "has 0 METADATA files" in refused(zipped({"other-1.0.dist-info/METADATA": METADATA}))
    assert "has 0 METADATA files" in refused(zipped({f"deep/{PLACE}": METADATA}))


def test_a_wheel_with_two_metadata_files_of_its_project_is_refused() -> None:
    assert "has 2 METADATA files" in refused(zipped({PLACE: METADATA, "some_app-2.0.dist-info/METADATA": METADATA}))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_wheel_with_its_metadata_twice_is_refused() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(PLACE, METADATA)
        archive.writestr(PLACE, METADATA.replace("lib>=1", "other"))
    assert "has 2 METADATA files" in refused(stream.getvalue())


def test_metadata_of_absurd_size_is_refused_before_it_is_unpacked() -> None:
    bomb = zipped({PLACE: METADATA + "\n" + "x" * (4 << 20)})
    assert len(bomb) < 10_000
    assert "larger than 4 MiB" in refused(bomb)
    assert read(zipped({PLACE: METADATA + "\n" + "x" * (3 << 20)})) == WHEEL


def test_metadata_that_unpacks_to_more_than_it_says_is_refused() -> None:
    content = zipped({PLACE: METADATA * 50_000})
    size = len(METADATA * 50_000).to_bytes(4, "little")
    assert content.count(size) == 2
    refused(content.replace(size, (100).to_bytes(4, "little")))


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compression_that_no_wheel_has_is_refused(compression: int) -> None:
    assert "not stored or deflated" in refused(zipped({PLACE: METADATA}, compression))


WHOLE = zipped({"some_app/__init__.py": "x = 1\n" * 9, PLACE: METADATA + "\n" + "text " * 50})


@pytest.mark.parametrize("content", [b"", b"PK", b"not a zip", b"PK\x05\x06" + bytes(18), WHOLE[:-30], WHOLE[:60]])
def test_what_is_no_whole_zip_is_refused(content: bytes) -> None:
    refused(content)


def test_damage_is_refused_where_zlib_finds_it() -> None:
    start = WHOLE.index(PLACE.encode()) + len(PLACE)
    assert "not a readable wheel" in refused(WHOLE[:start] + bytes([WHOLE[start] ^ 0x06]) + WHOLE[start + 1 :])


@pytest.mark.parametrize("filename", ["some_app.whl", "some_app-1.0.zip", "some_app-one-py3-none-any.whl"])
def test_a_file_name_of_no_wheel_is_refused(filename: str) -> None:
    refused(zipped({PLACE: METADATA}), filename)


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
