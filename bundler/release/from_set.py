"""A set, with the run that it is opened in: repaired aside if that is asked for, and its files made in a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from bundler.adapters.cache_folder import TEMPORARY
from bundler.adapters.own_folder import ELSEWHERE, in_use
from bundler.adapters.par2 import Par2
from bundler.adapters.process import run
from bundler.errors import BundleError, IntegrityError
from bundler.release.folder import VerifyReport
from bundler.session import Session
from bundler.transfer.damage import ANEW, explained, refuse_damaged
from bundler.transfer.opened import OpenSet, is_set, opened, refuse_full
from bundler.transfer.repaired import repaired
from bundler.transfer.volumes import base_of, there


@dataclass(frozen=True)
class Unpacked:
    """What is to be verified: each path, and for a set the folder that its files are in; `errors` of other sets."""

    paths: Mapping[Path, Path]
    errors: tuple[BundleError, ...]

    def told(self, report: VerifyReport) -> VerifyReport:
        """The same report, which tells of the set where it told of the folder, and of sets that could not be read."""
        folders = {str(folder): str(path) for path, folder in self.paths.items() if path != folder}

        def renamed(text: str) -> str:
            for folder, path in folders.items():
                text = text.replace(folder, path)
            return text

        return VerifyReport(
            tuple((Path(renamed(str(path))), verdict) for path, verdict in report.verdicts),
            tuple(replace(finding, message=renamed(finding.message)) for finding in report.folder_findings),
            (*self.errors, *(_renamed(error, renamed) for error in report.errors)),
            tuple((Path(renamed(str(path))), signed) for path, signed in report.signed),
        )


def _renamed(error: BundleError, renamed: Callable[[str], str]) -> BundleError:
    error.message, error.hint = renamed(error.message), renamed(error.hint)
    return error


@contextmanager
def unpacked(session: Session, paths: Sequence[Path]) -> Iterator[Unpacked]:
    """Take all files of those paths that are sets out, into folders of this run's own; volumes are compared before."""
    with ExitStack() as stack:
        found, errors = dict[Path, Path](), list[BundleError]()
        for path in paths:
            try:
                found[path] = stack.enter_context(_folder_of(session, path)) if is_set(path) else path
            except BundleError as error:
                errors.append(error)
        yield Unpacked(found, tuple(errors))


@contextmanager
def _folder_of(session: Session, path: Path) -> Iterator[Path]:
    """All files of a set, in a folder. Raises IntegrityError, UsageError, WorkError."""
    with in_use(session.cache_dir, TEMPORARY) as place, TemporaryDirectory(dir=place) as folder:
        size = sum(one.stat().st_size for one in there(base_of(path)).values())
        with session.progress.task(f"reading {base_of(path).name}", size) as task:
            refuse_damaged(path, task.advance)
        with whole_set(session, path, repair=False) as whole:
            write_files(session, whole, list(whole.header.files), Path(folder), ELSEWHERE)
        yield Path(folder)


@contextmanager
def whole_set(session: Session, path: Path, *, repair: bool) -> Iterator[OpenSet]:
    """Open a set, after it was repaired aside if `repair`; what is wrong with it is told with the volume to blame.

    Raises IntegrityError, also of what is done in the context; UsageError, WorkError.
    """
    with in_use(session.cache_dir, TEMPORARY) as place, TemporaryDirectory(dir=place) as folder:
        try:
            if repair:
                par2 = partial(Par2, session.env, run)
                with repaired(path, par2, Path(folder), session.progress.say) as base, opened(base) as whole:
                    yield whole
            else:
                with opened(path) as whole:
                    yield whole
        except IntegrityError as error:
            error.message = error.message.replace(folder, str(base_of(path).parent))
            if not repair:
                raise explained(path, error) from error
            error.hint = error.hint or ANEW
            raise


def write_files(session: Session, whole: OpenSet, names: Sequence[str], folder: Path, elsewhere: str) -> None:
    """Make files of a set in an empty folder; `elsewhere` is how another one is given.

    Raises IntegrityError, WorkError if there is no room.
    """
    size = sum(whole.header.files[name].size for name in names)
    refuse_full(folder, size, elsewhere)
    with session.progress.task(f"taking {len(names)} files out of {whole.base.name}", size) as task:
        for name in names:
            with (folder / name).open("xb") as file:
                whole.write(name, lambda data: task.advance(file.write(data)))
