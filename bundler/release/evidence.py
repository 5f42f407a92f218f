"""What speaks for a folder's archives before they are published: the committed locks, and rehearsals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from bundler.adapters.regular import read_regular
from bundler.errors import BundleError, IntegrityError, PreflightError, UsageError, WorkError
from bundler.kinds import said_of
from bundler.kinds.kind import Order
from bundler.release.record import Failure, RehearsalRecord, parse

T = TypeVar("T")
_LARGEST_DOCUMENT = 32 << 20


def unlike(folder: Path, orders: Sequence[Order]) -> Iterator[BundleError]:
    """Yield how archives of `folder` are not those that today's manifests and locks make (`orders`). Raises OSError."""
    said = {order.asset: said_of(folder / order.asset) for order in orders}
    others = [order for order in orders if said[order.asset].inputs != order.inputs]
    if others:
        named = dict.fromkeys(f"--component {order.component}" for order in others)
        again = " ".join((*dict.fromkeys(order.target for order in others), *named))
        yield IntegrityError(
            f"not made of the manifests and locks here: {', '.join(order.asset for order in others)}",
            f"run `aiws-bundle build {again}`, or publish where they were built (SOURCE_DATE_EPOCH counts too)",
        )
    for requirement in dict.fromkeys(order.requirement for order in orders):
        names: dict[str, list[str]] = {}
        for order in (one for one in orders if one.requirement == requirement):
            names.setdefault(said[order.asset].requirement or "nothing", []).append(order.asset)
        if len(names) > 1:
            mixed = "\n".join(f"    {asked}: {', '.join(of_it)}" for asked, of_it in names.items())
            yield IntegrityError(
                f"mixed versions, where the manifests say {requirement} for all:\n{mixed}",
                "lock and build them together, or say in the manifest which targets differ",
            )


def lacking(folder: Path, names: Sequence[str], allowed: Sequence[str]) -> Iterator[BundleError]:
    """Yield what archives of `folder` are without, though their manifests asked for it, unless that is `allowed`."""
    without: dict[str, dict[str, list[str]]] = {}
    for name in names:
        for section, why in said_of(folder / name).lacking:
            without.setdefault(section, {}).setdefault(why, []).append(name)
    for section in without.keys() - set(allowed):
        told = "\n".join(f"    {why}: {', '.join(of_it)}" for why, of_it in without[section].items())
        yield WorkError(
            f"archives without {section} support, which their manifest asks for:\n{told}",
            f"`aiws-bundle lock` says where it is to be had; or give --without-{section}",
        )


def rehearsed(paths: Sequence[Path], digests: Mapping[str, str]) -> frozenset[str]:
    """The archives that rehearsals speak for, of those in `digests` (name -> SHA-256).

    Raises UsageError for a file that is none, or no rehearsal; PreflightError for what speaks against an archive.
    """
    problems: list[BundleError] = []
    records, failures = documents(RehearsalRecord, paths)
    for where, why in failures.items():
        problems.append(WorkError(f"{where}: a rehearsal without a result: {why}", "rehearse again"))
    for record in (one for one in records if one.name in digests):
        if record.sha256 not in ("", digests[record.name]):
            problems.append(
                IntegrityError(
                    f"{record.name}: what was rehearsed is another archive\n"
                    f"    expected {digests[record.name]}\n    actual   {record.sha256}",
                    "rehearse what is published",
                )
            )
        elif not record.ok:
            hint = "mend it, or leave its target out with --targets"
            problems.append(WorkError(f"{record.name}: its rehearsal failed: {'; '.join(record.failures)}", hint))
    if problems:
        raise PreflightError("not every rehearsal succeeded:", problems)
    return frozenset(record.name for record in records)


def documents(kind: type[T], paths: Sequence[Path]) -> tuple[list[T], dict[str, str]]:
    """The documents of a kind, and of those that tell a failure instead, which by the file's name.

    Raises UsageError for a file that is none, or of another kind.
    """
    found: list[T] = []
    failures: dict[str, str] = {}
    for path in paths:
        if not path.is_file():
            raise UsageError(f"{path} is not a file", "give a file with what --json printed")
        document = parse(kind, read_regular(path, _LARGEST_DOCUMENT), str(path))
        if isinstance(document, Failure):
            failures[path.name] = document.error.message
        else:
            found.append(document)
    return found, failures
