from __future__ import annotations

import platform
import sysconfig

import pytest
from packaging.markers import Marker, default_environment
from packaging.tags import sys_tags
from packaging.utils import parse_wheel_filename

from bundler.model.interpreter import Interpreter
from bundler.model.target import Target
from tests.model.samples import real_manifests

DEBIAN_12 = Interpreter("3.11.2", "linux-amd64", 36)
DEBIAN_13_ARM = Interpreter("3.13.5", "linux-arm64", 41)


def runs(python: Interpreter, tag: str) -> bool:
    tags = parse_wheel_filename(f"x-1-{tag}.whl")[3]
    return not tags.isdisjoint(python.tags)


@pytest.mark.parametrize(
    "tag",
    [
        "cp311-cp311-manylinux_2_36_x86_64",
        "cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64",
        "cp311-cp311-manylinux2014_x86_64",
        "cp311-cp311-manylinux_2_12_x86_64",
        "cp311-cp311-manylinux2010_x86_64",
        "cp311-cp311-manylinux_2_5_x86_64",
        "cp311-cp311-manylinux1_x86_64",
        "cp311-cp311-manylinux_2_17_x86_64.manylinux_2_99_x86_64",
        "cp311-cp311-linux_x86_64",
        "cp311-abi3-manylinux_2_28_x86_64",
        "cp37-abi3-manylinux_2_17_x86_64",
        "cp311-none-manylinux_2_17_x86_64",
        "py3-none-manylinux_2_17_x86_64",
        "py3-none-any",
        "py2.py3-none-any",
        "py311-none-any",
        "py30-none-any",
        "cp311-none-any",
    ],
)
def test_wheels_that_run_on_debian_12(tag: str) -> None:
    assert runs(DEBIAN_12, tag)


@pytest.mark.parametrize(
    "tag",
    [
        "cp311-cp311-manylinux_2_37_x86_64",
        "cp311-cp311-manylinux_2_4_x86_64",
        "cp311-cp311-manylinux_3_5_x86_64",
        "cp311-cp311-manylinux_2_17_aarch64",
        "cp311-cp311-manylinux2014_aarch64",
        "cp311-cp311-manylinux_2_17_i686",
        "cp311-cp311-musllinux_1_2_x86_64",
        "cp311-cp311-macosx_11_0_x86_64",
        "cp311-cp311-win_amd64",
        "cp311-cp311t-manylinux_2_17_x86_64",
        "cp311-cp311d-manylinux_2_17_x86_64",
        "cp310-cp310-manylinux_2_17_x86_64",
        "cp312-cp312-manylinux_2_17_x86_64",
        "cp312-abi3-manylinux_2_17_x86_64",
        "pp311-pypy311_pp73-manylinux_2_17_x86_64",
        "py2-none-any",
        "py312-none-any",
        "cp310-none-any",
    ],
)
def test_wheels_that_do_not_run_on_debian_12(tag: str) -> None:
    assert not runs(DEBIAN_12, tag)


@pytest.mark.parametrize(
    ("tag", "fits"),
    [
        ("cp313-cp313-manylinux_2_17_aarch64", True),
        ("cp313-cp313-manylinux2014_aarch64", True),
        ("cp313-cp313-manylinux_2_41_aarch64", True),
        ("cp39-abi3-manylinux_2_28_aarch64", True),
        ("cp313-cp313-manylinux_2_42_aarch64", False),
        ("cp313-cp313-manylinux_2_12_aarch64", False),
        ("cp313-cp313-manylinux2010_aarch64", False),
        ("cp313-cp313-manylinux1_aarch64", False),
        ("cp313-cp313-manylinux_2_17_x86_64", False),
        ("cp313-cp313-manylinux_2_17_armv7l", False),
    ],
)
def test_arm_has_no_manylinux_before_2014(tag: str, fits: bool) -> None:
    assert runs(DEBIAN_13_ARM, tag) is fits


def test_the_most_specific_tag_comes_first() -> None:
    order = [str(tag) for tag in DEBIAN_12.tags]
    preferred = [
        "cp311-cp311-manylinux_2_36_x86_64",
        "cp311-cp311-manylinux_2_28_x86_64",
        "cp311-cp311-manylinux_2_17_x86_64",
        "cp311-cp311-manylinux2014_x86_64",
        "cp311-cp311-manylinux_2_5_x86_64",
        "cp311-cp311-manylinux1_x86_64",
        "cp311-cp311-linux_x86_64",
        "cp311-abi3-manylinux_2_36_x86_64",
        "cp311-none-manylinux_2_36_x86_64",
        "cp310-abi3-manylinux_2_36_x86_64",
        "cp32-abi3-linux_x86_64",
        "py311-none-manylinux_2_36_x86_64",
        "py3-none-manylinux_2_36_x86_64",
        "cp311-none-any",
        "py311-none-any",
        "py3-none-any",
        "py30-none-any",
    ]
    assert sorted(preferred, key=order.index) == preferred
    assert (order[0], order[-1]) == (preferred[0], preferred[-1])
    assert len(set(order)) == len(order)


def here() -> Interpreter | None:
    """The interpreter that runs this test, if it is of the kind that bundles are for."""
    library, glibc = platform.libc_ver()
    ordinary = platform.python_implementation() == "CPython" and not sysconfig.get_config_var("Py_GIL_DISABLED")
    if library != "glibc" or not ordinary or sysconfig.get_config_var("Py_DEBUG"):
        return None
    arch = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine())
    if arch is None:
        return None
    return Interpreter(platform.python_version(), f"linux-{arch}", int(glibc.split(".")[1]))


HERE = here()


@pytest.mark.skipif(HERE is None, reason="needs an ordinary CPython on 64-bit Linux with glibc")
def test_tags_are_those_that_packaging_finds_for_this_very_interpreter() -> None:
    assert HERE is not None
    found = list(sys_tags())
    assert set(HERE.tags) == set(found)
    # Versions of packaging differ about where the plain linux tags stand, which no index carries.
    assert [tag for tag in HERE.tags if not tag.platform.startswith("linux_")] == [
        tag for tag in found if not tag.platform.startswith("linux_")
    ]


@pytest.mark.skipif(HERE is None, reason="needs an ordinary CPython on 64-bit Linux with glibc")
def test_the_environment_is_what_packaging_finds_for_this_very_interpreter() -> None:
    assert HERE is not None
    found = {**default_environment(), "platform_release": "", "platform_version": ""}
    assert HERE.environment() == found


@pytest.mark.parametrize(
    ("marker", "holds"),
    [
        ("python_version >= '3.11'", True),
        ("python_version < '3.9'", False),
        ("python_full_version < '3.11.3'", True),
        ("python_full_version >= '3.11.3'", False),
        ("sys_platform == 'linux' and platform_machine == 'x86_64'", True),
        ("platform_machine == 'aarch64' or os_name == 'nt'", False),
        ("implementation_name == 'cpython' and platform_python_implementation == 'CPython'", True),
        ("platform_python_implementation == 'PyPy'", False),
        ("implementation_version == '3.11.2'", True),
        ("platform_system == 'Linux'", True),
    ],
)
def test_markers_are_decided_for_the_target(marker: str, holds: bool) -> None:
    assert Marker(marker).evaluate(dict(DEBIAN_12.environment())) is holds  # type: ignore[arg-type]


def test_versions() -> None:
    assert (DEBIAN_12.minor, DEBIAN_12.patch) == ("3.11", 2)
    assert DEBIAN_12.at_patch(14) == Interpreter("3.11.14", "linux-amd64", 36)
    assert Interpreter("3.10.12", "linux-amd64", 35).minor == "3.10"
    assert DEBIAN_12.at_patch(9999).tags == DEBIAN_12.tags


@pytest.mark.parametrize("target", real_manifests().targets, ids=lambda target: target.name)
def test_every_target_runs_pure_wheels_and_those_of_its_own_machine(target: Target) -> None:
    python = Interpreter(target.system_python or "3.13.5", target.platform, target.floor)
    short = f"cp{python.minor.replace('.', '')}"
    assert runs(python, "py3-none-any")
    of_its_own = "macosx_{}_0_{}" if target.distro == "macos" else "manylinux_2_{}_{}"
    assert runs(python, f"{short}-{short}-{of_its_own.format(target.floor, python.machine)}")
    assert not runs(python, f"{short}-{short}-{of_its_own.format(target.floor + 1, python.machine)}")
