"""Commands that hints advise: each works as it stands when it is pasted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

_COMPONENT = "--component"


def lock_again(targets: Iterable[str] = (), components: Iterable[str] = ()) -> str:
    """What locks these targets of these components; without targets all, without components the one that is meant then.

    For example ``run `aiws-bundle lock debian-12-amd64 --component NAME` ``.
    """
    return f"run `{_lock(targets, components)}`"


def joined(hints: Sequence[str]) -> str:
    """One hint for all: commands that lock become one, or one after the other; else the first hint that says something.

    A command that names components locks no other, so it is not joined with one that names none.
    """
    commands = [hint.removeprefix("run `").removesuffix("`").split() for hint in hints]
    if any(command[:2] != ["aiws-bundle", "lock"] for command in commands):
        return next(filter(None, hints), "")
    naming = [command[2:] for command in commands if _COMPONENT in command]
    others = [command[2:] for command in commands if _COMPONENT not in command]
    return f"run `{' && '.join(_merged(some) for some in (others, naming) if some)}`" if commands else ""


def _merged(commands: Sequence[Sequence[str]]) -> str:
    """One command that locks what all of them do."""
    components: list[str] = []
    targets: list[list[str]] = []
    for command in commands:
        pairs = list(zip(["", *command], command, strict=False))
        components += [word for before, word in pairs if before == _COMPONENT]
        targets.append([word for before, word in pairs if _COMPONENT not in (before, word)])
    return _lock(chain(*targets) if all(targets) else (), components)


def _lock(targets: Iterable[str], components: Iterable[str]) -> str:
    named = [f"{_COMPONENT} {name}" for name in dict.fromkeys(components)]
    return " ".join(("aiws-bundle lock", *dict.fromkeys(targets), *named))
