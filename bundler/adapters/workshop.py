"""A sealed place to build a wheel in: the source, an environment of exactly the given wheels, and nothing else.

No network, no folder of the host but the system's programs and Python itself, the same paths, clock and locale wherever
it runs. What the build writes is in memory; only the wheel is taken out.
"""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bundler.adapters.sandbox import Finished, Sandbox, sealed
from bundler.adapters.source_archive import EPOCH
from bundler.errors import BundleError, IntegrityError, LockError, WorkError
from bundler.model.json_text import parse_json

_BENCH = "/build"
_PYTHON, _SOURCE, _OUT, _REPORT = f"{_BENCH}/env/bin/python", f"{_BENCH}/source", f"{_BENCH}/out", f"{_BENCH}/report"
_SYSTEM = ("/bin", "/sbin", "/usr", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache", "/etc/alternatives")
_TOOLS, _WHEELS = "/tools", "/wheels"
_PACKAGES = ("build", "packaging", "pip", "pyproject_hooks")
_ENV = {
    "PATH": f"{_BENCH}/env/bin:/usr/local/bin:/usr/bin:/bin",
    "HOME": f"{_BENCH}/home",
    "TMPDIR": f"{_BENCH}/tmp",  # noqa: S108 - inside
    "SOURCE_DATE_EPOCH": str(EPOCH),
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONNOUSERSITE": "1",
    "PIP_CONFIG_FILE": "/dev/null",
    "PIP_NO_INDEX": "1",
    "PIP_NO_CACHE_DIR": "1",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
}
_TIMED_OUT = 124
_LARGEST_WHEEL = 1 << 30
_LARGEST_REPORT = 1 << 20
_LINES_SHOWN = 20


@dataclass(frozen=True)
class BuildWheel:
    """A wheel of the environment to build in: where it is, what it is called, and what it must be."""

    path: Path
    filename: str
    requirement: str
    sha256: str


class Workshop:
    """A source with the wheels to build it with; see `opened`."""

    def __init__(self, sandbox: Sandbox, name: str, outlet: Path, timeout: float) -> None:
        self._sandbox, self._name, self._outlet, self._timeout = sandbox, name, outlet, timeout

    def requirements(self) -> tuple[str, ...]:
        """Return what the backend asks for beyond what the source declares. Raises LockError, IntegrityError."""
        self._ask("requires")
        answer = self._report()
        if not isinstance(answer, list) or not all(isinstance(one, str) for one in answer):
            raise LockError(f"{self._name}: the build backend's requirements are no list of texts")
        return tuple(answer)

    def wheel(self) -> tuple[str, Path]:
        """Build the wheel: its file name, and where its bytes are for as long as the workshop is open.

        Raises LockError if the build fails, IntegrityError if it reaches for anything outside.
        """
        self._ask("wheel", _OUT)
        answer = self._report()
        filename = answer.rpartition("/")[2] if isinstance(answer, str) else ""
        try:
            self._sandbox.take(f"{_OUT}/{filename}", _LARGEST_WHEEL)
        except WorkError as error:
            raise LockError(f"{self._name}: the build left no wheel of at most 1 GiB: {error.message}") from error
        return filename, self._outlet

    def prepare(self, wheels: Sequence[BuildWheel]) -> None:
        """Make the environment. Raises LockError if the wheels are not all that is needed, or do not install."""
        sandbox = self._sandbox
        for path in (f"{_BENCH}/home/.here", f"{_OUT}/.here"):
            sandbox.write(path, "")
        made = sandbox.run([_base_python(), "-I", "-m", "venv", "--without-pip", f"{_BENCH}/env"], _ENV, _BENCH, 120)
        if made.code:
            raise WorkError(f"this Python can make no virtual environment\n{_end_of(made)}", "install its venv module")
        if not wheels:
            return
        lines = [f"{wheel.requirement} --hash=sha256:{wheel.sha256}\n" for wheel in wheels]
        sandbox.write(f"{_BENCH}/requirements.txt", "".join(lines))
        argv = [_PYTHON, "-I", f"{_TOOLS}/pip", "install", "--quiet", "--no-index", "--find-links", _WHEELS]
        argv += ["--no-compile"]
        argv += ["--require-hashes", "--only-binary", ":all:", "--requirement", f"{_BENCH}/requirements.txt"]
        installed = sandbox.run(argv, _ENV, _BENCH, self._timeout)
        if installed.code:
            raise LockError(f"{self._name}: the locked build requirements do not install\n{_end_of(installed)}")

    def _ask(self, *words: str) -> None:
        """Run the program that asks the backend."""
        start = f"import sys; sys.path.insert(0, {_TOOLS!r}); from make_wheel import main; sys.exit(main(sys.argv[1:]))"
        argv = [_base_python(), "-I", "-S", "-c", start, words[0], _SOURCE, _PYTHON, _REPORT, *words[1:]]
        done = self._sandbox.run(argv, _ENV, _SOURCE, self._timeout)
        if attempts := self._sandbox.attempts():
            asked = ", ".join(dict.fromkeys(_shown(f"{one.what} ({one.program or 'a program'})") for one in attempts))
            raise IntegrityError(
                f"{self._name}: its build reaches for the network: {asked[:500]}\n{_end_of(done)}",
                "a build has its locked requirements, nothing else: what it needs belongs in [build-system] requires",
            )
        if done.code == _TIMED_OUT:
            raise LockError(f"{self._name}: its build did not end within {self._timeout:.0f} s\n{_end_of(done)}")
        if done.code:
            raise self._failure(done)

    def _failure(self, done: Finished) -> BundleError:
        if "Read-only file system" in done.output:
            return IntegrityError(
                f"{self._name}: its build writes outside its folder\n{_end_of(done)}",
                "a build may write below its source and the temporary folder only",
            )
        return LockError(f"{self._name}: its build failed\n{_end_of(done)}")

    def _report(self) -> object:
        try:
            answer = parse_json((self._sandbox.read(_REPORT) or "").encode("utf-8", "surrogatepass"), _LARGEST_REPORT)
        except ValueError as error:
            raise LockError(f"{self._name}: the build backend's answer cannot be read: {error}") from error
        return answer


@contextmanager
def opened(
    name: str,
    source: Path,
    wheels: Sequence[BuildWheel],
    scratch: Path,
    cancelled: Callable[[], bool] = lambda: False,
    timeout: float = 1800.0,
) -> Iterator[Workshop]:
    """Open a workshop for the unpacked `source`, which errors call `name`. Each build may take `timeout` seconds.

    `scratch` is a folder for temporary files. Raises WorkError with the next move where no sandbox can be made,
    LockError if `wheels` are not all that is needed.
    """
    given = {**_tools(), _SOURCE: source, **{f"{_WHEELS}/{wheel.filename}": wheel.path for wheel in wheels}}
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        outlet = Path(folder, "outlet")
        with sealed(host_system(), given, _BENCH, Path(folder, "root"), outlet, cancelled) as sandbox:
            workshop = Workshop(sandbox, name, outlet, timeout)
            workshop.prepare(wheels)
            yield workshop


def host_system() -> dict[str, Path]:
    """What is needed of this host as it stands: the system's programs and the Python that runs here."""
    shown = {path: Path(path) for path in _SYSTEM if Path(path).exists()}
    for prefix in sorted({sys.base_prefix, sys.base_exec_prefix, str(Path(sys.base_prefix).resolve())}):
        if not prefix.startswith("/usr"):
            shown[prefix] = Path(prefix)
    return shown


def _tools() -> dict[str, Path]:
    """What builds, to be copied: it may belong to a user whose files nobody else reads."""
    given = {f"{_TOOLS}/make_wheel.py": Path(__file__).with_name("make_wheel.py")}
    for tool in _PACKAGES:
        spec = importlib.util.find_spec(tool)
        if spec is None or not spec.submodule_search_locations:
            raise WorkError(f"{tool} is not installed", "install aiws-bundle anew, with all it depends on")
        given[f"{_TOOLS}/{tool}"] = Path(spec.submodule_search_locations[0])
    return given


def _base_python() -> str:
    """The Python that runs here, not its virtual environment's link to it."""
    return str(Path(getattr(sys, "_base_executable", sys.executable)).resolve())


def _end_of(done: Finished) -> str:
    """The last lines that a program wrote."""
    return "\n".join(f"  {_shown(line)}" for line in done.output.rstrip().splitlines()[-_LINES_SHOWN:])


def _shown(text: str) -> str:
    """A line that no terminal obeys, of a bearable length."""
    return "".join(char if char.isprintable() else " " for char in text[:300])
