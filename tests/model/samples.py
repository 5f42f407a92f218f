"""What many of these tests start from: the repository's own manifests, and small values to vary with `replace`."""

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, settings

from bundler.kinds.manifests import Manifests
from bundler.kinds.prebuilt.component import PrebuiltComponent
from bundler.kinds.prebuilt.manifest import Prebuilt
from bundler.kinds.wheelhouse.component import WheelhouseComponent
from bundler.kinds.wheelhouse.manifest import Wheelhouse
from bundler.kinds.wheelhouse.request import Request, request_for
from bundler.model.interpreter import Interpreter
from bundler.model.locked_wheel import LockedWheel
from bundler.model.target import Target

ROOT = Path(__file__).parents[2]
MANIFESTS = ROOT / "manifests"
LOCKS = MANIFESTS / "locks"


def examples(number: int) -> int:
    """How many examples a property tries that tries `number` in a run of all tests: fewer in the fast part."""
    return number * settings().max_examples // 100


# Properties are checked on the same examples in every run, however slow the machine.
PROPERTY = settings(
    deadline=None, derandomize=True, max_examples=examples(100), suppress_health_check=[HealthCheck.too_slow]
)
# For what takes some milliseconds an example, such as a process.
COSTLY_PROPERTY = settings(PROPERTY, max_examples=examples(40))


DEBIAN_12 = Target("debian", "12", "amd64", 36, "3.11.2")
UBUNTU_26 = Target("ubuntu", "26.04", "arm64", 43, None)
REQUEST = Request(
    component="litellm",
    target=DEBIAN_12,
    python=Interpreter("3.11.2", "linux-amd64", 36),
    portable=False,
    requirement="litellm[proxy]==1.0",
    extra_requirements=("prisma",),
    bootstrap=("pip>=25.1", "setuptools"),
)
WHEEL = LockedWheel("litellm", "1.0", "litellm-1.0-py3-none-any.whl", 12, "a" * 64)


def real_texts() -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(MANIFESTS.glob("*.yaml"))}


def wheelhouse_of(manifests: Manifests, name: str = "litellm") -> Wheelhouse:
    """The manifest of a wheelhouse, by its file stem."""
    component = manifests.components[name]
    assert isinstance(component, WheelhouseComponent)
    return component.manifest


def prebuilt_of(manifests: Manifests, name: str) -> Prebuilt:
    """The manifest of a component that others release, by its file stem."""
    component = manifests.components[name]
    assert isinstance(component, PrebuiltComponent)
    return component.manifest


def request_of(manifests: Manifests, name: str, target: Target) -> Request:
    """What a wheelhouse must offer on a target."""
    return request_for(wheelhouse_of(manifests, name), manifests.hosts, target)


def real_manifests() -> Manifests:
    return Manifests.parse(real_texts())
