from __future__ import annotations

import time
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement

from bundler.model.closure import Wheel, describe, proof_of, prove
from bundler.model.interpreter import Interpreter
from tests.model.samples import PROPERTY

DEBIAN_12 = Interpreter("3.11.2", "linux-amd64", 36)
PYTHON_3_14 = Interpreter("3.14.0", "linux-amd64", 43)


def wheel(
    name: str, *requires: str, version: str = "1.0", tag: str = "py3-none-any", python: str | None = None
) -> Wheel:
    return Wheel(f"{name.replace('-', '_')}-{version}-{tag}.whl", requires, python)


def found(*wheels: Wheel, roots: tuple[str, ...] = ("app",), python: Interpreter = DEBIAN_12) -> list[str]:
    return list(prove(roots, wheels, python))


def test_what_closes_is_proven() -> None:
    assert (
        found(
            wheel("app", "lib>=1", "other-lib==1.*; sys_platform == 'linux'"),
            wheel("lib", "other_lib"),
            wheel("other-lib", tag="cp311-cp311-manylinux_2_17_x86_64"),
        )
        == []
    )


def test_a_proof_tells_which_wheel_asks_for_which_on_that_host() -> None:
    wheels = (
        wheel("app", "lib>=1", "win; sys_platform == 'win32'", "later; python_full_version >= '3.11.9'", "gone"),
        wheel("lib", "back; extra == 'x'", "app"),
        wheel("back"),
        wheel("later"),
        wheel("win"),
    )
    proof = proof_of(("app", "lib[x]"), wheels, DEBIAN_12)
    assert proof.edges == {"app": {"lib", "later"}, "lib": {"app", "back"}}
    assert [finding.partition(":")[0] for finding in proof.findings] == ["missing", "surplus"]


def test_nothing_is_proven_for_nothing() -> None:
    assert found(roots=()) == []


def test_what_is_missing_is_told_with_the_chain_that_leads_to_it() -> None:
    assert found(wheel("app", "lib>=1"), wheel("lib", "deep[x]==2; python_version >= '3'"), roots=("app[y]==1.0",)) == [
        "missing: no wheel of deep; needed by app[y]==1.0 -> lib>=1 -> deep[x]==2"
    ]
    assert found() == ["missing: no wheel of app; needed by app"]


@pytest.mark.parametrize("needs", [("a", "b"), ("b", "a")])
def test_the_shortest_chain_is_told_once(needs: tuple[str, ...]) -> None:
    wheels = (wheel("app", *needs), wheel("a", "b"), wheel("b", "gone"))
    assert found(*wheels) == ["missing: no wheel of gone; needed by app -> b -> gone"]


def test_what_no_requirement_leads_to_is_surplus() -> None:
    assert found(wheel("app"), wheel("idle", "more"), wheel("more")) == [
        "surplus: idle-1.0-py3-none-any.whl, which no requirement leads to",
        "surplus: more-1.0-py3-none-any.whl, which no requirement leads to",
    ]


def test_a_wheel_of_another_platform_is_told() -> None:
    lib = wheel("lib", tag="cp311-cp311-manylinux_2_17_aarch64")
    assert found(wheel("app", "lib"), lib) == [
        f"wrong platform: {lib.filename} does not run on CPython 3.11.2, glibc 2.36, x86_64; needed by app -> lib"
    ]


@pytest.mark.parametrize(
    "tag", ["cp312-cp312-manylinux_2_17_x86_64", "cp311-cp311-manylinux_2_38_x86_64", "cp311-cp311-win_amd64"]
)
def test_another_python_a_newer_glibc_and_another_system_are_other_platforms(tag: str) -> None:
    (finding,) = found(wheel("app", tag=tag))
    assert finding.startswith("wrong platform: app-")


def test_an_idle_wheel_of_another_platform_is_both() -> None:
    findings = found(wheel("app"), wheel("idle", tag="cp311-cp311-win_amd64"))
    assert [finding.partition(":")[0] for finding in findings] == ["wrong platform", "surplus"]


@pytest.mark.parametrize(
    ("requirement", "version", "fits"),
    [
        ("lib==1.0", "1.0.0", True),
        ("lib>=1,<2", "2.0", False),
        ("lib~=1.4", "1.9", True),
        ("lib~=1.4", "2.0", False),
        ("lib!=1.5", "1.5", False),
        ("lib>=1.0", "1.1rc1", True),
        ("lib>=1.1", "1.1rc1", False),
        ("lib==1.0", "1.0+cu1", True),
        ("lib===1.0", "1.0", True),
    ],
)
def test_the_version_must_be_one_that_is_asked_for(requirement: str, version: str, fits: bool) -> None:
    lib = wheel("lib", version=version)
    specifier = Requirement(requirement).specifier
    expected = [] if fits else [f"wrong version: {lib.filename} is not {specifier}; needed by app -> lib{specifier}"]
    assert found(wheel("app", requirement), lib) == expected


def test_every_requirement_on_a_version_counts() -> None:
    wheels = (wheel("app", "a", "b"), wheel("a", "lib>=1"), wheel("b", "lib<1"), wheel("lib"))
    assert found(*wheels) == ["wrong version: lib-1.0-py3-none-any.whl is not <1; needed by app -> b -> lib<1"]


@pytest.mark.parametrize(
    ("wants", "python", "fits"),
    [
        (">=3.10,<3.14", DEBIAN_12, True),
        (">=3.10,<3.14", PYTHON_3_14, False),
        (">=3.12", DEBIAN_12, False),
        (">=3.11.2", DEBIAN_12, True),
        (">=3.11.3", DEBIAN_12, False),
        ("!=3.11.0,>=3.9", DEBIAN_12, True),
        ("~=3.11", DEBIAN_12, True),
        ("", DEBIAN_12, True),
        (None, DEBIAN_12, True),
        ("<3.12.0a0", DEBIAN_12, True),
    ],
)
def test_requires_python_is_held_to_both_ends(wants: str | None, python: Interpreter, fits: bool) -> None:
    findings = found(wheel("app", python=wants), python=python)
    expected = f"wrong Python: app-1.0-py3-none-any.whl wants {wants}, here is {python.version}; needed by app"
    assert findings == ([] if fits else [expected])


@pytest.mark.parametrize("wants", ["<3.11.9", "!=3.11.7", "<=3.11.4"])
def test_requires_python_must_hold_for_later_patches_too(wants: str) -> None:
    (finding,) = found(wheel("app", python=wants))
    assert finding.startswith(f"wrong Python: app-1.0-py3-none-any.whl wants {wants}, here is 3.11.")


def test_extras_add_requirements_only_when_asked_for() -> None:
    app = wheel("app", "base", "extra-lib; extra == 'proxy'", "other; extra == 'else'")
    base, lib = wheel("base"), wheel("extra-lib")
    assert found(app, base, lib, roots=("app[proxy]",)) == []
    assert found(app, base, roots=("app",)) == []
    assert found(app, base, roots=("app[proxy]",)) == [
        "missing: no wheel of extra-lib; needed by app[proxy] -> extra-lib"
    ]
    assert found(app, base, lib, roots=("app",)) == [
        "surplus: extra_lib-1.0-py3-none-any.whl, which no requirement leads to"
    ]


def test_extras_asked_for_along_different_ways_add_up() -> None:
    lib = wheel("lib", "x; extra == 'x'", "y; extra == 'y'")
    wheels = (wheel("app", "lib[x]", "more"), wheel("more", "lib[y]"), lib, wheel("x"), wheel("y"))
    assert found(*wheels) == []
    assert found(*wheels[:-1]) == ["missing: no wheel of y; needed by app -> more -> lib[y] -> y"]


def test_an_extra_that_leads_to_its_own_project_again() -> None:
    app = wheel("app", "app[a]; extra == 'all'", "lib; extra == 'a'")
    assert found(app, wheel("lib"), roots=("app[all]",)) == []
    assert found(app, roots=("app[all]",)) == ["missing: no wheel of lib; needed by app[all] -> app[a] -> lib"]


@pytest.mark.parametrize("spelled", ["Extra_Lib", "extra.lib", "EXTRA--LIB"])
def test_names_and_extras_are_compared_as_the_field_does(spelled: str) -> None:
    app = wheel("app", f"{spelled}; extra == 'My_Extra'")
    assert found(app, wheel("extra-lib"), roots=("App[my-extra]",)) == []


@pytest.mark.parametrize(
    ("marker", "holds"),
    [
        ("sys_platform == 'win32'", False),
        ("platform_machine == 'x86_64'", True),
        ("platform_machine == 'arm64' or platform_machine == 'aarch64'", False),
        ("python_version < '3.11'", False),
        ("python_version >= '3.11' and implementation_name == 'cpython'", True),
        ("platform_python_implementation != 'PyPy'", True),
        ("sys_platform == 'darwin' and platform_release >= '20.9'", False),
        ("sys_platform == 'linux' or 'SMP' in platform_version", True),
    ],
)
def test_markers_decide_what_is_needed(marker: str, holds: bool) -> None:
    app = wheel("app", f"lib; {marker}")
    missing, surplus = found(app), found(app, wheel("lib"))
    assert missing == (["missing: no wheel of lib; needed by app -> lib"] if holds else [])
    assert surplus == ([] if holds else ["surplus: lib-1.0-py3-none-any.whl, which no requirement leads to"])


# A distro updates its Python's patch version under an installed bundle, so all later patches count.


@pytest.mark.parametrize(
    ("marker", "patch", "needed"),
    [
        ("python_full_version < '3.11.3'", 2, True),  # aiohttp on async-timeout
        ("python_full_version < '3.11.3'", 3, False),
        ("python_full_version <= '3.11.2'", 2, True),
        ("python_full_version < '3.11.2'", 2, False),
        ("python_full_version == '3.11.2'", 2, True),
        ("python_full_version == '3.11.7'", 2, True),
        ("python_full_version == '3.11.7'", 8, False),
        ("python_full_version > '3.11.7'", 2, True),
        ("python_full_version >= '3.11.4'", 2, True),
        ("python_full_version >= '3.11.4' and python_full_version < '3.11.5'", 2, True),
        ("python_full_version >= '3.11.4' and python_full_version < '3.11.5'", 5, False),
        ("python_full_version > '3.11.4' and python_full_version < '3.11.6'", 2, True),
        ("python_full_version > '3.11.4' and python_full_version < '3.11.6'", 6, False),
        ("implementation_version >= '3.11.20000'", 2, True),
        ("python_full_version == '03.11.7'", 2, True),
        ("python_full_version == '3.011.7'", 2, True),
        ("python_full_version == '3.11.00000000007'", 2, True),
        ("python_full_version == '3.011.7'", 8, False),
        ("python_full_version >= '3.12.4'", 2, False),
        ("python_full_version >= '13.11.4'", 2, False),
        ("'3.11.6' == python_full_version", 2, True),
    ],
)
def test_what_any_later_patch_needs_is_needed(marker: str, patch: int, needed: bool) -> None:
    app, python = wheel("app", f"lib; {marker}"), DEBIAN_12.at_patch(patch)
    assert found(app, python=python) == (["missing: no wheel of lib; needed by app -> lib"] if needed else [])
    assert bool(found(app, wheel("lib"), python=python)) is not needed


@pytest.mark.parametrize(
    "marker",
    [
        "platform_release >= '5'",
        "'SMP' in platform_version",
        "os_name == 'nt' or platform_release != '6.1'",
        "platform_release == platform_version",
        "'1.7' in python_full_version",
        "python_full_version in '3.11.4 3.11.5'",
        "python_full_version > '3.11.4z'",
        "implementation_version not in '3.11.1'",
        "python_full_version == platform_version",
    ],
)
def test_what_only_the_host_itself_could_answer_is_told(marker: str) -> None:
    app = wheel("app", f"lib; {marker}")
    for wheels in ((app,), (app, wheel("lib"))):
        assert any(finding.startswith("unreadable: app-1.0-py3-none-any.whl requires") for finding in found(*wheels))


def test_an_extra_that_pip_would_not_take_up_is_told() -> None:
    lib, app = wheel("lib"), wheel("app", "lib; extra == 'Some_X'")
    assert found(replace(app, extras=frozenset({"some-x"})), lib, roots=("app[some.x]",)) == []
    assert found(replace(app, extras=frozenset()), lib, roots=("app[some.x]",)) == [
        "not offered: app-1.0-py3-none-any.whl has no extra some.x; needed by app[some.x]"
    ]
    assert found(replace(app, extras=frozenset()), roots=("app[other]",)) == []


def test_requires_python_counts_however_it_is_spelled() -> None:
    assert any("wrong Python" in finding for finding in found(wheel("app", python="!=3.011.7")))


def test_what_the_patch_at_hand_needs_is_not_surplus_when_later_ones_do_not() -> None:
    app = wheel("app", "async-timeout<6.0,>=4.0; python_full_version < '3.11.3'")
    assert found(app, wheel("async-timeout", version="5.0.1")) == []


def test_what_is_missing_on_every_patch_is_told_once() -> None:
    app = wheel("app", "lib", "more; python_full_version >= '3.11.4'")
    assert found(app, wheel("more")) == ["missing: no wheel of lib; needed by app -> lib"]


# Wheels that are not as they should be.


def test_a_second_wheel_of_a_project_is_surplus() -> None:
    assert found(wheel("app"), wheel("app", version="2.0")) == [
        "surplus: app-2.0-py3-none-any.whl, beside app-1.0-py3-none-any.whl"
    ]


@pytest.mark.parametrize(
    "filename",
    ["app.whl", "app-1.0.whl", "app-1.0.tar.gz", "app-one-py3-none-any.whl", "", f"app-{'9' * 5000}-py3-none-any.whl"],
    ids=lambda name: name[:30],
)
def test_a_file_that_is_no_wheel_is_told(filename: str) -> None:
    (finding,) = found(Wheel(filename), wheel("app"))
    assert finding.startswith("not a wheel: ")


def test_a_requirement_by_address_is_told() -> None:
    assert found(wheel("app", "lib @ https://example.org/lib.whl"), wheel("lib")) == [
        "unreachable: lib is wanted from https://example.org/lib.whl; needed by app -> lib"
    ]


def test_circles_end() -> None:
    assert found(wheel("app", "lib"), wheel("lib", "app[x]"), wheel("idle", "idle")) == [
        "surplus: idle-1.0-py3-none-any.whl, which no requirement leads to"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "==1",
        "lib>>1",
        "lib; colour == 'red'",
        "lib; platform_machine ~= 'x86'",
        "lib; 'a' > 'b'",
        "lib; 'x' in extras",
        f"lib; python_full_version >= '3.11.{'9' * 5000}'",
        f"lib; {'(' * 2000}os_name == 'posix'{')' * 2000}",
    ],
    ids=lambda text: text[:30],
)
def test_a_requirement_that_cannot_be_read_is_told(text: str) -> None:
    (finding,) = found(wheel("app", text))
    assert finding.startswith("unreadable: app-1.0-py3-none-any.whl requires ")
    assert len(finding) < 300


@pytest.mark.parametrize("wants", ["three", ">=3.x", "3.11", f">={'9' * 5000}"], ids=lambda wants: wants[:10])
def test_a_requires_python_that_cannot_be_read_is_told(wants: str) -> None:
    (finding,) = found(wheel("app", python=wants))
    assert finding.startswith("unreadable: app-1.0-py3-none-any.whl has Requires-Python ")


def test_a_version_that_cannot_be_compared_is_told() -> None:
    (finding,) = found(wheel("app", f"lib>={'9' * 5000}"), wheel("lib"))
    assert finding.startswith("unreadable: lib-1.0-py3-none-any.whl")


@PROPERTY
@given(st.lists(st.text(max_size=30)), st.one_of(st.none(), st.text(max_size=12)), st.text(max_size=30))
def test_nothing_that_a_wheel_says_raises(requires: list[str], wants: str | None, filename: str) -> None:
    found(Wheel("app-1.0-py3-none-any.whl", tuple(requires), wants), Wheel(filename, tuple(requires), wants))


def test_an_interpreter_is_described() -> None:
    assert describe(DEBIAN_12) == "CPython 3.11.2, glibc 2.36, x86_64"


# Any graph: proven as it stands, and not with one wheel less or more.


@dataclass(frozen=True)
class Graph:
    """A closed set of wheels: every project is asked for with its extra, and reached from a root."""

    roots: tuple[str, ...]
    wheels: tuple[Wheel, ...]


_EDGES = st.sampled_from(
    ["{}", "{}; sys_platform == 'linux'", "{}; extra == 'x'", "{}>=1; python_full_version < '3.11.3'"]
)
_IDLE_EDGES = st.sampled_from(["ghost; os_name == 'nt'", "ghost; extra == 'y'", "ghost; python_version < '3.11'"])


@st.composite
def _graphs(draw: st.DrawFn) -> Graph:
    count = draw(st.integers(1, 7))
    needs: list[list[int]] = [draw(st.lists(st.integers(0, count - 1), max_size=3)) for _ in range(count)]
    roots = draw(st.lists(st.integers(0, count - 1), min_size=1, max_size=2))
    reached, waiting = set(roots), list(roots)
    while waiting:
        fresh = set(needs[waiting.pop()]) - reached
        reached |= fresh
        waiting += fresh
    wheels = []
    for number in draw(st.permutations(sorted(reached))):
        lines = [draw(_EDGES).format(f"p{other}[x]") for other in needs[number]]
        lines += draw(st.lists(_IDLE_EDGES, max_size=1))
        wheels.append(wheel(f"p{number}", *lines))
    return Graph(tuple(f"p{number}[x]" for number in roots), tuple(wheels))


@PROPERTY
@given(_graphs(), st.data())
def test_a_closed_graph_is_proven_and_no_wheel_can_be_spared_or_added(graph: Graph, data: st.DataObject) -> None:
    assert prove(graph.roots, graph.wheels, DEBIAN_12) == ()

    removed = data.draw(st.sampled_from(graph.wheels))
    project = removed.filename.partition("-")[0]
    rest = [kept for kept in graph.wheels if kept != removed]
    findings = prove(graph.roots, rest, DEBIAN_12)
    assert any(finding.startswith(f"missing: no wheel of {project}; needed by ") for finding in findings)

    idle = wheel("unrelated", graph.roots[0])
    assert prove(graph.roots, [*graph.wheels, idle], DEBIAN_12) == (
        f"surplus: {idle.filename}, which no requirement leads to",
    )

    foreign = replace(removed, filename=removed.filename.replace("py3-none-any", "cp311-cp311-win_amd64"))
    (finding,) = prove(graph.roots, [*rest, foreign], DEBIAN_12)
    assert finding.startswith(f"wrong platform: {foreign.filename} ")


def _extras(count: int) -> list[str]:
    """Requirements of `app` on itself with all of `count` extras."""
    return [f"app[{','.join(f'e{n}' for n in range(start, start + 1000))}]" for start in range(0, count, 1000)]


_REFUSED = "unreadable: the wheels' requirements"


@pytest.mark.parametrize(
    ("wheels", "first"),
    [
        ([wheel("app", *_extras(2000), *(f"lib; extra != 'z{n}'" for n in range(2000))), wheel("lib")], None),
        ([wheel("app", *_extras(2000), *(f"lib; extra == 'e{n}'" for n in range(2000))), wheel("lib")], None),
        ([wheel("app", *_extras(1000), *(f"lib; 'e{n}' in extra" for n in range(1000))), wheel("lib")], _REFUSED),
        pytest.param(
            [
                wheel(
                    "app",
                    *_extras(1000),
                    *(f"lib; extra != 'z{n}' and python_full_version > '3.11.{n % 90 * 2}'" for n in range(2000)),
                ),
                wheel("lib"),
            ],
            _REFUSED,
            marks=pytest.mark.slow,
        ),
        ([wheel("app", "a0"), *(wheel(f"a{n}", f"a{n + 1}", f"gone{n}") for n in range(2000))], _REFUSED),
        (
            [wheel("app", *(f"lib{'a' * 8000}" for _ in range(140)))],
            "unreadable: the wheels' requirements have 1120420",
        ),
        ([wheel(f"a{n}", *["lib"] * 5000) for n in range(5)], "unreadable: the wheels have 25000 requirements"),
        ([wheel("app", "a" * 9000)], "unreadable: app-1.0-py3-none-any.whl requires"),
        ([wheel("app", python=">=3," * 3000)], "unreadable: app-1.0-py3-none-any.whl has Requires-Python"),
        ([Wheel(f"app-1.0-{'.'.join('a' * 30)}-{'.'.join('b' * 30)}-{'.'.join('c' * 30)}.whl")], "not a wheel: "),
    ],
    ids=["extras", "named", "odd", "patches", "chain", "characters", "requirements", "long", "python", "tags"],
)
@pytest.mark.slow
def test_the_work_is_done_once_a_distinct_thing_or_refused(wheels: list[Wheel], first: str | None) -> None:
    start = time.process_time()
    findings = found(*wheels)
    assert time.process_time() - start < 10  # 150,000 steps take 2 s, the slow way minutes
    assert findings[0].startswith(first) if first else findings == []
    assert len(findings) <= 1001
    assert max(map(len, findings), default=0) < 6000
