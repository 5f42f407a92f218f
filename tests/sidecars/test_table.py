"""The table of sidecars: the only place that lists them, and what each is told."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bundler import sidecars
from bundler.model.sidecar import NOTHING_TOLD, Place, SidecarFacts
from bundler.sidecars import channel, parts, sbom, sums, table
from bundler.sidecars.table import SIDECARS, facts_of, foreign, over_release, subjects_of
from bundler.words import archive_of
from tests.modules import MODULES, ROOT, faults, nodes_of

FOLDER = Path(sidecars.__file__).parent
SIDECAR_FILES = {path.stem for path in FOLDER.glob("*.py")} - {"__init__", "table"}
SHA = "a" * 64


def imported(path: Path) -> set[str]:
    """The sidecars that a module knows by name."""
    found = set()
    for node in nodes_of(path):
        if isinstance(node, ast.ImportFrom) and node.module == "bundler.sidecars":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("bundler.sidecars."):
            found.add(node.module.rpartition(".")[2])
    return found & SIDECAR_FILES


def test_every_file_of_the_folder_is_in_the_table_once() -> None:
    assert sorted(str(getattr(one, "__name__", "")).rpartition(".")[2] for one in SIDECARS) == sorted(SIDECAR_FILES)


def test_no_other_module_lists_them() -> None:
    def listed(path: Path) -> bool:
        return len(imported(path)) >= len(SIDECARS)

    assert faults(listed, [path for path in MODULES if path.parent != FOLDER]) == {}


@pytest.mark.parametrize("name", ["content", "beside", "fill", "judge", "standing", "switch"])
def test_what_plans_fills_and_checks_a_release_names_none_but_parts(name: str) -> None:
    """Parts are joined and cut; everything else about sidecars comes from the table."""
    assert imported(ROOT / "release" / f"{name}.py") <= {"parts"}


def test_release_names_no_kind() -> None:
    kinds = {path.name for path in (ROOT / "kinds").iterdir() if (path / "__init__.py").is_file()}
    assert kinds
    for path in (ROOT / "release").glob("*.py"):
        for node in nodes_of(path):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("bundler.kinds"):
                words = {*(node.module or "").split("."), *(alias.name for alias in node.names)}
                assert not words & kinds, path


@pytest.mark.parametrize(
    ("name", "archive"),
    [
        ("a.tar.gz", "a.tar.gz"),
        ("a.tar.gz.sig", "a.tar.gz"),
        ("a.tar.gz.part-000", "a.tar.gz"),
        ("a.tar.gz.tar.gz", "a.tar.gz"),
        ("a.tar.gzip", None),
        (".tar.gz", None),
        ("SHA256SUMS", None),
        ("a.zip", None),
    ],
)
def test_what_stands_beside_an_archive(name: str, archive: str | None) -> None:
    assert archive_of(name) == archive


def nothing(name: str) -> Iterator[bytes]:
    return iter(())


def there(*names: str, **more: object) -> SidecarFacts:
    return SidecarFacts(dict.fromkeys(names, (1, SHA)), nothing, place=Place("o/r", "v1", "c" * 40))


def test_a_sidecar_is_told_of_what_was_made_before_it() -> None:
    all_of_it = there("a.tar.gz", "a.tar.gz.parts", "b.tar.gz", "channel.json", "SHA256SUMS")
    assert set(facts_of(parts, "a.tar.gz", all_of_it).files) == {"a.tar.gz"}
    assert set(facts_of(channel, "v1", all_of_it).files) == {"a.tar.gz", "a.tar.gz.parts", "b.tar.gz"}
    assert set(facts_of(sums, "v1", all_of_it).files) == {*all_of_it.files} - {"SHA256SUMS"}
    keys, signatures = {"allowed_signers", "minisign.pub"}, {"SHA256SUMS.minisig", "SHA256SUMS.sig"}
    attested = {"attestation.sigstore.json", "trusted_root.jsonl"}
    assert over_release("v1") == {"advisories.json", "channel.json", "SHA256SUMS", *attested, *keys, *signatures}


def test_an_archive_has_its_own_even_where_only_those_are_there() -> None:
    assert subjects_of(parts, there("b.tar.gz.part-000", "a.tar.gz", "channel.json")) == ["a.tar.gz", "b.tar.gz"]
    assert subjects_of(sums, there("a.tar.gz")) == ("v1",)


def test_what_nothing_here_makes_is_foreign() -> None:
    own = ["a.tar.gz", "a.tar.gz.cdx.json", "a.tar.gz.intoto.jsonl", "a.tar.gz.part-000", "a.tar.gz.parts"]
    assert foreign([*own, *over_release("v1")], "v1") == ()
    others = ["a.tar.gz.exe", "a.tar.gz.part-0", "b.TAR.GZ", "b.tar.gz.cdx.json", "b.tar.gz.part-000", "evil.sh"]
    assert foreign([*own, *others], "v1") == tuple(others)


def test_what_each_is_told_takes_one_look_at_all_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Archives times files would be the square of a release's size."""
    looked: list[str] = []
    known = archive_of

    def counted(name: str) -> str | None:
        looked.append(name)
        return known(name)

    monkeypatch.setattr(table, "archive_of", counted)
    archives = [f"app-{number}.tar.gz" for number in range(50)]
    files = {name: (1, "") for archive in archives for name in (archive, f"{archive}.cdx.json")}
    facts = replace(NOTHING_TOLD, files=files)
    told = dict(table.facts_of_each(sbom, facts))
    assert list(told) == sorted(archives)
    assert all(own == table.facts_of(sbom, archive, facts) for archive, own in told.items())
    looked.clear()
    assert dict(table.facts_of_each(sbom, facts)) == told
    assert len(looked) <= 3 * len(files)
