from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bundler.errors import ManifestError, Problem
from bundler.kinds.manifests import Manifests, Reading
from bundler.kinds.prebuilt.component import PrebuiltComponent
from bundler.kinds.prebuilt.manifest import Prebuilt
from bundler.kinds.wheelhouse.component import WheelhouseComponent
from bundler.kinds.wheelhouse.manifest import Override, Wheelhouse
from bundler.model.document import Document, parse_yaml
from tests.model.samples import (
    DEBIAN_12,
    PROPERTY,
    UBUNTU_26,
    prebuilt_of,
    real_manifests,
    real_texts,
    request_of,
    wheelhouse_of,
)
from tests.modules import MODULES, text_of

TARGETS = """\
distros:
  debian:
    "12": {glibc: "2.36", python: 3.11.2}
    "13": {glibc: "2.41", python: 3.13.5}
arches: [amd64, arm64]
"""
PYTHON = """\
version: 3.13.5
tag: "1"
pins: {}
"""
LITELLM = """\
kind: wheelhouse
component: litellm
repository: example/litellm
asset: litellm-{distro}-{version}-{arch}.tar.gz
requirement: litellm[proxy]==1.0
"""
QMD = """\
kind: prebuilt
component: qmd
repository: example/qmd
tag: latest-runtime
asset: qmd-{os}-{arch}.tar.gz
targets: [linux-amd64]
"""
PIN = f'{{address: "https://example.org/cpython.tar.gz", sha256: {"a" * 64}}}'
GOOD = {"targets.yaml": TARGETS, "python.yaml": PYTHON, "litellm.yaml": LITELLM, "qmd.yaml": QMD}


def parse(**texts: str) -> Manifests:
    """Parse good manifests with some of them replaced, by stem."""
    return Manifests.parse(GOOD | {f"{stem}.yaml": text for stem, text in texts.items()})


def problems(**texts: str) -> list[str]:
    with pytest.raises(ManifestError) as caught:
        parse(**texts)
    assert caught.value.exit_code == 2
    return [str(problem) for problem in caught.value.problems]


def with_line(text: str, key: str, value: str) -> str:
    """The text with the value of one top-level key changed."""
    changed, times = re.subn(rf"(?m)^{key}: .*$", lambda _: f"{key}: {value}", text)
    assert times == 1
    return changed


def test_the_repositorys_manifests_hold_what_the_consumers_rely_on() -> None:
    manifests = real_manifests()
    distros = ["debian-11", "debian-12", "debian-13", "ubuntu-22.04", "ubuntu-24.04", "ubuntu-26.04"]
    assert [t.name for t in manifests.targets] == [
        *(f"{name}-{arch}" for name in distros for arch in ("amd64", "arm64")),
        "macos-11-arm64",
    ]
    assert [name for name, kind in manifests.kinds.items() if kind.COMMAND] == ["hermes", "litellm", "offline"]
    litellm = wheelhouse_of(manifests, "litellm")
    assert [litellm.asset_name(t) for t in manifests.targets] == [
        *(f"litellm-runtime-{t.distro}-{t.version}-{t.arch}.tar.gz" for t in manifests.targets[:-1]),
        "litellm-runtime-darwin-arm64.tar.gz",
    ]
    assert {"prisma", "psycopg2-binary"} <= set(litellm.extra_requirements)
    released = [prebuilt_of(manifests, name) for name, kind in manifests.kinds.items() if not kind.COMMAND]
    assert {asset.component: (asset.repository, asset.asset) for asset in released} == {
        "xworkspace-console": (
            "ai-workspace-lab/xworkspace-console",
            "xworkspace-console-runtime-{os}-{arch}.tar.gz",
        ),
        "xworkmate-bridge": ("ai-workspace-lab/xworkmate-bridge", "xworkmate-bridge-{os}-{arch}.tar.gz"),
        "qmd": ("ai-workspace-services/qmd", "qmd-runtime-{os}-{arch}.tar.gz"),
    }


def test_the_repositorys_manifests_pin_each_target_as_the_consumers_do() -> None:
    manifests = real_manifests()
    requests = {t.name: request_of(manifests, "litellm", t) for t in manifests.targets}
    for name, request in requests.items():
        version = "1.74.9" if name.startswith("debian-11") else "1.89.0"
        assert request.requirement == f"litellm[proxy]=={version}"
        assert request.portable == name.startswith(("ubuntu-26.04", "macos"))
    assert requests["ubuntu-26.04-arm64"].python.minor == "3.13"
    assert requests["debian-11-amd64"].python.version == "3.9.2"


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (
            'macos: {"11": {python: portable}}',
            "2:16: distros.macos.11.macos: is missing; a macOS version of 11.0 or later",
        ),
        ('macos: {"11": {python: portable, macos: 11.0}}', "2:42: distros.macos.11.macos: a macOS version of 11.0 or "),
        (
            'macos: {"11": {python: portable, macos: "10.15"}}',
            "2:42: distros.macos.11.macos: a macOS version of 11.0 or ",
        ),
        (
            'macos: {"11": {glibc: "2.36", python: 3.11.2, macos: "11.0"}}',
            "2:24: distros.macos.11.glibc: is of another system; ",
        ),
        (
            'debian: {"12": {macos: "11.0", python: 3.11.2}}',
            "2:17: distros.debian.12.glibc: is missing; a glibc version",
        ),
        ('darwin: {"11": {macos: "11.0", python: 3.11.2}}', "2:10: distros.darwin: is called macos here"),
        ('macos: {"11": {macos: "11.0", python: 3.11.2, arches: []}}', "2:56: distros.macos.11.arches: "),
    ],
)
def test_a_release_has_the_floor_of_its_platform(entry: str, said: str) -> None:
    told_of = problems(targets=f"distros:\n {entry}\narches: [amd64]\n")
    assert [line for line in told_of if line.startswith(f"targets.yaml:{said}")], told_of


def test_a_release_can_be_for_fewer_architectures_than_others() -> None:
    text = TARGETS.replace("arches:", '  macos: {"12": {macos: "12.0", python: 3.11.2, arches: [arm64]}}\narches:')
    targets = parse(targets=text).targets
    assert [(t.name, t.floor, t.platform) for t in targets if t.distro == "macos"] == [
        ("macos-12-arm64", 12, "darwin-arm64")
    ]
    assert {t.arch for t in targets if t.distro == "debian"} == {"amd64", "arm64"}


def test_an_override_names_archives_anew_and_no_two_the_same() -> None:
    override = "overrides: [{targets: [debian-12-arm64], asset: 'x-{os}-{arch}.tar.gz'}]\n"
    litellm = wheelhouse_of(parse(litellm=LITELLM + override), "litellm")
    names = {litellm.asset_name(t) for t in parse().targets}
    assert "x-linux-arm64.tar.gz" in names
    assert len(names) == len(parse().targets)
    said = problems(litellm=LITELLM + override.replace("debian-12-arm64", "debian"))[1]
    both = "debian-12-arm64 and debian-13-arm64 would both be x-linux-arm64.tar.gz"
    assert said == f"litellm.yaml:6:12: overrides: the archives of {both}"


def test_targets_come_in_the_order_of_the_file() -> None:
    text = (
        "distros:\n  ubuntu: {'26.04': {glibc: '2.43', python: portable}}\n"
        "  debian: {'12': {glibc: '2.36', python: 3.11.2}}\narches: [arm64, amd64]\n"
    )
    targets = parse(targets=text, python=with_line(PYTHON, "pins", f"{{amd64: {PIN}, arm64: {PIN}}}")).targets
    assert [t.name for t in targets] == [
        "ubuntu-26.04-arm64",
        "ubuntu-26.04-amd64",
        "debian-12-arm64",
        "debian-12-amd64",
    ]
    assert targets[0] == UBUNTU_26
    assert targets[3] == DEBIAN_12


def test_values_are_what_was_written() -> None:
    manifests = parse(
        litellm=LITELLM + "extra-requirements: [prisma]\nbootstrap: [pip>=25.1]\nenvironment: {LITELLM_MODE: x}\n"
        "overrides:\n- {targets: [debian-13], python: system, requirement: litellm==2.0}\n"
    )
    assert manifests.components == {
        "litellm": WheelhouseComponent(
            "litellm",
            Wheelhouse(
                kind="wheelhouse",
                component="litellm",
                repository="example/litellm",
                asset="litellm-{distro}-{version}-{arch}.tar.gz",
                requirement="litellm[proxy]==1.0",
                extra_requirements=("prisma",),
                bootstrap=("pip>=25.1",),
                environment={"LITELLM_MODE": "x"},
                overrides=(Override(targets=("debian-13",), requirement="litellm==2.0", python="system"),),
            ),
        ),
        "qmd": PrebuiltComponent(
            "qmd",
            Prebuilt(
                kind="prebuilt",
                component="qmd",
                repository="example/qmd",
                tag="latest-runtime",
                asset="qmd-{os}-{arch}.tar.gz",
                targets=("linux-amd64",),
            ),
        ),
    }


def test_what_a_command_makes_is_read_before_all_else() -> None:
    reading = Reading({**GOOD, "qmd.yaml": QMD + "colour: red\n"})
    some = reading.some("build")
    whole = Manifests.parse(GOOD)
    assert list(some.components) == list(some.kinds) == ["litellm"]
    assert some.components["litellm"] == whole.components["litellm"] and some.hosts == whole.hosts
    with pytest.raises(ManifestError) as caught:
        reading.whole()
    assert [problem.file for problem in caught.value.problems] == ["qmd.yaml"]


def test_a_problem_in_what_is_read_first_is_told_with_all_others() -> None:
    with pytest.raises(ManifestError) as caught:
        Reading({**GOOD, "litellm.yaml": "kind: wheelhouse\n", "qmd.yaml": QMD + "colour: red\n"}).some("build")
    assert {problem.file for problem in caught.value.problems} == {"litellm.yaml", "qmd.yaml"}


def test_a_package_that_is_read_first_knows_all_others() -> None:
    package = real_texts()["offline.yaml"]
    reading = Reading({**real_texts(), "offline.yaml": package.replace("manifest: qmd", "manifest: other")})
    with pytest.raises(ManifestError, match=r"other\.yaml is no component"):
        reading.some("assemble")
    assert list(Reading(real_texts()).some("assemble").components) == ["offline"]


def test_every_problem_of_every_file_is_told_by_file_and_line() -> None:
    said = problems(
        targets=TARGETS.replace('"2.41"', "2.41").replace("arm64", "riscv"),
        python=PYTHON.replace("3.13.5", "3.13"),
        litellm=LITELLM + "colour: red\nbootstrap: [pip, '==']\n",
        qmd="kind: [\n",
        console="a: 1\na: 2\n",
    )
    assert [line.split(": ")[0] for line in said] == [
        "console.yaml:2:1",
        "litellm.yaml:6:1",
        "litellm.yaml:7:18",
        "python.yaml:1:10",
        "qmd.yaml:2:1",
        "targets.yaml:4:19",
        "targets.yaml:5:17",
    ]
    assert said[2].startswith("litellm.yaml:7:18: bootstrap.1: not a requirement, ")


def test_missing_targets_are_told_with_what_the_file_holds() -> None:
    with pytest.raises(ManifestError) as caught:
        Manifests.parse({"litellm.yaml": LITELLM})
    (said,) = caught.value.problems
    assert str(said).startswith('targets.yaml: is missing; it holds a mapping with "distros" and "arches", such as {')
    Manifests.parse({"litellm.yaml": LITELLM, "targets.yaml": str(said).partition("such as ")[2]})


KINDS = '"wheelhouse", "prebuilt" or "offline"'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", f"1:1: a mapping with a kind ({KINDS}) is wanted; here stands nothing"),
        ("- 1\n", f"1:1: a mapping with a kind ({KINDS}) is wanted; here stands a list"),
        ("word\n", f'1:1: a mapping with a kind ({KINDS}) is wanted; here stands "word"'),
        ("component: x\n", f"1:1: kind: is missing; {KINDS} is wanted, such as kind: wheelhouse"),
        ("kind: cake\n", f'1:7: kind: {KINDS} is wanted; here stands "cake"'),
        ("kind: [wheelhouse]\n", f"1:7: kind: {KINDS} is wanted; here stands a list"),
        ("a: b\nkind: 5\n", f"2:7: kind: {KINDS} is wanted; here stands the number 5"),
        ("kind: wheelhose\n", f'1:7: kind: {KINDS} is wanted; here stands "wheelhose"; did you mean "wheelhouse"?'),
        ("kind: pre-built\n", f'1:7: kind: {KINDS} is wanted; here stands "pre-built"; did you mean "prebuilt"?'),
        ("kind: asset\n", f'1:7: kind: {KINDS} is wanted; here stands "asset"'),
        (
            "kind: release_asset\n",
            f'1:7: kind: {KINDS} is wanted; here stands "release_asset"; did you mean "release-asset"?',
        ),
    ],
)
def test_a_file_of_no_kind_is_told(text: str, said: str) -> None:
    assert problems(console=text) == [f"console.yaml:{said}"]


@pytest.mark.parametrize("stem", ["targets", "python"])
@pytest.mark.parametrize("text", ["", "- 1\n", "word\n"])
def test_targets_and_python_that_are_no_mapping_are_told(stem: str, text: str) -> None:
    assert [line.split(": ")[0] for line in problems(**{stem: text})] == [f"{stem}.yaml:1:1"]


def replaced(stem: str, old: str, new: str) -> dict[str, str]:
    text = GOOD[f"{stem}.yaml"]
    assert text.count(old) == 1
    return {stem: text.replace(old, new)}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (replaced("litellm", "asset:", "assets:"), "litellm.yaml:1:1: asset: is missing; a file name with {distro}, "),
        (replaced("litellm", "component: litellm", "component: LiteLLM"), "litellm.yaml:2:12: component: "),
        (replaced("litellm", "component: litellm", "component: a.b"), "litellm.yaml:2:12: component: "),
        (replaced("litellm", "component: litellm", "component: 9router"), "litellm.yaml:2:12: component: "),
        (replaced("litellm", "example/litellm", "litellm"), "litellm.yaml:3:13: repository: "),
        (replaced("litellm", "example/litellm", "a/b/c"), "litellm.yaml:3:13: repository: "),
        (replaced("targets", '"2.36"', '"3.0"'), "targets.yaml:3:19: distros.debian.12.glibc: "),
        (replaced("targets", "3.11.2", "3.11"), "targets.yaml:3:35: distros.debian.12.python"),
        (
            replaced("targets", "debian:", "Debian:"),
            "targets.yaml:2:3: distros.Debian: a distro's name of small letters ",
        ),
        (replaced("targets", '"12":', '"12.":'), "targets.yaml:3:5: distros.debian.12.: a distro's version of "),
        (replaced("targets", "[amd64, arm64]", "[]"), "targets.yaml:5:9: arches: "),
        (replaced("targets", "[amd64, arm64]", "[amd64, amd64]"), "targets.yaml:5:9: arches: amd64 is there twice"),
        (replaced("python", "pins: {}", "pins: {x86: 1}"), "python.yaml:3:8: pins.x86: amd64, arm64, darwin-amd64 or "),
        (replaced("python", "pins: {}", f"pins: {{amd64: {PIN.replace('https', 'http')}}}"), "python.yaml:3:25: "),
        (replaced("python", "pins: {}", f"pins: {{amd64: {PIN.replace('a' * 64, 'A' * 64)}}}"), "python.yaml:3:71: "),
        (replaced("qmd", "[linux-amd64]", "[windows-amd64]"), "qmd.yaml:6:11: targets.0: "),
        (replaced("qmd", "[linux-amd64]", "[linux-amd64, linux-amd64]"), "qmd.yaml:6:10: targets: linux-amd64 is"),
        (replaced("qmd", "[linux-amd64]", "[]"), "qmd.yaml:6:10: targets: "),
        (replaced("qmd", "tag: latest-runtime", "tag: ../x"), "qmd.yaml:4:6: tag: "),
    ],
)
def test_a_wrong_value_is_told_where_it_stands(changed: dict[str, str], said: str) -> None:
    assert said in [line[: len(said)] for line in problems(**changed)]


def test_a_manifest_without_a_distro_is_told() -> None:
    assert problems(targets="distros: {}\narches: [amd64]\n")[0].startswith("targets.yaml:1:10: distros: ")


@pytest.mark.parametrize("stem", ["targets", "python", "litellm", "qmd"])
def test_unknown_keys_are_told(stem: str) -> None:
    text = GOOD[f"{stem}.yaml"] + "colour: red\n"
    number = len(text.splitlines())
    (said,) = problems(**{stem: text})
    assert said.startswith(f"{stem}.yaml:{number}:1: colour: unknown key; there are: ")


@pytest.mark.parametrize("key", ["extra_requirements", "leave_out"])
def test_keys_are_spelled_with_hyphens(key: str) -> None:
    stem = "litellm" if key == "extra_requirements" else "python"
    (said,) = problems(**{stem: GOOD[f"{stem}.yaml"] + f"{key}: []\n"})
    assert said.endswith(f":1: {key}: unknown key; did you mean {key.replace('_', '-')}?")
    parse(**{stem: GOOD[f"{stem}.yaml"] + f"{key.replace('_', '-')}: []\n"})


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("x-{distro}-{version}.tar.gz", "{arch} is missing"),
        ("x.tar.gz", "{distro} is missing"),
        ("x-{os}-{distro}-{version}-{arch}", "unknown field {os}; there are {distro}, {version}, {arch}"),
        ("{}-{distro}-{version}-{arch}", "unknown field {}"),
        ("{0}-{distro}-{version}-{arch}", "unknown field {0}"),
        ("{distro.name}-{distro}-{version}-{arch}", "unknown field {distro.name}"),
        ("{distro[0]}-{distro}-{version}-{arch}", "unknown field {distro[0]}"),
        ("{distro!r}-{distro}-{version}-{arch}", "unknown field {distro!r}"),
        ("{distro:>9}-{distro}-{version}-{arch}", "unknown field {distro:>9}"),
        ("{distro:{arch}}-{distro}-{version}-{arch}", "unknown field {distro:{arch}}"),
        ("x-{distro-{version}-{arch}", "not a template"),
        ("x-}-{distro}-{version}-{arch}", "not a template"),
        ("a/{distro}-{version}-{arch}", "letters, digits"),
        ("a b-{distro}-{version}-{arch}", "letters, digits"),
        ("-{distro}-{version}-{arch}", "letters, digits"),
        ("{{x}}-{distro}-{version}-{arch}", "letters, digits"),
        ("ü-{distro}-{version}-{arch}", "letters, digits"),
    ],
)
def test_a_template_names_every_target_apart_and_plainly(template: str, words: str) -> None:
    (said,) = problems(litellm=with_line(LITELLM, "asset", f"'{template}'"))
    assert said.startswith("litellm.yaml:4:8: asset: ")
    assert words in said


def test_a_release_assets_template_has_fields_of_its_own() -> None:
    (said,) = problems(qmd=with_line(QMD, "asset", "'qmd-{distro}-{arch}'"))
    assert said == "qmd.yaml:5:8: asset: unknown field {distro}; there are {os}, {arch}"


@pytest.mark.parametrize("form", ["x", "x>=1", "x>=1,<2", "x[a]", "x[a,b]~=1.4", "x == 1.0", "x!=1.5"])
def test_extra_requirements_are_names_and_versions(form: str) -> None:
    assert wheelhouse_of(
        parse(litellm=LITELLM + f"extra-requirements: ['{form}']\n"), "litellm"
    ).extra_requirements == (form,)


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ("", 'a requirement is wanted, such as "demo>=1.2"; here stands ""'),
        ("==1", "not a requirement"),
        ("-r other.txt", "not a requirement"),
        ("--index-url=x", "not a requirement"),
        ("x y", "not a requirement"),
        ("x>>1", "not a requirement"),
        ("x @ https://example.org/x.whl", "no address, no marker"),
        ("x; python_version<'3.9'", "no address, no marker"),
        pytest.param("x" * 201, "at most 200", id="long"),
    ],
)
@pytest.mark.parametrize("key", ["extra-requirements", "bootstrap"])
def test_other_forms_of_requirement_are_told(key: str, form: str, words: str) -> None:
    (said,) = problems(litellm=LITELLM + f'{key}: [x, "{form}"]\n')
    assert said.startswith(f"litellm.yaml:6:{len(key) + 7}: {key}.1: ")
    assert words in said


@pytest.mark.parametrize("spec", ["litellm==1.0", "litellm[proxy]==1.89.0", "a[b,c]==1.0+local", "a.b_c-d==1rc1"])
def test_the_components_requirement_is_pinned(spec: str) -> None:
    assert wheelhouse_of(parse(litellm=with_line(LITELLM, "requirement", spec))).requirement == spec


@pytest.mark.parametrize(
    "spec",
    [
        "litellm", "litellm>=1", "litellm==1.*", "litellm == 1", "litellm ==1", "litellm==1,==1", "litellm===1",
        "litellm[]==1", "litellm[a,]==1", "litellm[a b]==1", "-litellm==1", "litellm==", "litellm==1!2", "==1",
        "litellm==1 ; x", "litellm==1;x", "$(touch x)==1", "litellm==`x`", "litellm==~", "lite*==1", "litellm==1&",
        "litellm==1\\n", "litellm==1\\nx", "\\tlitellm==1", "litellm=='1'", "lit{a,b}==1", "litellm==1#", "litellm==é",
    ],
)  # fmt: skip
def test_a_requirement_that_is_not_one_plain_pin_is_told(spec: str) -> None:
    (said,) = problems(litellm=with_line(LITELLM, "requirement", f'"{spec}"'))
    assert said.startswith("litellm.yaml:5:14: requirement: ")


@pytest.mark.parametrize(
    "pair", [
        "a: x", "1A: x", "A-B: x", "LITELLM_LOG: ''", "LITELLM_LOG: $x", "LITELLM_LOG: 'x y'", "LITELLM_LOG: ~x",
        "LITELLM_LOG: 1", "LITELLM_LOG: -x", "LITELLM_LOG: /x", "LITELLM_LOG: 'x;y'", "LITELLM_LOG: 'x*'",
        "PATH: x", "LITELLM_PACKAGE_SPEC: x", "ANSIBLE_BECOME_FLAGS: -A", "PRISMA_BINARY_CACHE_DIR: /a/../b",
    ],
)  # fmt: skip
def test_a_variable_that_bash_could_misread_is_told(pair: str) -> None:
    (said,) = problems(litellm=LITELLM + f"environment: {{{pair}}}\n")
    assert said.startswith("litellm.yaml:6:")
    assert ": environment" in said


@pytest.mark.parametrize("pair", ["ANSIBLE_BECOME_FLAGS: -HSnE", 'LITELLM_OFFLINE_MODE: "true"'])
def test_what_pip_and_an_offline_host_need_may_stand_in_a_manifest(pair: str) -> None:
    name, _, value = pair.partition(": ")
    manifest = wheelhouse_of(parse(litellm=LITELLM + f"environment: {{{pair}}}\n"))
    assert manifest.environment == {name: value.strip('"')}


@PROPERTY
@given(st.dictionaries(st.sampled_from([*GOOD, "x.yaml"]), st.text(max_size=40)))
def test_no_text_raises_anything_but_a_manifest_error(texts: dict[str, str]) -> None:
    try:
        Manifests.parse(GOOD | texts)
    except ManifestError as error:
        assert error.problems


@PROPERTY
@given(st.data())
@pytest.mark.slow
def test_the_real_manifests_with_a_line_changed_parse_or_are_told(data: st.DataObject) -> None:
    texts = real_texts()
    name = data.draw(st.sampled_from(sorted(texts)))
    lines = texts[name].splitlines()
    number = data.draw(st.integers(0, len(lines) - 1))
    lines[number] = data.draw(st.sampled_from(["", "  - x", "x: y", lines[number] + " x", lines[number][:-1], "}"]))
    try:
        Manifests.parse(texts | {name: "\n".join(lines)})
    except ManifestError as error:
        assert {problem.file for problem in error.problems} <= {
            name,
            "hermes.yaml",
            "litellm.yaml",
            "offline.yaml",
            "python.yaml",
        }


# What only several values together show.

OTHER = with_line(with_line(LITELLM, "component", "other"), "asset", "other-{distro}-{version}-{arch}.tar.gz")


def test_what_builds_an_archive_names_the_component_where_several_could_be_meant() -> None:
    def words(manifests: Manifests) -> dict[str, str]:
        return {
            stem: one.assets(manifests.hosts, ["debian-12-amd64"])[0][1] for stem, one in manifests.components.items()
        }

    qmd = "debian-12-amd64 --component qmd"
    assert words(parse()) == {"litellm": "debian-12-amd64", "qmd": qmd}
    assert words(parse(other=OTHER)) == {
        "litellm": "debian-12-amd64 --component litellm",
        "other": "debian-12-amd64 --component other",
        "qmd": qmd,
    }


PORTABLE = TARGETS.replace("python: 3.13.5", "python: portable")


@pytest.mark.parametrize(
    ("targets", "pins", "missing"),
    [
        (PORTABLE, "{}", "amd64"),
        (PORTABLE, f"{{amd64: {PIN}}}", "arm64"),
        (PORTABLE, f"{{arm64: {PIN}}}", "amd64"),
        (PORTABLE.replace("[amd64, arm64]", "[arm64]"), "{}", "arm64"),
    ],
)
def test_a_portable_python_must_be_pinned_for_every_architecture(targets: str, pins: str, missing: str) -> None:
    said = problems(targets=targets, python=with_line(PYTHON, "pins", pins), other=OTHER)
    assert said == [
        f"python.yaml: pins: none for {missing}, but debian-13-{missing} is to have a portable Python (targets.yaml)"
    ]


def test_an_override_to_portable_needs_pins_too() -> None:
    text = LITELLM + "overrides: [{targets: [debian-12], python: portable}]\n"
    assert problems(litellm=text) == [
        "python.yaml: pins: none for amd64, but debian-12-amd64 is to have a portable Python (litellm.yaml)"
    ]
    parse(litellm=text, python=with_line(PYTHON, "pins", f"{{amd64: {PIN}, arm64: {PIN}}}"))


def test_where_no_target_is_portable_there_need_be_no_portable_python() -> None:
    texts = {name: text for name, text in GOOD.items() if name != "python.yaml"}
    text = LITELLM + (
        "overrides: [{targets: [arm64], python: portable}, {targets: [debian], requirement: litellm==2},"
        " {targets: [all], python: system}]\n"
    )
    for litellm in (LITELLM, text):
        manifests = Manifests.parse(texts | {"litellm.yaml": litellm})
        assert manifests.hosts.python is None
        request = request_of(manifests, "litellm", manifests.targets[0])
        assert (request.portable, request.python.version) == (False, "3.11.2")


@pytest.mark.parametrize(
    ("targets", "overrides", "who"),
    [
        (PORTABLE, "", "debian-13-amd64 is to have a portable Python (targets.yaml)"),
        (
            TARGETS,
            "overrides: [{targets: [arm64], python: portable}]\n",
            "debian-12-arm64 is to have a portable Python (litellm.yaml)",
        ),
    ],
)
def test_a_missing_portable_python_is_told_with_who_needs_it_and_what_the_file_holds(
    targets: str, overrides: str, who: str
) -> None:
    texts = {
        "targets.yaml": targets,
        "litellm.yaml": LITELLM + overrides,
        "other.yaml": OTHER,
    }
    with pytest.raises(ManifestError) as caught:
        Manifests.parse(texts)
    (said,) = map(str, caught.value.problems)
    assert said.startswith(f"python.yaml: is missing, but {who}; it holds a mapping with ")
    # What it shows is YAML, and nearly enough.
    shown = said.partition("such as ")[2]
    Manifests.parse(texts | {"python.yaml": shown.replace("}}}", f"}}, arm64: {PIN}}}}}")})


def test_a_missing_portable_python_is_told_for_each_component_that_asks_for_one() -> None:
    override = "overrides: [{targets: [debian-12-arm64], python: portable}]\n"
    with pytest.raises(ManifestError) as caught:
        Manifests.parse({"targets.yaml": TARGETS, "litellm.yaml": LITELLM + override, "other.yaml": OTHER + override})
    told = [str(problem).partition(";")[0] for problem in caught.value.problems]
    who = "python.yaml: is missing, but debian-12-arm64 is to have a portable Python"
    assert told == [f"{who} ({stem}.yaml)" for stem in ("litellm", "other")]


def test_a_broken_portable_python_is_not_told_to_be_missing() -> None:
    assert [line.split(": ")[0] for line in problems(targets=PORTABLE, python="version: 1\n")] == [
        "python.yaml:1:1",
        "python.yaml:1:1",
        "python.yaml:1:10",
    ]


def test_pins_are_enough_for_the_architectures_there_are() -> None:
    parse(
        targets=PORTABLE.replace("[amd64, arm64]", "[arm64]"),
        python=with_line(PYTHON, "pins", f"{{arm64: {PIN}}}"),
    )


def test_an_override_that_selects_nothing_is_told_with_the_nearest() -> None:
    text = LITELLM + "overrides:\n- targets: [debian-12]\n- targets: [debain-13]\n- targets: [windows]\n"
    nearest, none = problems(litellm=text)
    assert nearest.startswith("litellm.yaml:8:12: overrides.1.targets: unknown target 'debain-13'; did you mean ")
    assert "debian-13" in nearest
    assert none.startswith("litellm.yaml:9:12: overrides.2.targets: unknown target 'windows'; one of: ")


def test_an_override_to_a_system_python_that_there_is_not_is_told() -> None:
    (said,) = problems(
        targets=PORTABLE,
        python=with_line(PYTHON, "pins", f"{{amd64: {PIN}, arm64: {PIN}}}"),
        litellm=LITELLM + "overrides:\n- targets: [debian]\n  python: system\n",
    )
    assert said == "litellm.yaml:8:11: debian-13-amd64 has no system Python to use (targets.yaml)"


def test_an_override_without_targets_is_told() -> None:
    (said,) = problems(litellm=LITELLM + "overrides: [{targets: []}]\n")
    assert said.startswith("litellm.yaml:6:23: overrides.0.targets: ")


# What is said of what is wrong, checked on every key of the repository's manifests.

CLASSES = set(re.findall(r"(?m)^\s*class (\w+)", "\n".join(map(text_of, MODULES)))) - {"GitHub", "Python"}
REAL = real_texts()
# The all-in-one package's has parts, which would have to be there too, and sections with tests of their own.
EACH = [name for name in REAL if name != "offline.yaml"]
DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
Data: TypeAlias = "dict[str, Data] | list[Data] | str | bool"
Steps: TypeAlias = tuple[str | int, ...]


def steps_of(data: Data, path: Steps = ()) -> Iterator[tuple[Steps, Data]]:
    """The path of every value, and the value; without what stands in a `body`, which may be anything."""
    for step, value in data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ():
        yield (*path, step), value
        yield from () if step == "body" else steps_of(value, (*path, step))


def changed(data: Data, path: Steps, change: Callable[[Any, Any], object]) -> str:
    """The data as YAML after `change` was done to the mapping or list that holds the value at `path`."""
    whole: Any = copy.deepcopy(data)
    holder = whole
    for step in path[:-1]:
        holder = holder[step]
    change(holder, path[-1])
    return yaml.dump(whole, Dumper=DUMPER, sort_keys=False)


def told(name: str, text: str) -> tuple[list[Problem], Document]:
    """The problems that the changed manifest has in itself, all of them in plain words."""
    shared = ("targets.yaml", "python.yaml")
    beside = REAL if name in shared else {other: REAL[other] for other in shared}
    try:
        Manifests.parse({**beside, name: text})
    except ManifestError as error:
        for problem in error.problems:
            assert_plain(problem.message)
        return [problem for problem in error.problems if problem.file == name and problem.line], parse_yaml(text, name)
    return [], parse_yaml(text, name)


def assert_plain(message: str) -> None:
    for odd in ("^", "\\", "[a-z", "[0-9", "pattern", "Input should", "pydantic", "Field required", "function-"):
        assert odd not in message, message
    assert not CLASSES & set(re.findall(r"\w+", message)), message


# Each walks through every value of every manifest: one of a sort is quick enough for every run.
more = pytest.mark.slow


@pytest.mark.parametrize(
    "value", [5, ["a"], *(pytest.param(value, marks=more) for value in (2.5, True, "a b"))], ids=str
)
@pytest.mark.parametrize("name", EACH)
@pytest.mark.slow
def test_every_value_of_a_wrong_sort_is_told_once_plainly_in_its_place(name: str, value: object) -> None:
    data = yaml.safe_load(REAL[name])
    for path, there in steps_of(data):
        if isinstance(there, str if value == "a b" else list) and isinstance(value, str | list):
            continue  # of the right sort
        if type(there) in (bool, int) and type(there) is type(value):
            continue
        text = changed(data, path, lambda holder, step: holder.__setitem__(step, value))
        found, document = told(name, text)
        assert [(p.line, p.column) for p in found] == [document.marks[path]], (path, found)
        assert found[0].message.startswith(f"{'.'.join(map(str, path))}: ")
        assert "wanted" in found[0].message
        assert found[0].message.endswith(f"here stands {STANDS[str(value)]}")


STANDS = {"5": "the number 5", "2.5": "the number 2.5", "True": "true", "['a']": "a list", "a b": '"a b"'}


# Where any text may stand, or nearly any: lines of gitignore files, files, arguments, answers.
FREE = {"leave-out", "files", "start", "answer", "reason", "description", "secrets"}


@pytest.mark.parametrize(
    "value",
    ["a b", *(pytest.param(value, marks=more) for value in ("", "é", "x" * 3000, "../../x"))],
    ids=lambda value: value[:7] or "empty",
)
@pytest.mark.parametrize("name", EACH)
@pytest.mark.slow
def test_every_text_that_cannot_be_taken_is_told_once_plainly_in_its_place(name: str, value: str) -> None:
    data = yaml.safe_load(REAL[name])
    for path, there in steps_of(data):
        if not isinstance(there, str):
            continue
        found, document = told(name, changed(data, path, lambda holder, step: holder.__setitem__(step, value)))
        places, there_or_around = [(p.line, p.column) for p in found], [[document.marks[path]]]
        if {"targets", "start"} & set(path[:-1]):  # what selects no target, or no {port}, is told at the list
            there_or_around.append([document.marks[path[:-1]]])
        assert places in there_or_around or (not places and FREE & set(path)), (path, found)


@pytest.mark.parametrize("name", EACH)
@pytest.mark.slow
def test_every_missing_key_is_told_plainly_with_what_it_holds(name: str) -> None:
    data = yaml.safe_load(REAL[name])
    for path, _ in steps_of(data):
        if isinstance(path[-1], int):
            continue
        found, document = told(name, changed(data, path, lambda holder, step: holder.pop(step)))
        needed = path[-1] in ({"targets"} if path[0] == "overrides" else REQUIRED) and (name, *path) not in OPTIONAL
        assert [(p.line, p.column) for p in found] == [document.marks[path[:-1]]] * needed, (path, found)
        for problem in found:
            told_of = problem.message.replace(
                "rehearsal: ", "rehearsal.", 1
            )  # which keys it takes depends on the others
            assert told_of.startswith(f"{'.'.join(map(str, path))}: is missing; ")
            assert "wanted" in problem.message


OPTIONAL = {
    ("hermes.yaml", "targets"),
    ("targets.yaml", "distros", "macos"),
    ("targets.yaml", "distros", "macos", "11", "arches"),
}
REQUIRED = {
    *(
        "distros",
        "arches",
        "glibc",
        "macos",
        "python",
        "version",
        "tag",
        "pins",
        "address",
        "sha256",
        "kind",
        "component",
    ),
    *("repository", "asset", "requirement", "targets", "prisma-cli", "engines", "commit", "node", "schema"),
    *("start", "ready", "path", "answer", "variable", "requirements", "reason"),
    *("description", "alive", "port", "internal-port"),
}


@pytest.mark.parametrize("name", EACH)
def test_every_misspelt_key_is_told_plainly_with_the_nearest(name: str) -> None:
    data = yaml.safe_load(REAL[name])
    free = {"debian", "ubuntu", "11", "12", "13", "22.04", "24.04", "26.04", "amd64", "arm64"}
    if name == "python.yaml":
        free.add("darwin-arm64")
    for path, _ in steps_of(data):
        key = path[-1]
        if isinstance(key, int) or path == ("kind",) or "files" in path[:-1]:
            continue
        wrong = (*path[:-1], f"{key}-")
        found, document = told(
            name, changed(data, path, lambda holder, step: holder.update({f"{step}-": holder.pop(step)}))
        )
        (problem,) = [p for p in found if (p.line, p.column) == document.keys[wrong]]
        assert problem.message.startswith(f"{'.'.join(map(str, wrong))}: ")
        if path[:-1] != ("distros",) and not {key} & free and not {"environment", "secrets", "trial"} & set(path[:-1]):
            assert problem.message.endswith(f"unknown key; did you mean {key}?")
