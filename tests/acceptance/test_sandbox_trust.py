"""What a sandbox tells its tool: nothing that runs in it forges it, stretches it, or makes the tool wait for ever."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import socket
import subprocess
import sys
import tarfile
import textwrap
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bundler.adapters import sandbox as adapter
from bundler.adapters.process import isolated, own_module
from bundler.adapters.sandbox import Sandbox, opened, sealed
from bundler.errors import WorkError
from tests.acceptance.roots import debian_root
from tests.sandboxes import needs_sandbox

pytestmark = [pytest.mark.slow, needs_sandbox]

ENV = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
FOLDER = "/tmp/rehearsal"
# The end of what a program writes, and the line before it.
KEPT = (128 << 10) + 100
# Where the code would have process 1, or a deputy of it, go.
TARGETS = ("/proc/self/fd/1", "/proc/self/fd/3", "/proc/self/mem", "/proc/1/fd/1", "/dev/zero", "/proc/self/fd", "/")


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "archive.tar.gz"
    (tmp_path / "file").write_text("content")
    with tarfile.open(path, "w:gz", format=tarfile.USTAR_FORMAT) as tar:
        folder = tarfile.TarInfo("top")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(folder)
        tar.add(tmp_path / "file", "top/file", filter=_plain)
    return path


def _plain(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.uid = info.gid = 0
    info.uname = info.gname = "root"
    info.mode = 0o644
    return info


@pytest.fixture
def inside(archive: Path, tmp_path: Path) -> Iterator[Sandbox]:
    with opened(debian_root("12", "amd64"), "x86_64", tmp_path / "mountpoint", archive) as made:
        made.write(f"{FOLDER}/.here", "")
        yield made


def python(inside: Sandbox, code: str, timeout: float = 60.0) -> adapter.Finished:
    return inside.run(["python3", "-I", "-c", textwrap.dedent(code)], ENV, FOLDER, timeout)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("target", TARGETS)
def test_a_link_in_the_way_forges_nothing(target: str, inside: Sandbox, archive: Path) -> None:
    before = digest(archive)
    places = ["config.yaml", "proxy.log", "report", "look", "out.whl", "top"]
    python(inside, f"import os\nfor name in {places}: os.symlink({target!r}, name)")
    inside.write(f"{FOLDER}/config.yaml", '{"result": {"code": 0}}\n')
    assert inside.read(f"{FOLDER}/config.yaml") == '{"result": {"code": 0}}\n'
    assert inside.read(f"{FOLDER}/report") is None
    with pytest.raises(WorkError):
        inside.look(f"{FOLDER}/look")
    with pytest.raises(WorkError):
        inside.take(f"{FOLDER}/out.whl", 1 << 20)
    with pytest.raises(WorkError):
        inside.extract(FOLDER)
    assert python(inside, "raise SystemExit(7)").code == 7
    assert digest(archive) == before


def test_a_pipe_in_the_way_holds_nobody_up(inside: Sandbox) -> None:
    python(inside, "import os\nfor name in ('config.yaml', 'report', 'out.whl', 'top'): os.mkfifo(name)")
    began = time.monotonic()
    inside.write(f"{FOLDER}/config.yaml", "text")
    assert inside.read(f"{FOLDER}/report") is None
    with pytest.raises(WorkError):
        inside.take(f"{FOLDER}/out.whl", 1 << 20)
    with pytest.raises(WorkError):
        inside.extract(FOLDER)
    assert inside.look(FOLDER).files == 5
    assert time.monotonic() < began + 20


def test_folders_that_change_meanwhile_lead_nowhere(inside: Sandbox, archive: Path) -> None:
    before = digest(archive)
    swaps = """
        import os
        os.makedirs("a/b", exist_ok=True)
        os.symlink("/proc/self/fd", "l")
        while True:
            for one, other in (("a", "c"), ("l", "a"), ("a", "l"), ("c", "a")):
                try:
                    os.rename(one, other)
                except OSError:
                    pass
    """
    number = inside.start(["python3", "-I", "-c", textwrap.dedent(swaps)], ENV, FOLDER)
    for _ in range(40):
        for work in (
            lambda: inside.write(f"{FOLDER}/a/b/1", "x" * 100),
            lambda: inside.look(FOLDER),
            lambda: inside.read(f"{FOLDER}/a/1"),
        ):
            try:
                work()
            except WorkError as error:
                assert "failed" in error.message
    inside.stop(number)
    assert python(inside, "raise SystemExit(7)").code == 7
    assert digest(archive) == before


def test_nothing_that_a_program_started_outlives_it(inside: Sandbox) -> None:
    forks = """
        import os, signal, time
        for number in (signal.SIGTERM, signal.SIGHUP): signal.signal(number, signal.SIG_IGN)
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                while True:
                    open("/tmp/rehearsal/alive", "w").write(str(time.time()))
                    time.sleep(0.05)
            os._exit(0)
        time.sleep(0.5)
    """
    began = time.monotonic()
    assert python(inside, forks).code == 0
    first = inside.read(f"{FOLDER}/alive")
    time.sleep(0.5)
    assert inside.read(f"{FOLDER}/alive") == first
    assert time.monotonic() < began + 20


def test_output_without_end_is_kept_short(inside: Sandbox) -> None:
    number = inside.start(["sh", "-c", "yes; echo the end"], ENV, FOLDER)
    assert python(inside, "import time; time.sleep(1)").code == 0
    assert 0 < len(inside.output(number)) <= KEPT
    assert inside.running(number)
    inside.stop(number)
    done = inside.run(["yes"], ENV, FOLDER, 2)
    assert done.code == 124 and len(done.output) <= KEPT
    assert re.match(r"\[[0-9]+ bytes before this were not kept\]\ny?\n", done.output)
    whole = "".join(f"line {number}\n" for number in range(10_000))
    assert python(inside, "for number in range(10_000): print('line', number)").output == whole


SERVER = """
    import socket, time
    server = socket.create_server(("127.0.0.1", 4000))
    print("up", flush=True)
    while True:
        peer, _ = server.accept()
        peer.recv(1000)
        try:
            {first}
            while True:
                {again}
        except OSError:
            pass
"""
SLOW = {
    "100 Continue without end": ("pass", "peer.sendall(b'HTTP/1.1 100 Continue\\r\\n\\r\\n')"),
    "headers in drips": ("peer.sendall(b'HTTP/1.1 200 OK\\r\\n')", "peer.sendall(b'x'); time.sleep(0.2)"),
    "headers without end": ("peer.sendall(b'HTTP/1.1 200 OK\\r\\n')", "peer.sendall(b'a: b\\r\\n')"),
    "a body in drips": (
        "peer.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 99999\\r\\n\\r\\n')",
        "peer.sendall(b'x'); time.sleep(0.2)",
    ),
    "chunks without end": (
        "peer.sendall(b'HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n')",
        "peer.sendall(b'1;' + b'x' * 1000 + b'\\r\\nx\\r\\n'); time.sleep(0.01)",
    ),
    "nothing": ("pass", "time.sleep(1)"),
}


@pytest.mark.parametrize("how", SLOW)
def test_a_server_that_trickles_holds_nobody_up(how: str, inside: Sandbox) -> None:
    first, again = SLOW[how]
    number = inside.start(
        ["python3", "-I", "-c", textwrap.dedent(SERVER.format(first=first, again=again))], ENV, FOLDER
    )
    deadline = time.monotonic() + 20
    while "up" not in inside.output(number):
        assert time.monotonic() < deadline
    began = time.monotonic()
    status, _ = inside.ask(4000, "/", timeout=2)
    assert status == 0 and time.monotonic() < began + 10


def test_names_of_any_bytes_and_any_depth_are_counted_or_refused(inside: Sandbox) -> None:
    assert python(inside, r"import os; os.mkdir('n'); open(b'n/\xff\xfe', 'w'); open('n/\n', 'w')").code == 0
    assert inside.look(f"{FOLDER}/n").files == 2
    deep = "import os\nos.mkdir('d'); os.chdir('d')\nfor _ in range(3000): os.mkdir('x' * 20); os.chdir('x' * 20)"
    assert python(inside, deep).code == 0
    with pytest.raises(WorkError):
        inside.look(f"{FOLDER}/d")


def test_programs_that_do_not_start_are_told(inside: Sandbox) -> None:
    assert inside.run(["/not/there"], ENV, FOLDER).code == 127
    assert inside.run(["/etc/hosts"], ENV, FOLDER).code == 126
    assert inside.run(["true"], ENV, "/not/there").code == 127


def first_process(inside: Sandbox) -> int:
    """The number, on the host, of the sandbox's process 1."""
    children = Path(f"/proc/{inside._process.pid}/task/{inside._process.pid}/children").read_text().split()
    return int(children[-1])


def test_a_first_process_that_is_stopped_is_late(inside: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "_GRACE", 1.0)
    os.kill(first_process(inside), signal.SIGSTOP)
    with pytest.raises(WorkError, match="did not answer in time"):
        inside.running(1)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_first_process_that_is_killed_is_told(number: signal.Signals, inside: Sandbox) -> None:
    os.kill(inside._process.pid if number == signal.SIGINT else first_process(inside), number)
    with pytest.raises(WorkError, match="it ended"):
        inside.run(["sleep", "5"], ENV)


@pytest.mark.parametrize(
    "answer",
    [
        "x",
        "[]",
        "1",
        '{"result": 5}',
        '{"result": {"code": "0"}}',
        '{"result": {"code": true}}',
        "[" * 9000,
        "y" * 5_000_000,
    ],
)
def test_an_answer_that_is_none_is_told(answer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = f"for line in sys.stdin: print({answer[:99]!r} * {max(1, len(answer) // 99)}, flush=True)"
    ready = f"import sys\nsys.stdin.readline(); print('{{\"result\": null}}', flush=True)\n{said}"
    monkeypatch.setattr(adapter, "own_module", lambda _: isolated("-c", ready))
    with (
        pytest.raises(WorkError, match="cannot be read"),
        opened(tmp_path / "root", "x86_64", tmp_path / "mountpoint", tmp_path) as made,
    ):
        made.run(["true"], ENV)


def without(*patches: str) -> Sequence[str]:
    """The jail on a kernel that lacks something."""
    words = own_module("bundler.adapters.jail")
    code = (
        "from bundler.adapters import kernel\n"
        + "\n".join(patches)
        + "\nfrom bundler.adapters.jail import main; main()"
    )
    return [*words[:-1], words[-1].partition("; from")[0] + "\n" + code]


OLD = {
    "mount_setattr (5.12)": "kernel.protect = kernel.protect_each",
    "an overlay without root (5.11)": textwrap.dedent("""
        mount = kernel.mount
        def no_overlay(source, target, kind, options="", flags=0):
            if kind == "overlay":
                raise PermissionError(1, "not permitted")
            mount(source, target, kind, options, flags)
        kernel.mount = no_overlay"""),
}


@pytest.mark.parametrize("lacking", OLD)
def test_older_kernels_serve_as_well(
    lacking: str, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "own_module", lambda _: without(OLD[lacking]))
    with opened(debian_root("12", "amd64"), "x86_64", tmp_path / "mountpoint", archive) as made:
        script = "touch /usr/x /etc/x /dev/x; chmod 600 /dev/null /dev/zero; touch /tmp/x && echo x > /dev/null"
        done = made.run(["sh", "-c", script], ENV, "/tmp")
        assert done.code == 0 and done.output.count("Read-only file system") == 5, done.output


def test_a_root_whose_etc_is_a_link_is_refused(archive: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "hosts").write_text("mine")
    root = tmp_path / "root"
    for name in ("proc", "dev", "tmp", "usr"):
        (root / name).mkdir(parents=True)
    (root / "etc").symlink_to(outside)
    with (
        pytest.raises(WorkError, match="no root of a distribution"),
        opened(root, "x86_64", tmp_path / "mountpoint", archive),
    ):
        pass
    assert [(path.name, path.read_text()) for path in outside.iterdir()] == [("hosts", "mine")]


def test_without_processes_left_it_ends_with_a_sentence() -> None:
    """As a user who may start no more: nothing but what is said."""
    code = """
        import os, resource, tempfile
        from pathlib import Path
        from bundler.adapters.sandbox import opened
        from bundler.errors import WorkError
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
        os.setgid(54321); os.setuid(54321)
        try:
            with opened(Path("/usr"), os.uname().machine, Path(tempfile.mkdtemp()), Path("/x")):
                pass
        except WorkError as error:
            print("told:", error.message)
    """
    if os.geteuid():
        pytest.skip("only root can be a user who may start nothing")
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False, timeout=60,
        env={"PYTHONPATH": str(Path(__file__).parent.parent.parent)},
    )  # fmt: skip
    assert "told:" in done.stdout and not done.stderr, done


def test_nothing_is_left_when_it_is_closed(archive: Path, tmp_path: Path) -> None:
    before = Path("/proc/self/mountinfo").read_text()
    with opened(debian_root("12", "amd64"), "x86_64", tmp_path / "mountpoint", archive) as made:
        made.start(["sh", "-c", "while true; do sleep 987652 & done"], ENV)
        time.sleep(0.5)
    words = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if os.access(path, os.R_OK)]
    assert not [one for one in words if b"987652" in one]
    assert Path("/proc/self/mountinfo").read_text() == before
    assert list((tmp_path / "mountpoint").iterdir()) == []


def test_a_socket_or_pipe_in_a_shown_folder_leads_to_nobody(tmp_path: Path) -> None:
    shown = tmp_path / "shown"
    shown.mkdir()
    shown.chmod(0o755)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(shown / "socket"))
        server.listen()
        os.mkfifo(shown / "pipe")
        for name in ("socket", "pipe"):
            (shown / name).chmod(0o777)
        pipe = os.open(shown / "pipe", os.O_RDWR | os.O_NONBLOCK)
        code = """
            import os, socket
            for work in (
                lambda: socket.socket(socket.AF_UNIX).connect("/shown/socket"),
                lambda: os.write(os.open("/shown/pipe", os.O_WRONLY | os.O_NONBLOCK), b"told"),
            ):
                try:
                    work()
                except OSError as error:
                    print(error.strerror)
        """
        paths = {path: Path(path) for path in ("/bin", "/usr", "/lib", "/lib64") if Path(path).exists()}
        with sealed(
            {**paths, "/shown": shown}, {}, "/build", tmp_path / "mountpoint", tmp_path / "outlet", lambda: False
        ) as made:
            done = made.run(["python3", "-I", "-c", textwrap.dedent(code)], ENV, "/build", 60.0)
        os.close(pipe)
    assert done.output.splitlines() == ["Connection refused", "No such device or address"]


def test_many_that_share_a_mountpoint_do_not_disturb_each_other(archive: Path, tmp_path: Path) -> None:
    """A folder that is removed takes what others have mounted there away from them: one that ends leaves it."""
    root, mountpoint = debian_root("12", "amd64"), tmp_path / "mountpoint"

    def once(number: int) -> int:
        with opened(root, "x86_64", mountpoint, archive) as made:
            return made.run(["test", "-e", "/etc/debian_version"], ENV).code

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(once, range(40))) == [0] * 40
