"""What a wheelhouse's archive says of itself, without judging it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bundler.errors import LockError
from bundler.kinds.kind import Inspection
from bundler.kinds.wheelhouse.examine import read_contents
from bundler.kinds.wheelhouse.inventory import inventory_of
from bundler.kinds.wheelhouse.lock import Lock
from bundler.kinds.wheelhouse.members import archive_manifest
from bundler.model.bundle import LOCK, MANIFEST, PYTHON, WHEELS
from bundler.model.contents import Contents, Head
from bundler.model.inventory import Inventory
from bundler.model.locked_wheel import Source
from bundler.model.wheel_name import parse_wheel_name
from bundler.sizes import size_text


def inspect(path: Path) -> Inspection:
    """Read an archive. Raises IntegrityError if it cannot be read."""
    contents = read_contents(path, digests=False)
    facts = archive_manifest.parse(contents.texts.get(MANIFEST, b""))
    source = _source(contents)
    carried = sum(contents.files[name].size or 0 for name in contents.below(f"{PYTHON}/"))
    python = f"{facts.python.version}, {facts.python.source}"
    lines = (
        ("component", facts.component),
        ("inputs", facts.inputs),
        *([("commit", source.commit)] if source else ()),
        ("host", f"{facts.host}, {facts.platform.floor_name(facts.interpreter.floor)}"),
        ("Python", f"{python} ({size_text(carried)} below {PYTHON})" if carried else python),
        *((name, section.summary()) for name, section in facts.sections.items()),
        ("requirement", facts.requirement),
        ("requirements", " ".join(facts.requirements)),
        ("tar", f"{contents.tar_size} bytes, SHA-256"),
        ("", contents.tar_sha256),
    )
    return Inspection(
        path=path,
        lines=lines,
        packages=tuple(sorted(_packages(contents))),
        files={name: file.size or 0 for name, file in contents.files.items()},
        document={
            "component": facts.component,
            "commit": facts.commit,
            "inputs": facts.inputs,
            "source_commit": source.commit if source else None,
            "distro": facts.distro,
            "version": facts.version,
            "arch": facts.arch,
            facts.platform.FLOOR_KEY: facts.python.floor,
            "requirement": facts.requirement,
            "requirements": list(facts.requirements),
            "python": {"version": facts.python.version, "source": facts.python.source, "size": carried},
            **{name: section.words() for name, section in facts.sections.items()},
            "tar": {"size": contents.tar_size, "sha256": contents.tar_sha256},
        },
    )


def held(head: Head) -> Inventory:
    """What an archive holds, as its manifest.json and its lock say. Raises IntegrityError, LockError."""
    facts = archive_manifest.parse(head.texts.get(MANIFEST, b""))
    lock = Lock.inside(head.texts.get(LOCK, b""))
    return inventory_of(lock, facts.component, facts.host, facts.python_part, facts.inputs)


def _source(contents: Contents) -> Source | None:
    """What the component's own wheel was built from, as the lock inside says; None if it does not."""
    try:
        return Lock.inside(contents.texts.get(LOCK, b"")).source
    except LockError:
        return None


def _packages(contents: Contents) -> Iterator[tuple[str, str, int]]:
    """Project, version and size of each wheel."""
    for path in contents.below(f"{WHEELS}/"):
        if path.endswith(".whl"):
            name, size = path.rpartition("/")[2], contents.files[path].size or 0
            try:
                project, version, _, _ = parse_wheel_name(name)
                yield str(project), str(version), size
            except ValueError:
                yield name, "not a wheel", size
