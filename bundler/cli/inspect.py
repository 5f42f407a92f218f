"""`aiws-bundle inspect`."""

from __future__ import annotations

from pathlib import Path

import click

from bundler.cli import Options
from bundler.cli.output import print_table
from bundler.commands.inspect import inspect
from bundler.kinds.wheelhouse.members.archive_manifest import ArchiveManifest
from bundler.model.bundle import PYTHON, WHEELS
from bundler.model.contents import Contents
from bundler.model.wheel_name import parse_wheel_name
from bundler.terminal import Json, say, say_json

_BIGGEST = 10


@click.command("inspect")
@click.argument("archive", type=click.Path(path_type=Path))
@click.pass_obj
def command(options: Options, archive: Path) -> int:
    """Show what is inside an archive: packages, versions, sizes, Python, the biggest files.

    Nothing is judged: `verify` does that.
    """
    found = inspect(archive)
    if options.json:
        say_json(_json(found.path, found.facts, found.contents))
    else:
        _show(found.path, found.facts, found.contents)
    return 0


def _packages(contents: Contents) -> list[tuple[str, str, int]]:
    """Project, version and size of each wheel."""
    found = []
    for path, file in contents.files.items():
        if path.startswith(f"{WHEELS}/") and path.endswith(".whl"):
            name = path.rpartition("/")[2]
            try:
                project, version, _, _ = parse_wheel_name(name)
                found.append((str(project), str(version), file.size or 0))
            except ValueError:
                found.append((name, "not a wheel", file.size or 0))
    return sorted(found)


def _biggest(contents: Contents) -> list[tuple[str, int]]:
    sizes = [(path, file.size or 0) for path, file in contents.files.items()]
    return sorted(sizes, key=lambda pair: -pair[1])[:_BIGGEST]


def _python_size(contents: Contents) -> int:
    return sum(file.size or 0 for path, file in contents.files.items() if path.startswith(f"{PYTHON}/"))


def _show(archive: Path, facts: ArchiveManifest, contents: Contents) -> None:
    python = f"{facts.python.version}, {facts.python.source}"
    if carried := _python_size(contents):
        python += f" ({carried / 1e6:.1f} MB below {PYTHON})"
    packages = _packages(contents)
    say(f"{archive}: {archive.stat().st_size / 1e6:.1f} MB")
    say(f"  component     {facts.component}, commit {facts.commit}")
    say(f"  host          {facts.distro} {facts.version} {facts.arch}, glibc {facts.python.glibc}")
    say(f"  Python        {python}")
    for name, section in facts.sections.items():
        say(f"  {name:<14}{section.summary()}")
    say(f"  requirement   {facts.requirement}")
    say(f"  all asked for {' '.join(facts.requirements)}")
    say(f"  tar           {contents.tar_size} bytes, SHA-256 {contents.tar_sha256}")
    say()
    say(f"The {_BIGGEST} biggest of {len(contents.files)} files:")
    print_table([(f"{size / 1e6:.1f} MB", path) for path, size in _biggest(contents)], right=(0,))
    say()
    say(f"{len(packages)} packages, {sum(size for _, _, size in packages) / 1e6:.1f} MB:")
    print_table([(name, version, f"{size / 1e3:.0f} kB") for name, version, size in packages], right=(2,))


def _json(archive: Path, facts: ArchiveManifest, contents: Contents) -> Json:
    return {
        "archive": str(archive),
        "size": archive.stat().st_size,
        "component": facts.component,
        "commit": facts.commit,
        "distro": facts.distro,
        "version": facts.version,
        "arch": facts.arch,
        "glibc": facts.python.glibc,
        "requirement": facts.requirement,
        "requirements": list(facts.requirements),
        "python": {
            "version": facts.python.version,
            "source": facts.python.source,
            "size": _python_size(contents),
        },
        **{name: section.words() for name, section in facts.sections.items()},
        "tar": {"size": contents.tar_size, "sha256": contents.tar_sha256},
        "packages": [{"name": name, "version": version, "size": size} for name, version, size in _packages(contents)],
        "biggest": [{"path": path, "size": size} for path, size in _biggest(contents)],
    }
