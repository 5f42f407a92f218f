"""The command line: one file a command; the only floor that prints or exits. Commands are imported when they run."""

from __future__ import annotations

import importlib
import itertools
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bundler import __version__
from bundler.cli.ending import interrupt_at_signals, interrupted
from bundler.cli.output import OURSELVES, choose, complain, error_json, print_document
from bundler.errors import BundleError, UsageError, WorkError, from_os
from bundler.terminal import Styled, show_cursor, warn, warn_block

if TYPE_CHECKING:
    from bundler.session import Session

# One line a command: its name, its file below cli/, its help in one line.
_COMMANDS = {
    "init": "Begin to ship an application: write its manifests, which lock, build and rehearse as they are.",
    "build": "Build runtime archives from the committed locks.",
    "assemble": "Assemble all-in-one offline packages.",
    "lock": "Resolve targets and write their locks.",
    "outdated": "Tell which newer releases there are, and the newest that closes on each target.",
    "check": "Check manifests and locks: every problem at once.",
    "targets": "List the targets, what each needs and lacks, and how large its archive will be.",
    "audit": "Tell what is known to be wrong with what archives hold, or locks will bring.",
    "verify": "Prove that archives, dist folders and published releases are whole.",
    "rehearse": "Install an archive where there is no network, and report.",
    "publish": "Put archives on a GitHub release, whole or not at all.",
    "bundle-set": "Put all archives of a release into one set, which holds what they share once.",
    "emit": "Take files out of a set.",
    "keygen": "Make a key to sign with; say what to keep secret.",
    "sign": "Sign a folder of archives, once it is verified.",
    "report": "Write the delivery record of a release.",
    "summary": "Sum up a folder of archives, for the page of a workflow's run.",
    "inspect": "Show what is inside an archive.",
    "diff": "Tell what differs between archives, releases or locks, and where the megabytes went.",
    "delta": "Make what turns one archive into another, and is smaller than that.",
    "apply": "Make the new archive of the old one and a delta.",
    "schema": "Print the JSON Schema of a manifest or of what a command prints.",
    "completion": "Print what lets a shell complete this program's words.",
    "cache": "Show or tidy the store of downloaded files.",
    "clean": "Remove what this tool made: folders of archives, the store, unpacked packages; name every path.",
}


_SHARED = frozenset(("--json", "-q", "--quiet", "-v", "--verbose", "--no-progress"))
# Where shells ask what fits, as click's scripts have it.
_COMPLETE = "_AIWS_BUNDLE_COMPLETE"


class _Commands(click.Group):
    """Knows every command's name and help without importing it, so that `--help` is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command = importlib.import_module(f"bundler.cli.{cmd_name.replace('-', '_')}").command
        assert isinstance(command, click.Command)  # noqa: S101 - one line a command, above
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches

            nearest = get_close_matches(args[0], _COMMANDS, n=1)
            ctx.fail(f"No such command {args[0]!r}." + (f" Did you mean {nearest[0]!r}?" if nearest else ""))
        return super().resolve_command(ctx, args)


class Options:
    """The options before the command; `session` makes what a command needs of them."""

    def __init__(
        self, manifests: Path | None, cache_dir: Path | None, json: bool, quiet: bool, verbose: bool, bars: bool
    ) -> None:
        self.manifests, self.json, self.quiet, self.verbose, self.bars = manifests, json, quiet, verbose, bars
        self._cache_dir = cache_dir

    @property
    def cache_dir(self) -> Path:
        """The chosen cache folder, else the user's own."""
        if self._cache_dir:
            return self._cache_dir
        from platformdirs import user_cache_path

        path = user_cache_path("aiws-bundle", appauthor=False)
        if not path.is_absolute():  # no HOME, and a user that the system does not know; newer versions raise
            raise RuntimeError("no home directory")
        return path

    def session(self, mirrors: tuple[str, ...] = (), jobs: int = 16) -> Session:
        """Everything that a command needs."""
        from bundler.session import Session

        return Session(
            manifests=self.manifests,
            cache_dir=self.cache_dir.absolute(),
            env=dict(os.environ),
            progress=choose(quiet=self.quiet, json=self.json, bars=self.bars),
            mirrors=mirrors,
            jobs=jobs,
        )


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=(
        "Exit codes: 0 done; 1 the work failed; 2 wrong usage, manifest or lock; 3 integrity: a digest disagrees; "
        "4 something could not be reached; 129, 130 and 143 interrupted."
    ),
)
@click.version_option(__version__, prog_name="aiws-bundle")
@click.option(
    "--manifests",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of manifests. [default: the nearest manifests/ here or above]",
)
@click.option(
    "--cache-dir",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="AIWS_CACHE_DIR",
    show_envvar=True,
    help="Folder of downloaded files. [default: the user's cache]",
)
@click.option("--json", is_flag=True, help="Print one JSON document on standard output and nothing else.")
@click.option("-q", "--quiet", is_flag=True, help="Print results and errors only.")
@click.option("-v", "--verbose", is_flag=True, help="Print more, and the traceback of an error that is a bug.")
@click.option("--no-progress", is_flag=True, help="Print plain lines, never bars.")
@click.pass_context
def cli(
    ctx: click.Context,
    manifests: Path | None,
    cache_dir: Path | None,
    json: bool,
    quiet: bool,
    verbose: bool,
    no_progress: bool,
) -> None:
    """Build offline release bundles: locked, proven, deterministic, verifiable."""
    ctx.obj = Options(manifests, cache_dir, json, quiet, verbose, bars=not no_progress)


def main() -> None:
    """Run the command line; end the process with a documented exit code and never a traceback."""
    try:
        interrupt_at_signals()
        code = _completed() if _COMPLETE in os.environ else run(sys.argv[1:])
        unwritten = _flushed()
    except KeyboardInterrupt:
        _leave_terminal()
        os._exit(interrupted().exit_code)
    # A download that waits for a silent server must not hold up the end; the store is safe at any point.
    os._exit(code or unwritten)


def _completed() -> int:
    """Answer a shell that completes a line (`aiws-bundle completion SHELL`)."""
    from bundler.cli.completing import answer

    return answer(os.environ[_COMPLETE])


def _flushed() -> int:
    """Write out what was printed; return 1 if that fails, since somebody waits for it."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        return 1
    except OSError as error:
        complain(WorkError(f"standard output cannot be written: {error.strerror}"))
        return 1
    with suppress(OSError):
        sys.stderr.flush()
    return 0


def run(argv: list[str]) -> int:
    """Run one command line and return its exit code; everything that goes wrong is printed for people.

    With `--json` an error is also the one JSON document on standard output.
    """
    argv = _shared_first(argv)
    try:
        result = cli.main(argv, prog_name="aiws-bundle", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.ClickException as error:
        with suppress(OSError):
            _tell_usage(error)
        _tell_program(argv, _usage(error))
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return _interrupted(argv)
    except BrokenPipeError:
        return 1
    except (BundleError, OSError) as error:
        return _failed(from_os(error) if isinstance(error, OSError) else error, argv)
    except MemoryError:
        return _failed(
            WorkError("there is not enough memory", "raise the limit (ulimit -v), or end other programs"), argv
        )
    except Exception as error:
        if isinstance(error.__cause__, KeyboardInterrupt):  # Python 3.11 wraps it where a class is being made
            return _interrupted(argv)
        if (told := _told_as_runtime(error)) is not None:
            return _failed(told, argv)
        return _bug(error, argv)


def _leave_terminal() -> None:
    """Leave the terminal as it was, also where Ctrl-C met what draws on it."""
    with suppress(OSError):
        show_cursor()


def _interrupted(argv: list[str]) -> int:
    _leave_terminal()
    error = interrupted()
    with suppress(OSError):
        warn()
        warn(f"aiws-bundle: {error.message}; what is finished stays: run again to go on")
    _tell_program(argv, error)
    return error.exit_code


def _told_as_runtime(error: Exception) -> BundleError | None:
    """What Python tells as a RuntimeError, though the system is at fault."""
    if isinstance(error, RuntimeError) and "start new thread" in str(error):
        return WorkError("no thread can be started", "raise the limit on processes (ulimit -u)")
    if isinstance(error, RuntimeError) and "home directory" in str(error).lower():
        return UsageError("this user has no home folder", "set HOME, and --cache-dir or AIWS_CACHE_DIR if need be")
    return None


def _failed(error: BundleError, argv: list[str]) -> int:
    complain(error)
    _tell_program(argv, error)
    return error.exit_code


def _shared_first(argv: list[str]) -> list[str]:
    """Let the options that all commands share stand after the command too, where people write them."""
    end = argv.index("--") if "--" in argv else len(argv)
    shared = [word for word in argv[:end] if word in _SHARED]
    return [*shared, *(word for word in argv[:end] if word not in _SHARED), *argv[end:]]


def _tell_program(argv: list[str], error: BundleError) -> None:
    if "--json" in itertools.takewhile("--".__ne__, argv):
        with suppress(OSError):  # what goes wrong may be standard output itself
            print_document({"error": error_json(error)})


def _usage(error: click.ClickException) -> UsageError:
    """What click says of a command line that it does not understand, as an error of ours."""
    path = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "aiws-bundle"
    said = "which command?" if isinstance(error, click.exceptions.NoArgsIsHelpError) else error.format_message()
    return UsageError(said, f"`{path} --help` tells what it takes")


def _tell_usage(error: click.ClickException) -> None:
    """What click says of a command line that it does not understand, which it quotes."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):  # quotes nothing: it is our own help
        error.show()
        return
    if isinstance(error, click.UsageError) and error.ctx:
        for line in error.ctx.get_usage().split("\n"):
            warn(line)
        warn(f"Try '{error.ctx.command_path} --help' for help.")
        warn()
    warn_block(f" {error.format_message()}", lead=Styled("Error:", "bad"))


def _bug(error: Exception, argv: list[str]) -> int:
    message = f"unexpected {type(error).__name__}: {error}"
    warn_block(f" {message}", lead=OURSELVES)
    _tell_program(argv, WorkError(message, "this is a bug"))
    if {"-v", "--verbose"} & set(argv):
        import traceback

        warn_block("".join(traceback.format_exception(error)).rstrip())
    else:
        warn("  hint: this is a bug; run again with -v before the command and report what it prints")
    return 1
