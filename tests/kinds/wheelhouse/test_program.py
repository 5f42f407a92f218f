"""`program:` and `rehearsal:` in a manifest: what may stand there, and that nothing that is built depends on them."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from bundler.errors import ManifestError
from bundler.kinds.manifests import Manifests
from bundler.kinds.schema import schemas
from bundler.kinds.wheelhouse.component import WheelhouseComponent
from bundler.kinds.wheelhouse.manifest import Wheelhouse
from bundler.model.bundle import INSTALLER, MANIFEST
from bundler.model.document import Tree
from tests.archives import content_of, unpacked
from tests.model.samples import real_texts
from tests.world import PYTHON, TARGETS, WHEELHOUSE, World

REHEARSAL: dict[str, Tree] = {
    "files": {"config.yaml": "a: b\n", "deep/er.txt": ""},
    "start": ["--port", "{port}", "--config={folder}/config.yaml"],
    "ready": ["/health", "/health/ready?verbose=1"],
    "ask": {"path": "/v1/ask", "body": {"words": ["a", 1, 2.5, None, True, {"b": []}]}, "answer": "yes"},
}


def parsed(program: str = "", **changes: Tree) -> Wheelhouse:
    """The wheelhouse with a rehearsal that has `changes`; None takes a key away."""
    rehearsal = {key: value for key, value in {**REHEARSAL, **changes}.items() if value is not None}
    text = f"{WHEELHOUSE}rehearsal: {json.dumps(rehearsal)}\n" + (
        f"program: {json.dumps(program)}\n" if program else ""
    )
    texts = {"targets.yaml": TARGETS, "python.yaml": PYTHON, "litellm.yaml": text}
    return wheelhouse(texts)


def wheelhouse(texts: Mapping[str, str]) -> Wheelhouse:
    found = Manifests.parse(texts).components["litellm"]
    assert isinstance(found, WheelhouseComponent)
    return found.manifest


def refused(program: str = "", **changes: Tree) -> str:
    with pytest.raises(ManifestError) as caught:
        parsed(program, **changes)
    problem = caught.value.problems[0]
    assert problem.file == "litellm.yaml" and problem.line > 7
    return problem.message


def test_a_rehearsal_is_read_whole() -> None:
    found = parsed().rehearsal
    assert found is not None and found.ask is not None
    assert found.arguments(80, "/w") == ("--port", "80", "--config=/w/config.yaml")
    assert dict(found.files) == REHEARSAL["files"]
    assert found.ready == ("/health", "/health/ready?verbose=1")
    assert found.ask.body == {"words": ["a", 1, 2.5, None, True, {"b": []}]}


def test_the_program_is_called_as_the_component_unless_it_is_said() -> None:
    assert parsed().program_name == "litellm"
    assert parsed("litellm-proxy").program_name == "litellm-proxy"


def test_without_files_and_a_question_it_is_enough_that_it_becomes_ready() -> None:
    found = parsed(files=None, ask=None).rehearsal
    assert found is not None
    assert (found.files, found.ask) == ({}, None)


@pytest.mark.parametrize("program", ["../sh", "/bin/sh", "-c", ".hidden", "a b", "a" * 101, "a\nb"])
def test_a_program_is_a_name_and_no_path(program: str) -> None:
    assert refused(program).startswith("program: ")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--port", "{port}", "{home}"], "only {port} and {folder} may stand in braces"),
        (["{port}", "{port.real}"], "only {port} and {folder} may stand in braces"),
        (["{port}", "{{port}}"], "only {port} and {folder} may stand in braces"),
        (["{port}", "}"], "only {port} and {folder} may stand in braces"),
        (["{port}", "a\nb"], "an argument is one line of printable characters"),
        (["{port}", "a\0b"], "an argument is one line of printable characters"),
        (["--port", "4000"], "{port} is missing: the program has to be told where to listen"),
    ],
)
def test_arguments_that_cannot_be_filled_in_are_refused_in_words(words: list[Tree], message: str) -> None:
    assert refused(start=words).partition(": ")[2] == message


@pytest.mark.parametrize(
    ("path", "message"), [("a", "a cannot be a file and a folder"), ("a/b", "a/b cannot be a file and a folder")]
)
def test_a_file_is_no_folder_of_another(path: str, message: str) -> None:
    assert refused(files={"a/b/c": "", path: ""}).endswith(message)


@pytest.mark.parametrize("path", ["/etc/x", "../x", "a/../x", ".hidden", "a b", "", "a//b", "a" * 301])
def test_a_file_stands_below_the_folder(path: str) -> None:
    assert "files" in refused(files={path: ""})


@pytest.mark.parametrize(
    "changes",
    [
        {"start": []},
        {"start": ["{port}"] * 51},
        {"start": ["{port}", "a" * 301]},
        {"start": ["{port}", ""]},
        {"ready": []},
        {"ready": ["health"]},
        {"ready": ["/a b"]},
        {"ready": ["http://example.org/"]},
        {"ready": ["/a", "/a"]},
        {"ready": [f"/{number}" for number in range(11)]},
        {"files": {f"f{number}": "" for number in range(11)}},
        {"ask": {"path": "/a", "body": {}, "answer": ""}},
        {"ask": {"path": "/a", "body": [], "answer": "x"}},
        {"ask": {"path": "/a", "body": {"a": ["x" * 4000] * 5}, "answer": "x"}},
        {"ask": {"path": "/a", "body": {}}},
        {"ask": {"path": "/a", "answer": "x", "bearer": "two words"}},
        {"postgresql": {"ask": []}},
        {"postgresql": {"variable": "database-url"}},
        {"postgresql": {"variable": "URL", "environment": {"TOKEN": "a\nB=c"}}},
        {"postgresql": {"variable": "URL", "ask": [{"path": "/", "answer": "x"}] * 11}},
        {"ask": {"path": "/a", "body": {}, "answer": "x", "method": "GET"}},
        {"stop": ["now"]},
        {"run": []},
        {"run": [{"arguments": ["--port", "{port}"]}]},
        {"run": [{"arguments": ["{home}"]}]},
        {"run": [{"output": ""}]},
        {"run": [{"output": "x" * 301}]},
        {"run": [{"code": 1}]},
        {"run": [{}] * 11},
    ],
    ids=lambda changes: json.dumps(changes)[:60],
)
def test_everything_has_limits(changes: dict[str, Tree]) -> None:
    assert refused("", **changes).startswith("rehearsal.")


def test_a_number_that_json_does_not_know_is_refused() -> None:
    text = (
        f"{WHEELHOUSE}rehearsal: {{start: ['{{port}}'], ready: [/], ask: {{path: /, body: {{a: .inf}}, answer: x}}}}\n"
    )
    with pytest.raises(ManifestError, match="JSON has no numbers that are infinite"):
        Manifests.parse({"targets.yaml": TARGETS, "python.yaml": PYTHON, "litellm.yaml": text})


def test_every_key_is_described() -> None:
    schema = json.loads(schemas()["wheelhouse.schema.json"])
    parts = [schema["$defs"][name]["properties"] for name in ("RehearsalPlan", "Trial", "Question")]
    top = {name: schema["properties"][name] for name in ("program", "rehearsal")}
    for part in (*parts, top):
        assert [key for key, value in part.items() if not value.get("description", "").endswith(".")] == []


def test_the_committed_manifests_say_how_the_proxy_is_rehearsed() -> None:
    found = wheelhouse(real_texts())
    assert found.program_name == "litellm"
    assert found.rehearsal is not None and found.rehearsal.ask is not None


def test_a_plain_command_is_run_to_its_end() -> None:
    run: Tree = [{"arguments": ["{folder}/a"], "output": "b"}, {}]
    found = parsed(start=None, ready=None, ask=None, run=run).rehearsal
    assert found is not None
    assert [(trial.words("/w"), trial.output) for trial in found.run] == [(("/w/a",), "b"), ((), None)]
    assert (found.start, found.ready) == ((), ())


@pytest.mark.parametrize(
    ("kept", "lacking"), [({"start", "ask"}, "ready"), ({"ready"}, "start"), ({"ask", "run"}, "start")]
)
def test_a_server_needs_to_be_started_and_to_be_ready(kept: set[str], lacking: str) -> None:
    plan: dict[str, Tree] = {**REHEARSAL, "run": [{}]}
    changes = {key: value if key in kept else None for key, value in plan.items()}
    wanted = "`start` and `ready` are wanted of a program that serves"
    assert refused("", **changes) == f"rehearsal: {lacking}: is missing; {wanted}"


def test_a_plan_tries_something() -> None:
    told = "rehearsal: `run` of a program that ends is wanted, or `start` and `ready` of one that serves"
    assert refused(start=None, ready=None, ask=None) == told


def test_no_lock_depends_on_what_the_program_is_called_but_install_sh_does(locked: World) -> None:
    locked.write("litellm.yaml", f"{WHEELHOUSE}program: other\n")
    assert locked.run("lock", "--check").code == 0
    assert locked.run("build", "debian-12-amd64").code == 0
    archive = locked.dist / "litellm-runtime-debian-12-amd64.tar.gz"
    _, _, entries = unpacked(archive, locked.root / "contents")
    assert b"\napp='other' " in content_of(entries[INSTALLER])
    assert json.loads(content_of(entries[MANIFEST]))["program"] == "other"
    assert locked.run("verify", str(archive)).code == 0


def test_no_lock_and_no_archive_depends_on_a_rehearsal(locked: World) -> None:
    assert locked.run("build", "debian-12-amd64").code == 0
    archive = locked.dist / "litellm-runtime-debian-12-amd64.tar.gz"
    before, written = archive.read_bytes(), archive.stat().st_mtime_ns
    locked.write("litellm.yaml", f"{WHEELHOUSE}program: litellm\nrehearsal: {json.dumps(REHEARSAL)}\n")
    assert locked.run("lock", "--check").code == 0
    assert "unchanged" in locked.run("build", "debian-12-amd64").out
    assert archive.stat().st_mtime_ns == written
    assert locked.run("build", "debian-12-amd64", "--force").code == 0
    assert archive.read_bytes() == before
