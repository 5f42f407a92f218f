"""SBOMs: what is written is CycloneDX 1.6 and is read back; those of other archives, and edited ones, are found."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler import __version__
from bundler.errors import IntegrityError
from bundler.model.declared_licences import licence_of
from bundler.model.inventory import Inventory, Item, ItemKind, joined
from bundler.model.package_url import package_url
from bundler.model.sidecar import NOTHING_TOLD, Place, SidecarFacts, UnreadError
from bundler.sidecars import sbom
from bundler.sidecars.sbom import Sbom
from tests.model.samples import PROPERTY

ARCHIVE = "demo-runtime-debian-12-amd64.tar.gz"
SHA = "a" * 64
APP = Item(
    purl="pkg:pypi/app@1.0%2Bx",
    kind="wheel",
    name="app",
    version="1.0+x",
    path="packages/pip/app-1.0+x-py3-none-any.whl",
    size=5,
    sha256="b" * 64,
    licences=("MIT",),
    needs=("pkg:pypi/lib@2",),
    sboms=("app-1.0+x.dist-info/sboms/a b.cdx.json",),
    publisher="o/app",
)
LIB = Item("pkg:pypi/lib@2", "wheel", "lib", "2", sha256="c" * 64, licences=("MIT OR ISC",))
OLD = Item("pkg:pypi/old@3", "wheel", "old", "3", licences=("BSD License", "MIT"))
PYTHON = Item("pkg:generic/cpython@3.13.1", "python", "cpython", "3.13.1", "packages/python/cpython-3.13.1")
HELD = Inventory("demo", "1.0", "debian 12 amd64", "3.11.2", "d" * 64, (APP.purl,), joined([APP, LIB, OLD, PYTHON]))
GOOD = sbom.compose(Sbom(ARCHIVE, SHA, __version__, HELD))
# Which version of this tool wrote it: any may have written the same.
_END = GOOD.index(b'"}]}},\n"serialNumber"')
WRITER = range(_END - len(__version__), _END)
GOLDEN = """\
{
"$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
"bomFormat": "CycloneDX",
"components": [
{"bom-ref": "pkg:pypi/lib@2", "hashes": [{"alg": "SHA-256", "content": "%s"}], "licenses": [{"acknowledgement": \
"declared", "expression": "MIT OR ISC"}], "name": "lib", "properties": [{"name": "aiws-bundle:kind", "value": "wheel"}]\
, "purl": "pkg:pypi/lib@2", "type": "library", "version": "2"}
],
"dependencies": [
{"dependsOn": ["pkg:pypi/lib@2"], "ref": "pkg:generic/demo@1.0?file_name=%s"},
{"ref": "pkg:pypi/lib@2"}
],
"metadata": {"component": {"bom-ref": "pkg:generic/demo@1.0?file_name=%s", "hashes": [{"alg": "SHA-256", "content": \
"%s"}], "name": "demo", "properties": [{"name": "aiws-bundle:asset", "value": "%s"}, {"name": "aiws-bundle:host", \
"value": "debian 12 amd64"}], "type": "application", "version": "1.0"}, "tools": {"components": [{"name": \
"aiws-bundle", "type": "application", "version": "9.9"}]}},
"serialNumber": "urn:uuid:90112f62-7398-576f-9023-ec8b0014e316",
"specVersion": "1.6",
"version": 1
}
"""


def told(held: Inventory | None = HELD, sha256: str = SHA, tag: str = "v1") -> SidecarFacts:
    inventories = {ARCHIVE: held} if held else {}
    place = Place("o/r", tag, "c" * 40)
    return replace(NOTHING_TOLD, files={ARCHIVE: (9, sha256)}, subject=ARCHIVE, place=place, inventories=inventories)


def found(content: bytes | None, facts: SidecarFacts) -> list[tuple[str, str]]:
    return [(one.grade, one.message) for one in sbom.findings(content, facts)]


def changed(**document: object) -> bytes:
    """The good SBOM with other values of some keys, spelled as this tool would."""
    return sbom._lines({**json.loads(GOOD), **document}).encode()


def test_a_small_one_is_written_so() -> None:
    small = Inventory("demo", "1.0", "debian 12 amd64", roots=(LIB.purl,), items=(LIB,))
    expected = GOLDEN % (LIB.sha256, ARCHIVE, ARCHIVE, SHA, ARCHIVE)
    assert sbom.compose(Sbom(ARCHIVE, SHA, "9.9", small)).decode() == expected


def test_what_is_rendered_is_read_back_and_found_good() -> None:
    assert sbom.render(told()) == GOOD
    assert sbom.parse(GOOD, ARCHIVE) == Sbom(ARCHIVE, SHA, __version__, HELD)
    assert found(GOOD, told()) == []
    assert sbom.render(replace(told(), files={}, wholes={ARCHIVE: SHA})) == GOOD, "in parts it is the same archive"


def test_there_is_none_of_what_nobody_read() -> None:
    assert sbom.render(told(None)) is None
    assert sbom.render(told(sha256="")) is None
    with pytest.raises(UnreadError):
        found(GOOD, told(None))


def test_without_reading_the_archive_its_digest_is_compared() -> None:
    (finding,) = found(GOOD, told(None, "e" * 64))
    assert finding[0] == "integrity"
    assert f"is of another archive\n    expected {ARCHIVE} {'e' * 64}\n    actual   {ARCHIVE} {SHA}" in finding[1]


def test_a_release_of_before_has_none_and_that_is_told() -> None:
    assert [grade for grade, _ in found(None, told())] == ["note"]
    assert found(None, told(tag="")) == []
    assert found(None, told(None)) == []


@pytest.mark.parametrize("content", [b"{}", b'{"bomFormat": "CycloneDX"}', b"\xff"])
def test_one_that_others_made_is_told_of_only_where_the_archive_was_not_read(content: bytes) -> None:
    assert [grade for grade, _ in found(content, told(None))] == ["note"]
    assert [grade for grade, _ in found(content, told())] == ["integrity"]


OTHER = replace(HELD, items=tuple(replace(one, sha256="f" * 64) if one is LIB else one for one in HELD.items))
CASES = {
    "another archive's": (Sbom("x.tar.gz", SHA, __version__, HELD), "is of another archive"),
    "another host": (Sbom(ARCHIVE, SHA, __version__, replace(HELD, host="debian 13 amd64")), "another host than"),
    "another file": (Sbom(ARCHIVE, SHA, __version__, OTHER), f"another sha256 of {LIB.purl} than"),
    "another file, by another version": (Sbom(ARCHIVE, SHA, "0.0.1", OTHER), f"another sha256 of {LIB.purl} than"),
    "one too few": (
        Sbom(ARCHIVE, SHA, __version__, replace(HELD, roots=(), items=HELD.items[:-1])),
        f"{HELD.items[-1].purl} is missing",
    ),
    "other roots": (Sbom(ARCHIVE, SHA, __version__, replace(HELD, roots=(LIB.purl,))), "another roots than"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_not_the_archives_is_found(case: str) -> None:
    said, message = CASES[case]
    ((grade, text),) = found(sbom.compose(said), told())
    assert grade == "integrity"
    assert message in text


def test_another_version_may_have_written_the_same() -> None:
    other = sbom.compose(Sbom(ARCHIVE, SHA, "9.9.9", HELD))
    assert other == GOOD[: WRITER.start] + b"9.9.9" + GOOD[WRITER.stop :]
    assert found(other, told()) == []


def test_another_version_may_have_understood_metadata_otherwise() -> None:
    other = replace(HELD, items=tuple(replace(one, licences=("ISC",)) for one in HELD.items))
    ((grade, text),) = found(sbom.compose(Sbom(ARCHIVE, SHA, "0.0.1", other)), told())
    assert grade == "note"
    assert "another licences of" in text
    assert found(sbom.compose(Sbom(ARCHIVE, SHA, __version__, other)), told())[0][0] == "integrity"


DOCUMENT = json.loads(GOOD)
EDITED = {
    "trailing bytes": GOOD + b"\n",
    "another layout": json.dumps(DOCUMENT).encode(),
    "a key twice": GOOD.replace(b'"version": 1\n', b'"version": 2,\n"version": 1\n'),
    "a fraction": GOOD.replace(b'"version": 1\n', b'"version": 1.0\n'),
    "a truth": GOOD.replace(b'"version": 1\n', b'"version": true\n'),
    "cut short": GOOD[:-3],
    "more keys": changed(signature={}),
    "another format": changed(specVersion="1.5"),
    "another serial number": changed(serialNumber="urn:uuid:00000000-0000-4000-8000-000000000000"),
    "unsorted": changed(components=[*map(json.dumps, DOCUMENT["components"][::-1])]),
    "a component twice": changed(components=[*map(json.dumps, [*DOCUMENT["components"], DOCUMENT["components"][-1]])]),
    "no dependencies": changed(dependencies=[]),
    "a dependency on nothing": changed(dependencies=[{**one, "dependsOn": ["x"]} for one in DOCUMENT["dependencies"]]),
    "a control character": GOOD.replace(b'"o/app"', b'"\\u001b[31m"'),
    "another size": GOOD.replace(b'"value": "5"', b'"value": "05"'),
    "another reference": GOOD.replace(b"#app-", b"#other-"),
    "another type": GOOD.replace(b'"type": "platform"', b'"type": "library"'),
}  # fmt: skip


@pytest.mark.parametrize("case", EDITED)
def test_what_this_tool_would_not_write_is_refused(case: str) -> None:
    assert EDITED[case] != GOOD
    with pytest.raises(IntegrityError, match=rf"{ARCHIVE}\.cdx\.json: ") as caught:
        sbom.parse(EDITED[case], ARCHIVE)
    assert caught.value.exit_code == 3
    assert "\x1b" not in caught.value.message
    assert found(EDITED[case], told())[0][0] == "integrity"


words = st.text(st.characters(categories=("L", "N", "P", "S", "Zs"), max_codepoint=0x2FFF), min_size=1, max_size=20)
licences = st.one_of(
    st.sampled_from([(), ("MIT",), ("MIT AND ISC",), ("LicenseRef-x",), ("A", "MIT")]),
    words.map(licence_of).filter(bool).map(lambda one: (one,)),
)


@st.composite
def items(draw: st.DrawFn) -> Item:
    kinds: list[ItemKind] = ["wheel", "python", "program", "npm", "deb", "repository", "image", "archive", "file"]
    name, version = draw(words), draw(words)
    return Item(
        purl=package_url("generic", name.replace("/", "-"), version),
        kind=draw(st.sampled_from(kinds)),
        name=name,
        version=version,
        path=draw(st.just("") | words),
        size=draw(st.integers(0, 1 << 40)),
        sha256=draw(st.sampled_from(["", SHA])),
        licences=draw(licences),
        sboms=tuple(sorted(draw(st.sets(words, max_size=3)))),
        publisher=draw(st.just("") | words),
        startup=tuple(sorted(draw(st.sets(words, max_size=3)))),
    )


@PROPERTY
@given(st.lists(items(), max_size=5), st.data())
def test_whatever_an_archive_holds_is_read_back(held: list[Item], data: st.DataObject) -> None:
    purls = sorted({one.purl for one in held})
    some = st.sets(st.sampled_from(purls)).map(lambda one: tuple(sorted(one))) if purls else st.just(())
    found = joined(replace(one, needs=data.draw(some)) for one in held)
    sbom_of = Sbom(ARCHIVE, SHA, "1", Inventory("demo", "1", "host", roots=data.draw(some), items=found))
    assert sbom.parse(sbom.compose(sbom_of), ARCHIVE) == sbom_of


@PROPERTY
@given(st.sampled_from([at for at in range(len(GOOD)) if at not in WRITER]), st.integers(0, 255))
def test_no_byte_can_be_changed_unnoticed(at: int, byte: int) -> None:
    content = GOOD[:at] + bytes([byte]) + GOOD[at + 1 :]
    if content == GOOD:
        return
    assert [grade for grade, _ in found(content, told())] in (["integrity"], ["note"])


@pytest.mark.slow
def test_the_official_schema_accepts_it() -> None:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    validator = JsonStrictValidator(SchemaVersion.V1_6)
    assert validator.validate_str(GOOD.decode()) is None
    assert validator.validate_str(changed(specVersion="1.6", more=1).decode()) is not None
