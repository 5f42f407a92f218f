"""The programs that a package brings: that each runs on the host, and where a browser's is."""

from __future__ import annotations

from bundler.adapters.sandbox import Finished
from bundler.kinds.offline.rehearsing.debs import BROWSERS
from bundler.kinds.offline.rehearsing.host import Host, lacking
from bundler.kinds.steps import SkippedError, StepError
from bundler.model.program_log import first_error

PROGRAMS = "packages/bin"
_BROWSER_HOME = "/opt/ai-workspace/playwright-browsers"
_UNZIPPED = "/tmp/unzipped"  # noqa: S108 - the machine's own
_PATIENCE = 15.0
# Of a shell, and of who starts programs: it cannot be run, it is not there, and it was ended by a signal.
_CANNOT_RUN, _NOT_THERE, _SIGNAL, _TIMED_OUT = 126, 127, 128, 124


def programs(host: Host) -> str:
    """Run each program of packages/bin, those in ZIPs too: it may not know --version, but it must run."""
    found = host.found(f"{host.root}/{PROGRAMS}", "-type", "f", "-perm", "-u+x")
    for path in host.found(f"{host.root}/{PROGRAMS}", "-type", "f", "-name", "*.zip"):
        folder = f"{_UNZIPPED}/{path.rpartition('/')[2]}"
        host.run("unzip", "-q", "-o", path, "-d", folder)
        inside = host.found(folder, "-maxdepth", "1", "-type", "f", "-perm", "-u+x")
        if not inside:
            raise lacking(path.removeprefix(f"{host.root}/"), ["a program at its top"], "")
        found += inside
    if not found:
        raise SkippedError(f"no program is in {PROGRAMS}")
    return ", ".join(f"{path.rpartition('/')[2]}: {_said(host, path)}" for path in found)


def _said(host: Host, path: str) -> str:
    done = host.attempt(path, "--version", patience=_PATIENCE)
    if done.code in (_CANNOT_RUN, _NOT_THERE) or done.code > _SIGNAL or done.code < 0 or _not_for_this(done):
        where = path.rpartition("/")[2]
        raise StepError(f"{where} does not run here: {first_error(done.output) or done.output[:200]}", done.output)
    if done.code == _TIMED_OUT:
        return "runs on"
    first = next(iter(done.output.strip().splitlines()), "")
    return first[:60] if not done.code else f"ends with {done.code}"


def _not_for_this(done: Finished) -> bool:
    return "Exec format error" in done.output


def browsers(host: Host) -> str:
    """Put the browsers where the installer does, and find the program there."""
    if not host.has(BROWSERS):
        raise SkippedError(f"the package has no {BROWSERS}")
    host.bash('mkdir -p "$2"; cp -a "$1/." "$2/"; chmod -R a+rX "$2"', f"{host.root}/{BROWSERS}", _BROWSER_HOME)
    places = ("(", "-path", "*/chrome-linux/chrome", "-o", "-path", "*/chrome-linux64/chrome", ")")
    found = host.found(_BROWSER_HOME, "-type", "f", "-perm", "-u+x", *places)
    if not found:
        raise lacking(BROWSERS, ["an executable */chrome-linux/chrome"], "")
    host.run("ln", "-sfn", found[0], "/usr/local/bin/chromium")
    return _said(host, "/usr/local/bin/chromium")
