"""A wheelhouse that is begun from an index: which release, which Python, which program, and the manifest of it all.

Everything is told by the index's page of the project and by one of its wheels; nothing of it is run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from pydantic import TypeAdapter, ValidationError

from bundler.adapters.regular import open_regular
from bundler.adapters.simple_page import IndexFile
from bundler.adapters.store import Blob
from bundler.errors import UsageError
from bundler.kinds.beginning import Begun, Wish
from bundler.kinds.kind import Component
from bundler.kinds.wheelhouse import portable_pins
from bundler.kinds.wheelhouse.beginning_text import Choices, manifest_text
from bundler.kinds.wheelhouse.offer import offered
from bundler.model.cooldown import Cooling
from bundler.model.hosts import Hosts
from bundler.model.target import Target
from bundler.model.trust import Trust
from bundler.model.wheel_content import WheelContent
from bundler.model.zip_file import ZipReader
from bundler.progress import Silent
from bundler.session import Network, Session
from bundler.words import ComponentName

# The program of what has none of its own: that of the environment it is installed in.
_PYTHON = "python"
_COMPONENT: TypeAdapter[str] = TypeAdapter(ComponentName)
_LARGEST_WHEEL = 2 << 30
_MOST_SHOWN = 20


@dataclass(frozen=True)
class _Inside:
    """What a wheel brings: the names of its programs and of what can be imported."""

    programs: tuple[str, ...]
    modules: tuple[str, ...]


def begin(
    wish: Wish, targets: Sequence[Target], hosts: Hosts, trust: Trust, others: Mapping[str, Component], session: Session
) -> Begun | None:
    """Write the manifests of a wheelhouse; see `kinds.beginning`. None if what is wished for is no requirement.

    Raises UsageError, UnreachableError, IntegrityError.
    """
    try:
        asked = Requirement(wish.what)
    except InvalidRequirement:
        return None
    _check_asked(asked, wish)
    name = _component(wish, asked, others)
    portable = hosts.python or portable_pins.pinned()
    with session.network() as network:
        offer = offered(asked, targets, portable, network, Cooling(trust.cooldown, datetime.now(UTC).date()))
        session.progress.say(f"looking into {offer.wheel.filename} for its programs")
        inside = _look_into(offer.wheel, session, network)
    program, notes = _program(wish, asked.name, inside)
    choices = Choices(
        component=name,
        repository=wish.repository or f"example/{name}",
        requirement=_pinned(asked, offer.version),
        program=program,
        module=_module(asked.name, inside.modules) if program == _PYTHON else "",
        serve=tuple(wish.serve),
        ready=tuple(wish.ready),
        portable=offer.portable,
        targets=_selectors(targets, hosts.targets),
    )
    carried = [one.name for one in targets if one.system_python is None or one.name in offer.portable]
    files = {portable_pins.NAME: portable_pins.text()} if carried and not hosts.python else {}
    found = {
        "requirement": choices.requirement,
        "program": program,
        **({"which has also": ", ".join(rest)} if (rest := [one for one in inside.programs if one != program]) else {}),
        "hosts": ", ".join(target.name for target in targets),
        **({f"CPython {portable.version} in archives for": ", ".join(carried)} if carried else {}),
    }
    return Begun(name, {**files, f"{name}.yaml": manifest_text(choices)}, found, (*offer.notes, *notes))


def _check_asked(asked: Requirement, wish: Wish) -> None:
    pins = [(one.operator, one.version) for one in asked.specifier]
    exact = not pins or (len(pins) == 1 and pins[0][0] == "==" and not pins[0][1].endswith(".*"))
    if asked.url or asked.marker or not exact:
        raise UsageError(
            f"{wish.what!r} is no name with one version", "for example demo, demo==1.2.3, demo[extra]==1.2.3"
        )
    if bool(wish.serve) != bool(wish.ready):
        hint = 'for example --serve "--port {port}" --ready /health'
        raise UsageError("--serve and --ready go together: how it serves HTTP, and what it answers with 200 then", hint)
    if wish.serve and not any("{port}" in word for word in wish.serve):
        raise UsageError("--serve does not tell the program where to listen", 'for example --serve "--port {port}"')


def _component(wish: Wish, asked: Requirement, others: Mapping[str, Component]) -> str:
    """What the component is called."""
    name = wish.name or canonicalize_name(asked.name)
    try:
        _COMPONENT.validate_python(name)
    except ValidationError as error:
        raise UsageError(
            f"{name!r} cannot be a component's name", "give one of small letters, digits and hyphens: --name"
        ) from error
    if other := next((one for one in others.values() if name in (one.name, one.component)), None):
        hint = f"change that, or begin another with --name, for example --name {name}-2"
        raise UsageError(f"{other.name}.yaml is a component called {other.component} already", hint)
    return name


def _look_into(wheel: IndexFile, session: Session, network: Network) -> _Inside:
    with open_regular(_fetched(wheel, session, network)) as file:
        content = WheelContent(ZipReader(file, wheel.filename), wheel.filename)
        return _Inside(content.programs(), content.modules())


def _fetched(wheel: IndexFile, session: Session, network: Network) -> Path:
    """Bring a wheel into the store, where `build` will look for it."""
    store = session.store()
    if wheel.sha256 is None:
        return store.find(wheel.filename, wheel.address, network.http, _LARGEST_WHEEL)
    with Silent().task("", 0) as task:
        blob = Blob(wheel.filename, wheel.sha256, wheel.size)
        return store.fetch(blob, iter([wheel.address]), network.http, task)


def _program(wish: Wish, project: str, inside: _Inside) -> tuple[str, tuple[str, ...]]:
    """The program, and what is to be known of the choice. Raises UsageError if somebody has to choose."""
    own = inside.programs
    if wish.program:
        known = wish.program in (*own, _PYTHON)
        return wish.program, () if known else (
            f"the wheel has no program {wish.program}: something it needs must have it",
        )
    alike = [name for name in own if _plain(name) == _plain(project)]
    if len(own) == 1 or alike:
        return (alike or own)[0], ()
    if not own:
        note = f"{project} has no program of its own, so the program is the Python that it is installed for"
        return _PYTHON, (note,)
    shown = ", ".join(own[:_MOST_SHOWN]) + (" …" if len(own) > _MOST_SHOWN else "")
    raise UsageError(
        f"{project} has {len(own)} programs, and none is called as it is: {shown}", "choose one with --program"
    )


def _plain(name: str) -> str:
    return re.sub(r"[-_.]", "", name).lower()


def _module(project: str, modules: Sequence[str]) -> str:
    """What is imported to show that a library is there."""
    alike = [name for name in modules if _plain(name) == _plain(project)]
    return next(iter([*alike, *(name for name in modules if not name.startswith("_"))]), "")


def _pinned(asked: Requirement, version: str) -> str:
    extras = f"[{','.join(sorted(asked.extras))}]" if asked.extras else ""
    return f"{asked.name}{extras}=={version}"


def _selectors(own: Sequence[Target], every: Sequence[Target]) -> tuple[str, ...]:
    """The shortest words that mean the component's targets; none if they are all that there are."""
    if set(own) == set(every):
        return ()
    words: list[str] = []
    for target in own:
        release = f"{target.distro}-{target.version}"
        whole = {one for one in every if (one.distro, one.version) == (target.distro, target.version)} <= set(own)
        words.append(release if whole else target.name)
    return tuple(dict.fromkeys(words))
