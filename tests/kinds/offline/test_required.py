from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ConfigDict, TypeAdapter, ValidationError

from bundler.errors import IntegrityError
from bundler.kinds.offline.agreements import Agreement
from bundler.kinds.offline.required import Held, Required, findings, is_like, parse_required, required_on, written
from bundler.kinds.offline.roles import LeftOut, Roles, TargetVariables
from bundler.model.contents import ListedFile
from bundler.model.document import parse_yaml
from bundler.model.manifest_schema import Schema
from bundler.model.manifest_values import adapter_of
from bundler.model.target import Target
from bundler.model.validation import validate
from tests.model.samples import MANIFESTS

MANIFEST = (MANIFESTS / "offline.yaml").read_text(encoding="utf-8")
# The rules stand last.
RULES = MANIFEST[MANIFEST.index("\nagreements:\n") :]
BOOKWORM = Target("debian", "12", "amd64", 36, None)
RESOLUTE = Target("ubuntu", "26.04", "arm64", 42, None)
TARGETS = [BOOKWORM, RESOLUTE]


@dataclass(frozen=True)
class Sections:
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")
    agreements: tuple[Agreement, ...]
    roles: Roles
    required: tuple[Required, ...]


REAL = validate(parse_yaml(RULES, "offline.yaml"), TypeAdapter(Sections))


def held(target: Target) -> Held:
    """What satisfies all that is required on a target, made of the list itself."""
    files: dict[str, ListedFile] = {}
    texts: dict[str, bytes] = {}
    packages = {"docker-ce", "docker.io", "libnss3"}
    for one in required_on(REAL.required, target):
        packages.update(one.packages)
        for pattern in one.files[:1]:
            path = pattern.replace("**", "some/folder").replace("*", "1.0")
            files[path] = ListedFile(path, 1, executable=one.executable or (path in files and files[path].executable))
            names = ["libnss3"] if one.names else []
            if lines := [*one.first_lines, *one.lines, *names]:
                texts[path] = texts.get(path, b"") + ("\n".join(lines) + "\n").encode()
        if one.if_there:
            path = one.if_there.replace("**", "some/folder").replace("*", "1.0")
            files.setdefault(path, ListedFile(path, 1))
    return Held(files, texts, packages)


def faults(content: Held, required: tuple[Required, ...]) -> list[str]:
    return [finding.message for finding in findings(required, content)]


def without(content: Held, one: Required) -> Iterator[tuple[str, Held]]:
    """Each way to leave out what one entry requires."""
    there = [path for path in content.files if any(is_like(path, pattern) for pattern in one.files)]
    if there and one.if_there not in one.files:
        yield "file", replace(content, files={k: v for k, v in content.files.items() if k not in there})
    if one.executable:
        plain = {path: replace(content.files[path], executable=False) for path in there}
        yield "mode", replace(content, files={**content.files, **plain})
    if one.one:
        second = f"{there[0]}".replace("1.0", "2.0")
        if second != there[0]:
            yield "twice", replace(content, files={**content.files, second: ListedFile(second, 1)})
    for line in (*one.first_lines, *one.lines):
        texts = {path: content.texts[path].replace(line.encode(), b"# " + line.encode()) for path in there}
        yield line, replace(content, texts={**content.texts, **texts})
    for lie in (b"\n", b"libnss3\nanother\n") if one.names else ():
        yield repr(lie), replace(content, texts={**content.texts, there[0]: lie})
    for name in one.packages:
        yield name, replace(content, packages=content.packages - {name})


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_what_holds_everything_lacks_nothing(target: Target) -> None:
    assert faults(held(target), required_on(REAL.required, target)) == []


@pytest.mark.parametrize("number", range(len(REAL.required)))
def test_each_thing_that_is_left_out_is_named_with_what_stops_without_it(number: int) -> None:
    entry, tried = REAL.required[number], 0
    for target in (*TARGETS, Target("ubuntu", "24.04", "amd64", 39, None), Target("debian", "13", "arm64", 41, None)):
        for one in required_on([entry], target):
            for what, content in without(held(target), one):
                tried += 1
                found = faults(content, required_on(REAL.required, target))
                assert any(fault.endswith(f": {entry.why}") for fault in found), (what, found)
    assert tried


def test_all_of_an_empty_archive_is_named() -> None:
    required = required_on(REAL.required, BOOKWORM)
    unconditional = [one for one in required if not one.if_there and not one.if_package]
    assert len(faults(Held({}, {}, set()), required)) == len(unconditional)


def test_a_fault_names_what_is_missing_and_what_stops() -> None:
    content = held(BOOKWORM)
    lacking = replace(content, files={k: v for k, v in content.files.items() if "ttyd" not in k})
    assert faults(lacking, required_on(REAL.required, BOOKWORM)) == [
        "packages/bin/ttyd.x86_64 is missing: "
        "the console's play downloads nothing offline, runs `ttyd --version` and stops"
    ]


def test_what_is_required_of_one_target_is_not_required_of_others() -> None:
    def whole(target: Target) -> str:
        return " ".join(path for one in required_on(REAL.required, target) for path in one.files)

    assert "npm_*.deb" in whole(RESOLUTE) and "npm_*.deb" not in whole(BOOKWORM)
    assert "chrome" in whole(RESOLUTE) and "chrome" not in whole(BOOKWORM)
    assert "ttyd.aarch64" in whole(RESOLUTE) and "ttyd.x86_64" in whole(BOOKWORM)


def test_another_targets_first_lines_are_named() -> None:
    texts = dict(held(BOOKWORM).texts)
    texts["metadata/target.env"] = texts["metadata/target.env"].replace(b"DISTRO_VERSION=12", b"DISTRO_VERSION=13")
    [fault] = faults(replace(held(BOOKWORM), texts=texts), required_on(REAL.required, BOOKWORM))
    assert fault.startswith("metadata/target.env has no line 'DISTRO_VERSION=12' where it is wanted: ")


def test_a_text_that_nobody_read_is_not_taken_for_a_good_one() -> None:
    [fault, *_] = faults(replace(held(BOOKWORM), texts={}), required_on(REAL.required, BOOKWORM))
    assert fault.startswith("metadata/target.env is not read: ")


def test_docker_needs_all_that_the_installer_asks_for_and_only_where_it_is_there() -> None:
    required = required_on(REAL.required, BOOKWORM)
    content = held(BOOKWORM)
    parts = {"docker-ce-cli", "containerd.io"}
    plug_ins = {"docker-buildx-plugin", "docker-compose-plugin"}
    none = content.packages - parts - plug_ins - {"docker-ce", "docker.io"}
    assert faults(replace(content, packages=none), required) == []
    assert faults(replace(content, packages=none | parts | plug_ins | {"docker-ce"}), required) == []
    for lacking in (parts, plug_ins):
        found = faults(replace(content, packages=none | (parts | plug_ins | {"docker-ce"}) - lacking), required)
        assert [all(name in fault for name in lacking) for fault in found] == [True]


def test_dockers_other_package_alone_is_refused_for_apt_shows_what_it_conflicts_with() -> None:
    names = {"docker-ce", "docker-ce-cli", "containerd.io", "docker-buildx-plugin", "docker-compose-plugin"}
    content = held(BOOKWORM)
    [fault] = faults(replace(content, packages=content.packages - names), required_on(REAL.required, BOOKWORM))
    assert fault.startswith("no package docker-ce, docker-ce-cli, containerd.io can be installed from the archive: ")


def test_an_archives_own_list_says_the_same_as_the_manifests() -> None:
    for target in TARGETS:
        required = required_on(REAL.required, target)
        assert parse_required(written(required)) == required
        assert required_on(parse_required(written(required)), target) == required
        assert written(required) == written(parse_required(written(required)))


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{}", b"[1]", b"null", b"[" * 100_000, b'[{"why": "x", "files": ["../x"]}]', b'[{"why": 1}]'),
        *(b'[{"why": "x", "other": 1}]', b'[{"why": "\\u001b[2J"}]', b'[{"why": "x", "files": ["a/**/b/**/c"]}]'),
        *(b'[{"why": "x", "files": ["a{evil}"]}]', b'[{"why": "x"}' + b', {"why": "x"}' * 500 + b"]"),
    ],
)
def test_an_archives_list_that_is_none_is_refused(content: bytes) -> None:
    with pytest.raises(IntegrityError, match="cannot be read"):
        parse_required(content)


def test_entries_that_say_nothing_or_name_no_target_are_problems() -> None:
    assert [*Required("so").problems(TARGETS)] == ["required: neither files nor packages: so"]
    assert [*Required("so", packages=("git",), executable=True).problems(TARGETS)] == [
        "required: something is said of files, and none are named: so"
    ]
    assert "unknown target 'debain'" in next(Required("so", packages=("git",), targets=("debain",)).problems(TARGETS))
    assert [problem for one in REAL.required for problem in one.problems(all_targets())] == []
    assert list(REAL.roles.problems(all_targets())) == []
    assert [problem for one in REAL.agreements for problem in one.problems(all_targets())] == []


def all_targets() -> list[Target]:
    names = [("debian", v) for v in ("11", "12", "13")] + [("ubuntu", v) for v in ("22.04", "24.04", "26.04")]
    return [Target(distro, version, arch, 36, None) for distro, version in names for arch in ("amd64", "arm64")]


@pytest.mark.parametrize(
    ("path", "pattern", "like"),
    [
        ("a/b.txt", "a/b.txt", True),
        ("a/b.txt", "a/*.txt", True),
        ("a/b/c.txt", "a/*.txt", False),
        ("a/b.txt", "a/*b*.txt*", True),
        ("a/ab.txt", "a/*b*b.txt", False),
        ("a/x", "a/x*x", False),
        ("p/x/y/bin/z", "p/**/bin/z", True),
        ("p/bin/z", "p/**/bin/z", True),
        ("p/bin", "p/**/bin/z", False),
        ("p", "p/**/*", False),
        ("p/q", "p/**/*", True),
        ("q/p/bin/z", "p/**/bin/z", False),
    ],
)
def test_stars_stay_in_a_name_and_two_stand_for_folders(path: str, pattern: str, like: bool) -> None:
    assert is_like(path, pattern) is like


@given(st.text("ab/", max_size=12), st.text("ab/*", max_size=8))
def test_a_pattern_means_what_the_same_regular_expression_does(path: str, pattern: str) -> None:
    if "**" not in pattern:
        expression = re.escape(pattern).replace(r"\*", "[^/]*")
        assert is_like(path, pattern) == bool(re.fullmatch(expression, path))


def test_a_pattern_of_many_stars_takes_no_time() -> None:
    assert not is_like("a" * 5000, "*a" * 100 + "b")


def test_the_sections_are_valid_yaml_without_our_reader_too() -> None:
    assert yaml.safe_load(RULES).keys() == {"agreements", "roles", "required"}


@pytest.mark.parametrize("model", [Agreement, Roles, LeftOut, TargetVariables, Required])
def test_the_example_of_each_class_is_one(model: type[object]) -> None:
    schema = Schema.of(adapter_of(model))
    adapter_of(model).validate_python(schema.example(schema.root))


def test_a_path_that_climbs_is_no_pattern() -> None:
    for path in ("../x", "/x", "a//b", "", "a\nb"):
        with pytest.raises(ValidationError):
            TypeAdapter(Required).validate_python({"why": "so", "files": [path]})


@pytest.mark.parametrize(
    "required",
    [
        [Required("w", tuple(f"p*{'a*' * 80}{rule}x{file}" for file in range(10))) for rule in range(400)],
        [Required("w", ("metadata/*",), lines=tuple(f"x{line}" for line in range(20)))] * 400,
    ],
    ids=["patterns", "lines"],
)
def test_a_list_that_keeps_verify_busy_is_given_up(required: list[Required]) -> None:
    files = {f"packages/{'a' * 120}{number}": ListedFile(f"x{number}") for number in range(20_000)}
    files["metadata/long"] = ListedFile("metadata/long")
    held = Held(files, {"metadata/long": b"\n" * (1 << 20)}, set())
    started = time.process_time()
    found = list(findings(required, held))
    assert time.process_time() - started < 5
    assert re.search("takes too long|too many", found[-1].message)
