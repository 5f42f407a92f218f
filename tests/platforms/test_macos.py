"""macOS: the wheels that its Pythons take, and its markers."""

from __future__ import annotations

import pytest
from packaging.markers import Marker
from packaging.tags import compatible_tags, cpython_tags, mac_platforms
from packaging.utils import parse_wheel_filename

from bundler.model.closure import Wheel, describe, prove
from bundler.model.interpreter import Interpreter
from bundler.model.target import Target
from bundler.platforms import macos

MAC = Interpreter("3.13.18", "darwin-arm64", 11)


@pytest.mark.parametrize(("name", "machine"), [("darwin-arm64", "arm64"), ("darwin-amd64", "x86_64")])
@pytest.mark.parametrize("floor", [11, 13, 15, 26])
def test_the_tags_are_packagings_own_for_such_a_mac(name: str, machine: str, floor: int) -> None:
    platforms = list(mac_platforms((floor, 0), machine))
    expected = [*cpython_tags((3, 13), ["cp313"], platforms), *compatible_tags((3, 13), "cp313", platforms)]
    assert list(Interpreter("3.13.18", name, floor).tags) == expected


@pytest.mark.parametrize(
    ("tag", "fits"),
    [
        ("cp313-cp313-macosx_11_0_arm64", True),
        ("cp313-cp313-macosx_10_13_universal2", True),
        ("cp39-abi3-macosx_10_9_universal2", True),
        ("cp39-abi3-macosx_10_12_x86_64.macosx_11_0_arm64.macosx_10_12_universal2", True),
        ("py3-none-any", True),
        ("cp313-cp313-macosx_12_0_arm64", False),
        ("cp313-cp313-macosx_14_0_arm64", False),
        ("cp313-cp313-macosx_10_13_x86_64", False),
        ("cp313-cp313-macosx_10_13_arm64", False),
        ("cp313-cp313-manylinux_2_17_aarch64", False),
        ("cp313-cp313-linux_aarch64", False),
        ("cp312-cp312-macosx_11_0_arm64", False),
    ],
)
def test_wheels_for_macos_11_on_arm64(tag: str, fits: bool) -> None:
    assert parse_wheel_filename(f"x-1-{tag}.whl")[3].isdisjoint(MAC.tags) is not fits


@pytest.mark.parametrize(
    ("marker", "holds"),
    [
        ("sys_platform == 'darwin' and platform_system == 'Darwin'", True),
        ("platform_machine == 'arm64'", True),
        ("platform_machine == 'aarch64'", False),
        ("os_name == 'posix' and os_name != 'nt'", True),
        ("sys_platform == 'linux'", False),
        ("python_version >= '3.13'", True),
    ],
)
def test_markers_are_decided_for_a_mac(marker: str, holds: bool) -> None:
    assert Marker(marker).evaluate(dict(MAC.environment())) is holds  # type: ignore[arg-type]


def test_people_are_told_of_macos() -> None:
    assert describe(MAC) == "CPython 3.13.18, macOS 11, arm64"
    assert MAC.at_patch(20) == Interpreter("3.13.20", "darwin-arm64", 11)


def test_a_target_that_is_called_macos_is_one() -> None:
    target = Target("macos", "11", "arm64", 11, None)
    assert target.platform == "darwin-arm64"
    assert {"darwin", "darwin-arm64", "macos", "macos-arm64", "macos-11", "macos-11-arm64"} <= target.words
    assert "linux" not in target.words


def test_uv_is_told_the_floor() -> None:
    assert macos.resolver_environment(12) == {"MACOSX_DEPLOYMENT_TARGET": "12.0"}
    assert macos.resolver_word("arm64", 12) == "aarch64-apple-darwin"


@pytest.mark.parametrize(
    ("needs", "tag", "said"),
    [
        ("lib; sys_platform == 'darwin'", "py3-none-any", ""),
        ("lib; sys_platform == 'linux' or platform_machine == 'arm64'", "cp313-cp313-macosx_11_0_arm64", ""),
        (
            "lib",
            "cp313-cp313-macosx_12_0_arm64",
            "not run on CPython 3.13.18, macOS 11, arm64; needed by app -> lib",
        ),
        ("lib; platform_machine == 'aarch64'", "py3-none-any", "surplus: lib-1.0-py3-none-any.whl"),
        # Which kernel a Mac has nobody knows: what depends on it is not proven, what does not, is.
        ("lib; sys_platform == 'darwin' and platform_release >= '20.9'", "py3-none-any", "unreadable: app-1.0"),
        ("lib; sys_platform == 'linux' and platform_release >= '5'", "py3-none-any", "surplus: lib-1.0"),
        ("lib; sys_platform == 'darwin' or 'Darwin' in platform_version", "py3-none-any", ""),
    ],
)
def test_wheels_are_proven_for_every_mac(needs: str, tag: str, said: str) -> None:
    wheels = [Wheel("app-1.0-py3-none-any.whl", (needs,)), Wheel(f"lib-1.0-{tag}.whl")]
    findings = prove(["app"], wheels, MAC)
    assert (said in findings[0]) if said else not findings
