"""A rehearsal on a host of the archive's own kind: its plan, and its steps against stand-ins for what macOS has.

The stand-in for sandbox-exec keeps nothing from anything: it notes its words, runs the rest, and writes into a file
what the kernel would log; the one for log prints that file.
"""

from __future__ import annotations

import io
import json
import os
import sys
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bundler.adapters import seatbelt
from bundler.adapters.sandbox import Attempt
from bundler.errors import UsageError, WorkError
from bundler.kinds.question import Question
from bundler.kinds.steps import Rehearsal, Step
from bundler.kinds.wheelhouse import host_rehearsal
from bundler.kinds.wheelhouse.host_plan import SYSTEM_PATH, HostStep, plan
from bundler.kinds.wheelhouse.host_rehearsal import check_host
from bundler.kinds.wheelhouse.program import Description, RehearsalPlan, Trial
from tests import installing
from tests.kinds.wheelhouse.members.test_archive_manifest import FACTS

DEMO = replace(FACTS, component="demo", requirement="demo==1.0", requirements=("demo==1.0",))
TRIED = RehearsalPlan(
    run=(Trial(("--upper", "{folder}/page.txt"), "HELLO"),),
    start=("--port={port}", "--config", "{folder}/config.yaml"),
    ready=("/alive", "/ready"),
    ask=Question("/greet", "hello", {"name": "nobody"}),
    files={"page.txt": "hello", "config.yaml": "greeting: hello"},
)
DESCRIBED = Description("demo-server", TRIED, "demo.yaml")
NAMES = [
    "the sandbox refuses the network and other files",
    "unpack the archive",
    "install.sh: install",
    "install.sh: what is installed",
    "install.sh: the program answers",
    "program: runs",
    "program: ready, and answers",
    "install.sh: again, nothing changes",
    "install.sh: uninstall leaves nothing",
    "the sandbox refuses them to the end",
]


def steps(description: Description = DESCRIBED) -> dict[str, HostStep]:
    made = plan(Path("/dist/demo.tar.gz"), "demo-runtime", DEMO, description, Path("/private/t"), 5555)
    return {step.name: step for step in made.steps}


def test_the_plan_is_what_a_person_would_type() -> None:
    made = plan(Path("/dist/demo.tar.gz"), "demo-runtime", DEMO, DESCRIBED, Path("/private/t"), 5555)
    room, found = "/private/t/room", {step.name: step.argv for step in made.steps}
    assert (made.folder, made.prefix, made.port) == (Path(room), Path(f"{room}/installed"), 5555)
    assert list(found) == NAMES
    assert found["unpack the archive"] == ("/usr/bin/tar", "-xzf", "/dist/demo.tar.gz", "-C", f"{room}/unpacked")
    install = ("/bin/sh", f"{room}/unpacked/demo-runtime/install.sh", "--prefix", f"{room}/installed")
    assert found["install.sh: install"] == found["install.sh: again, nothing changes"] == install
    assert found["install.sh: uninstall leaves nothing"] == (*install, "--uninstall")
    sourced = ("/bin/sh", "-c", '. "$0"; exec "$@"', f"{room}/installed/demo.env")
    program = f"{room}/installed/bin/demo-server"
    config = f"{room}/working/config.yaml"
    assert found["program: ready, and answers"] == (*sourced, program, "--port=5555", "--config", config)
    assert found["program: runs"] == (*sourced, program, "--upper", f"{room}/working/page.txt")
    assert made.files[Path(config)] == "greeting: hello"


def test_every_step_has_its_own_environment_and_time() -> None:
    found = steps()
    env = {"PATH": SYSTEM_PATH, "HOME": "/private/t/room/home", "TMPDIR": "/private/t/room/temporary"}
    assert all(step.env == {**env, "LANG": "en_US.UTF-8"} for step in found.values())
    assert {name for name, step in found.items() if step.probe} == {NAMES[0], NAMES[-1]}
    assert {step.timeout for step in found.values()} == {60.0, 300.0, 900.0}
    assert {name: step.prefix for name, step in found.items() if step.prefix} == {
        "install.sh: install": "there",
        "install.sh: again, nothing changes": "same",
        "install.sh: uninstall leaves nothing": "gone",
    }


def test_what_no_manifest_describes_is_only_asked_for_its_version() -> None:
    assert list(steps(Description("demo"))) == [name for name in NAMES if not name.startswith("program: ")]


SERVER = """\
import http.server, json, sys
port = int(next(word for word in sys.argv if word.startswith("--port=")).removeprefix("--port="))
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        good = self.path in ("/alive", "/ready")
        self.send_response(200 if good else 404); self.end_headers()
    def do_POST(self):
        name = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["name"]
        self.send_response(200); self.end_headers(); self.wfile.write(f"hello, {name}".encode())
    def log_message(self, *words): pass
http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""
PROGRAM = """\
#!/bin/sh
[ "$1" != --version ] || { echo "demo 1.0"; exit 0; }
[ "$1" != --upper ] || { tr a-z A-Z < "$2"; exit 0; }
[ -n "$DEMO" ] || exit 9
exec PYTHON -I "${0%/*}/server.py" "$@"
"""
INSTALLER = """\
#!/bin/sh
set -e
prefix=$2
if [ "${3-}" = --uninstall ]; then rm -rf "$prefix"; exit 0; fi
if [ -d "$prefix" ]; then echo "already installed"; exit 0; fi
mkdir -p "$prefix/bin"
cp "${0%/*}/demo-server" "${0%/*}/server.py" "$prefix/bin/"
printf '#!/bin/sh\\necho "system Darwin 14.8"; echo "Python 3.13.18"; echo "demo 1.0"\\n' > "$prefix/bin/python"
chmod +x "$prefix/bin/python"
echo 'export DEMO=yes' > "$prefix/demo.env"
echo "installed in $prefix"
"""
SANDBOX_EXEC = """\
#!PYTHON
import datetime, json, os, re, sys
here = os.path.dirname(os.path.abspath(__file__))
words = sys.argv[1:]
assert words[0] == "-f"
profile = open(words[1]).read()
with open(f"{here}/words", "a") as file:
    print(json.dumps([words[2:], profile, sorted(os.environ)]), file=file)
tag = re.search('message "([^"]*)"', profile)[1]
settings = json.load(open(f"{here}/settings"))
def refuse(said):
    at = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M:%S.%f+0000")
    record = {"timestamp": at, "processID": 0, "eventMessage": f"Sandbox: {said}\\n{tag}"}
    with open(f"{here}/events", "a") as file:
        print(json.dumps(record), file=file)
probe = "192.0.2.1" in " ".join(words)
if probe:
    if settings["logged"]:
        refuse(f"python3.13(1) deny(1) network-outbound 192.0.2.1:{words[-2]}")
    sys.exit(settings["probe"])
for step, said in settings["refuses"].items():
    if step in words[-1]:
        refuse(said)
        refuse(said)
os.execv(words[2], words[2:])
"""
LOG = """\
#!PYTHON
import os
print('{"count":0,"finished":0}')
print("[" * 9999)
path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "events")
print(open(path).read() if os.path.exists(path) else "")
"""


@dataclass(frozen=True)
class Mac:
    """A folder with stand-ins for a Mac's programs, and an archive."""

    folder: Path

    def program(self, name: str, text: str) -> str:
        path = self.folder / name
        path.write_text(text.replace("PYTHON", sys.executable))
        path.chmod(0o755)
        return str(path)

    def settings(self, *, probe: int = 0, logged: bool = True, refuses: Mapping[str, str] | None = None) -> None:
        (self.folder / "settings").write_text(json.dumps({"probe": probe, "logged": logged, "refuses": refuses or {}}))

    def archive(self, **other: str) -> Path:
        files = {"install.sh": INSTALLER, "demo-server": PROGRAM.replace("PYTHON", sys.executable), "server.py": SERVER}
        path = self.folder / "demo.tar.gz"
        with tarfile.open(path, "w:gz") as file:
            for name, text in {**files, **{key.replace("_", "."): text for key, text in other.items()}}.items():
                member = tarfile.TarInfo(f"demo-runtime/{name}")
                member.mode, member.size = 0o755, len(text)
                file.addfile(member, io.BytesIO(text.encode()))
        return path

    def rehearsed(self, archive: Path, told: Callable[[Step], None] = lambda step: None) -> Rehearsal:
        return host_rehearsal.rehearse(archive, "demo-runtime", DEMO, DESCRIBED, told)

    def words(self) -> list[tuple[list[str], str, list[str]]]:
        return [json.loads(line) for line in (self.folder / "words").read_text().splitlines()]


@pytest.fixture
def mac(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mac:
    made = Mac(tmp_path / "mac")
    made.folder.mkdir()
    made.settings()
    monkeypatch.setattr(seatbelt, "SANDBOX_EXEC", made.program("sandbox-exec", SANDBOX_EXEC))
    monkeypatch.setattr(seatbelt, "LOG", made.program("log", LOG))
    monkeypatch.setattr(host_rehearsal, "_LAG", 0.0)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    return made


def test_all_steps_are_taken_in_the_sandbox_and_nothing_is_left(mac: Mac) -> None:
    heard: list[str] = []
    done = mac.rehearsed(mac.archive(), lambda step: heard.append(step.name))
    assert [(step.name, step.result, step.attempts) for step in done.steps] == [(name, "ok", ()) for name in NAMES]
    assert heard == NAMES
    details = {step.name: step.detail for step in done.steps}
    assert details["install.sh: install"].endswith(" bytes on disk")
    assert details["install.sh: the program answers"] == "demo 1.0"
    assert details["program: runs"] == "HELLO"
    assert details["program: ready, and answers"].startswith("ready after ")
    assert details["install.sh: again, nothing changes"] == "4 files unchanged"
    assert done.measures.versions == {
        "distro": "debian 12 amd64", "system": "Darwin 14.8", "Python": "3.13.18", "demo": "1.0"
    }  # fmt: skip
    assert (done.manifest, done.notes, done.unlisted) == ("demo.yaml", (), "")
    ran = mac.words()
    assert len(ran) == len(NAMES)
    for _, profile, names in ran:
        assert "(deny network* " in profile and f'(subpath "{mac.folder.parent}/tmp/aiws-rehearsal-' in profile
        assert '/room")' in profile
        assert {*names} - {"LC_CTYPE"} == {"PATH", "HOME", "TMPDIR", "LANG"}
    assert len({profile for _, profile, _ in ran}) == 1
    assert not [*(mac.folder.parent / "tmp").iterdir()]


def test_the_real_install_sh_does_what_the_plan_asks_of_it(mac: Mac, monkeypatch: pytest.MonkeyPatch) -> None:
    path = f"{Path(sys.executable).parent}:{SYSTEM_PATH}"
    monkeypatch.setattr("bundler.kinds.wheelhouse.host_plan.SYSTEM_PATH", path)
    installing.archive(mac.folder / "litellm-runtime", "1.0")
    with tarfile.open(mac.folder / "litellm.tar.gz", "w:gz") as file:
        file.add(mac.folder / "litellm-runtime", "litellm-runtime")
    facts = replace(FACTS, requirement="litellm==1.0", requirements=("litellm==1.0",))
    done = host_rehearsal.rehearse(
        mac.folder / "litellm.tar.gz", "litellm-runtime", facts, Description("litellm"), lambda step: None
    )
    assert [(step.name, step.detail) for step in done.steps if not step.good] == []
    assert [step.name for step in done.steps] == [name for name in NAMES if not name.startswith("program: ")]
    assert done.measures.versions["Python"].startswith("3.")
    assert "litellm" in done.measures.versions, "asked of the Python of the venv"


def test_what_was_refused_is_told_with_the_step_and_once(mac: Mac) -> None:
    mac.settings(refuses={"page.txt": "curl(7) deny(1) network-outbound remote:*:443"})
    done = mac.rehearsed(mac.archive())
    assert done.good
    attempts = {step.name: step.attempts for step in done.steps if step.attempts}
    assert attempts == {"program: runs": (Attempt("*:443", "curl"),)}


def test_nothing_is_run_where_the_sandbox_does_not_hold(mac: Mac) -> None:
    mac.settings(probe=1)
    done = mac.rehearsed(mac.archive())
    assert [(step.name, step.good) for step in done.steps] == [(NAMES[0], False), (NAMES[-1], False)]
    assert len(mac.words()) == 2


def test_a_log_that_lacks_what_was_tried_is_not_believed(mac: Mac) -> None:
    mac.settings(logged=False, refuses={"page.txt": "curl(7) deny(1) network-outbound remote:*:443"})
    done = mac.rehearsed(mac.archive())
    assert done.good
    assert not any(step.attempts for step in done.steps)
    assert done.unlisted.startswith("the system's log does not even have what was tried")


def test_a_log_that_cannot_be_read_is_told(mac: Mac) -> None:
    mac.program("log", "#!/bin/sh\necho 'log: not permitted' >&2; exit 64\n")
    assert mac.rehearsed(mac.archive()).unlisted.startswith("the system's log cannot be read: log: not permitted")


@pytest.mark.parametrize(
    ("other", "name", "told"),
    [
        ({"install_sh": "echo no; exit 3"}, "install.sh: install", "ended with 3"),
        ({"install_sh": "exit 0"}, "install.sh: install", "/installed is empty"),
        ({"install_sh": f"{INSTALLER}echo > $prefix/more"}, "install.sh: uninstall leaves nothing", ""),
        ({"install_sh": INSTALLER.replace('echo "already', 'date +%N > $prefix/x; echo "')}, NAMES[7], "changed"),
        ({"install_sh": INSTALLER.replace("rm -rf", ": ")}, NAMES[8], "files are left in "),
        ({"install_sh": INSTALLER.replace("DEMO=", "OTHER=")}, NAMES[6], "ended: /alive answers nothing"),
        ({"server_py": SERVER.replace("hello, ", "bye, ")}, NAMES[6], "answers 200, without 'hello': bye, nobody"),
    ],
    ids=["fails", "installs nothing", "all is well", "changes", "leaves files", "does not start", "another answer"],
)  # fmt: skip
def test_a_step_that_fails_ends_it(mac: Mac, other: dict[str, str], name: str, told: str) -> None:
    done = mac.rehearsed(mac.archive(**other))
    *_, last, probe = done.steps
    assert (last.name, last.good, probe.good) == (name, not told, True)
    assert told in last.detail
    assert done.good is not bool(told)


def test_a_program_that_hangs_is_ended(mac: Mac, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bundler.kinds.wheelhouse.serve._PATIENCE", 0.5)
    done = mac.rehearsed(mac.archive(server_py="import time\nprint('on', flush=True)\ntime.sleep(600)"))
    *_, last, _ = done.steps
    assert (last.name, last.good, last.log) == ("program: ready, and answers", False, "on\n")
    assert "was still running: /alive answers nothing" in last.detail


def test_without_the_system_s_sandbox_nothing_is_run(mac: Mac, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seatbelt, "SANDBOX_EXEC", str(mac.folder / "gone"))
    with pytest.raises(WorkError, match="gone cannot be started"):
        mac.rehearsed(mac.archive())


def here(monkeypatch: pytest.MonkeyPatch, system: str, machine: str) -> None:
    uname = os.uname()
    monkeypatch.setattr(os, "uname", lambda: os.uname_result((system, *uname[1:4], machine)))


@pytest.mark.parametrize("host", [("Linux", "x86_64"), ("Linux", "aarch64"), ("Darwin", "x86_64")])
def test_any_other_host_says_where_it_can_be_done(monkeypatch: pytest.MonkeyPatch, host: tuple[str, str]) -> None:
    here(monkeypatch, *host)
    with pytest.raises(UsageError, match="nothing here runs programs for darwin-arm64") as caught:
        check_host(Path("/"), "darwin-arm64")
    assert "rehearse it on a Mac with Apple silicon, or let the workflow's job do it" in caught.value.hint
    assert caught.value.exit_code == 2


def test_such_a_host_takes_no_other_root(monkeypatch: pytest.MonkeyPatch) -> None:
    here(monkeypatch, "Darwin", "arm64")
    check_host(Path("/"), "darwin-arm64")
    with pytest.raises(UsageError, match="is rehearsed on the host itself"):
        check_host(Path("/root"), "darwin-arm64")


@pytest.mark.parametrize(
    ("connects", "writes", "code"),
    [
        (PermissionError(1, "no"), PermissionError(1, "no"), 0),
        (PermissionError(1, "no"), None, 1),
        (None, PermissionError(1, "no"), 1),
        (TimeoutError("timed out"), PermissionError(1, "no"), 1),
        (PermissionError(1, "no"), FileExistsError(17, "there"), 1),
    ],
    ids=["both are refused", "a file is made", "it connects", "no answer", "a file is there"],
)
def test_only_a_refusal_of_both_is_one(
    monkeypatch: pytest.MonkeyPatch, connects: OSError | None, writes: OSError | None, code: int
) -> None:
    """A host without a network answers nothing, which is no sandbox."""

    def acting(error: OSError | None) -> Callable[..., None]:
        def act(*words: object) -> None:
            if error is not None:
                raise error

        return act

    probe = steps()[NAMES[0]].argv[4]
    monkeypatch.setattr("sys.argv", ["-c", "9", "/private/t/refused"])
    with monkeypatch.context() as patched:
        patched.setattr("socket.create_connection", acting(connects))
        patched.setattr(os, "open", acting(writes))
        with pytest.raises(SystemExit) as ended:
            exec(probe, {})
    assert bool(ended.value.code) is bool(code)
