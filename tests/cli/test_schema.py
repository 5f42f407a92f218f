"""`schema`: the schemas of manifests and of what commands print."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bundler import cli
from bundler.kinds.schema import schemas
from tests.world import TARGETS, WHEELHOUSE

FOLDER = Path(cli.__file__).parent.parent / "schemas"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with manifests."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests" / "targets.yaml").write_text(TARGETS)
    (tmp_path / "manifests" / "mine.yaml").write_text(WHEELHOUSE)
    return tmp_path


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert cli.run(list(words)) == 0
    return capsys.readouterr().out


def test_names_are_listed(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = printed(capsys, "schema").splitlines()
    assert names[:6] == ["offline", "prebuilt", "python", "targets", "trust", "wheelhouse"]
    assert names[6:] == sorted(
        f"output/{path.name.removesuffix('.schema.json')}" for path in (FOLDER / "output").glob("*")
    )
    assert json.loads(printed(capsys, "--json", "schema"))["schemas"] == names


@pytest.mark.parametrize("name", ["wheelhouse", "wheelhouse.schema.json", "mine", "mine.yaml"])
def test_a_schema_is_printed_as_it_stands(here: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert printed(capsys, "schema", name) == schemas()["wheelhouse.schema.json"]


def test_an_older_name_of_a_kind_is_known(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, "schema", "release-asset") == schemas()["prebuilt.schema.json"]


def test_every_schema_can_be_printed_without_manifests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in printed(capsys, "schema").split():
        assert json.loads(printed(capsys, "schema", name))["$schema"]


@pytest.mark.parametrize(
    ("name", "hint"), [("wheelhose", "wheelhouse?"), ("qqqq", "there are:"), ("../x", "there are:")]
)
def test_a_name_that_means_nothing_is_wrong_usage(
    here: Path, capsys: pytest.CaptureFixture[str], name: str, hint: str
) -> None:
    assert cli.run(["schema", name]) == 2
    assert hint in capsys.readouterr().err
