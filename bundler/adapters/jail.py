"""The inside of a sandbox: process 1 of its own namespaces, which runs what it is told and sees every network attempt.

It is started by `bundler.adapters.sandbox` with private user, network, mount and process namespaces. It overlays the
root with a tmpfs, so that nothing is written to it; when this process ends, for whatever reason, the kernel ends every
other process of the sandbox and its mounts are gone. Requests and answers are JSON lines on standard input and output.

How attempts are seen: all addresses are routed to the loopback device, on which a packet socket (packet(7)) sees every
outgoing TCP SYN and UDP datagram for another host; names are seen by a resolver on 127.0.0.1 that answers SERVFAIL, as
a host without network does in the end. The program is found by the socket's inode (proc(5)).
"""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import http.client
import ipaddress
import json
import os
import queue
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"

# What may be asked for: these methods of Jail.
_REQUESTS = frozenset(("run", "start", "running", "stop", "ask", "write", "extract", "look", "read", "attempts"))
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_OUTPUT_KEPT = 20_000
_BINFMT = Path("/proc/sys/fs/binfmt_misc")
# ELF, 64 bit, little-endian, EM_AARCH64 / EM_X86_64, executable or shared (binfmt-misc in the kernel's guide).
_MAGIC = r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00{machine}\x00"
_MASK = r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"
_MACHINES = {"aarch64": r"\xb7", "x86_64": r"\x3e"}


def main() -> None:
    """Serve requests until standard input ends."""
    requests: queue.Queue[dict[str, Json]] = queue.Queue()
    threading.Thread(target=_read, args=(requests,), daemon=True).start()
    first = requests.get()
    try:
        jail = Jail(Path(str(first["root"])), Path(str(first["mountpoint"])))
        if emulator := first.get("emulator"):
            register_emulator(str(emulator), str(first["machine"]))
        jail.watch()
        _answer({"ready": True})
    except OSError as error:
        _answer({"error": f"{error.strerror}{f': {error.filename}' if error.filename else ''}"})
        return
    while True:
        request = requests.get()
        name = str(request.pop("do"))
        try:
            _answer({"result": getattr(jail, name)(**request) if name in _REQUESTS else None})
        except (OSError, ValueError, tarfile.TarError) as error:
            _answer({"error": f"{type(error).__name__}: {error}"})


def _read(requests: queue.Queue[dict[str, Json]]) -> None:
    for line in sys.stdin:
        requests.put(json.loads(line))
    os._exit(0)  # whoever started the sandbox is gone: so is the sandbox


def _answer(document: Json) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


class Jail:
    """A root that is thrown away, and the programs that run in it."""

    def __init__(self, root: Path, mountpoint: Path) -> None:
        self._root = _overlay(root, mountpoint)
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        self._watch = Watch()

    def watch(self) -> None:
        """Bring loopback up and begin to see attempts."""
        up_loopback()
        for family in (socket.AF_INET, socket.AF_INET6):
            route_everything_to_loopback(family)
        self._watch.start()

    def run(self, argv: list[str], env: dict[str, str], cwd: str, timeout: float) -> Json:
        """Run a program to its end: its exit code, the end of what it wrote, and the seconds it took."""
        started = time.monotonic()
        process = self._spawn(argv, env, cwd, subprocess.PIPE)
        try:
            output, _ = process.communicate(timeout=timeout)
            code = process.returncode
        except subprocess.TimeoutExpired:
            _end(process)
            output, _ = process.communicate()
            output, code = output + f"\nended after {timeout:.0f} s".encode(), 124
        text = output.decode("utf-8", "replace")[-_OUTPUT_KEPT:]
        return {"code": code, "output": text, "seconds": time.monotonic() - started}

    def start(self, argv: list[str], env: dict[str, str], cwd: str, log: str) -> Json:
        """Start a program that goes on; what it writes goes to the file `log`. Returns its number."""
        with self._inside(log).open("wb") as file:
            process = self._spawn(argv, env, cwd, file.fileno())
        self._running[process.pid] = process
        return process.pid

    def running(self, pid: int) -> Json:
        """Say whether a started program still runs."""
        return self._running[pid].poll() is None

    def stop(self, pid: int) -> Json:
        """End a started program and return its exit code (negative: the signal)."""
        process = self._running.pop(pid)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
        code = process.poll()
        _end(process)
        return code

    def ask(self, port: int, method: str, path: str, body: str, timeout: float) -> Json:
        """Send one HTTP request to a port on loopback."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
        try:
            connection.request(method, path, body or None, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return {"status": answer.status, "body": answer.read(1 << 20).decode("utf-8", "replace")}
        except (OSError, http.client.HTTPException) as error:
            return {"status": 0, "body": f"{type(error).__name__}: {error}"}
        finally:
            connection.close()

    def write(self, path: str, text: str) -> Json:
        """Write a text file, and the folders above it."""
        inside = self._inside(path)
        inside.parent.mkdir(parents=True, exist_ok=True)
        inside.write_text(text, encoding="utf-8")
        return None

    def read(self, path: str) -> Json:
        """Return a text file's content, or null if it is not there."""
        inside = self._inside(path)
        return inside.read_text("utf-8", "replace")[-_OUTPUT_KEPT:] if inside.is_file() else None

    def extract(self, archive: str, folder: str) -> Json:
        """Unpack a verified archive from the host below `folder`."""
        inside = self._inside(folder)
        inside.mkdir(parents=True, exist_ok=True)
        with tarfile.open(archive) as tar:
            tar.extractall(inside, filter="tar")
        return None

    def look(self, path: str) -> Json:
        """Count a folder's files and bytes, and digest what they are (byte code aside) to see later changes."""
        digest, files, size = hashlib.sha256(), 0, 0
        for file, status in _walk(self._inside(path)):
            files, size = files + 1, size + status.st_size
            if "__pycache__" not in file:
                digest.update(f"{file} {status.st_mode} {status.st_size} {status.st_mtime_ns}\n".encode())
        return {"files": files, "size": size, "digest": digest.hexdigest()}

    def attempts(self) -> Json:
        """Return and forget the network attempts seen so far."""
        time.sleep(0.05)  # what was sent a moment ago is being looked at
        return self._watch.taken()

    def _spawn(self, argv: list[str], env: dict[str, str], cwd: str, output: int) -> subprocess.Popen[bytes]:
        def enter() -> None:
            os.chroot(self._root)
            os.chdir(cwd)

        return subprocess.Popen(  # noqa: S603 - the point of a sandbox
            argv, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            preexec_fn=enter, start_new_session=True,
        )  # fmt: skip

    def _inside(self, path: str) -> Path:
        return self._root / path.lstrip("/")


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _walk(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    for parent, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            path = os.path.join(parent, name)  # noqa: PTH118 - tens of thousands of files
            yield path, os.lstat(path)


def _overlay(root: Path, mountpoint: Path) -> Path:
    """Mount a root that takes its files from `root` and its changes into memory; return it."""
    _mount("tmpfs", mountpoint, "tmpfs", "mode=0755")
    upper, work, merged = (mountpoint / name for name in ("upper", "work", "root"))
    for folder in (upper, work, merged):
        folder.mkdir()
    lower = str(root).replace("\\", "\\\\").replace(":", "\\:").replace(",", "\\,")
    try:
        _mount("overlay", merged, "overlay", f"lowerdir={lower},upperdir={upper},workdir={work}")
    except OSError:  # no overlay file system here: a copy serves as well, only slower
        shutil.copytree(root, merged, symlinks=True, dirs_exist_ok=True, ignore=_special)
    for name in ("proc", "dev", "tmp", "etc"):
        (merged / name).mkdir(exist_ok=True)
    _mount("proc", merged / "proc", "proc")
    _mount("tmpfs", merged / "dev", "tmpfs", "mode=0755")
    for name in _DEVICES:
        (merged / "dev" / name).touch()
        _mount(f"/dev/{name}", merged / "dev" / name, bind=True)
    (merged / "dev" / "shm").mkdir()
    (merged / "dev" / "fd").symlink_to("/proc/self/fd")
    _mount("tmpfs", merged / "tmp", "tmpfs", "mode=1777")
    _replace(merged / "etc" / "hosts", "127.0.0.1 localhost\n::1 localhost\n", mountpoint)
    _replace(merged / "etc" / "resolv.conf", "nameserver 127.0.0.1\noptions timeout:2 attempts:1\n", mountpoint)
    return merged


def _special(folder: str, names: list[str]) -> list[str]:
    """Names that a copy of a root leaves out: devices, sockets, and what is mounted anew."""
    odd = (stat.S_ISBLK, stat.S_ISCHR, stat.S_ISFIFO, stat.S_ISSOCK)
    modes = {name: (Path(folder) / name).lstat().st_mode for name in names}
    return [name for name, mode in modes.items() if any(test(mode) for test in odd) or name in ("proc", "sys")]


def _replace(path: Path, text: str, spare: Path) -> None:
    """Let `path` hold `text`, also where it belongs to a user that is nobody here."""
    replacement = spare / path.name
    replacement.write_text(text, encoding="utf-8")
    if path.is_symlink() or not path.exists():
        path.unlink(missing_ok=True)
        path.write_text(text, encoding="utf-8")
    else:
        _mount(str(replacement), path, bind=True)


_MS_BIND, _MS_REC = 4096, 16384


def _mount(source: str, target: Path, kind: str = "", options: str = "", *, bind: bool = False) -> None:
    """mount(2). Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    flags = _MS_BIND | _MS_REC if bind else 0
    if libc.mount(source.encode(), os.fsencode(target), kind.encode(), flags, options.encode()):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(target))


def register_emulator(program: str, machine: str) -> None:
    """Let `program` run foreign binaries in this user namespace only (Linux 6.7), or rely on the host's registration.

    Raises OSError if neither can be.
    """
    try:
        _mount("binfmt_misc", _BINFMT, "binfmt_misc")
        magic = _MAGIC.format(machine=_MACHINES[machine])
        (_BINFMT / "register").write_text(f":aiws-{machine}:M::{magic}:{_MASK}:{program}:F")
    except OSError:
        if not any(machine in path.name for path in _BINFMT.glob("qemu-*")):
            raise


def up_loopback() -> None:
    """Set the loopback device up (netdevice(7))."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sh", b"lo", 0)
        _, flags = struct.unpack("16sh", fcntl.ioctl(control, 0x8913, request))  # SIOCGIFFLAGS
        fcntl.ioctl(control, 0x8914, struct.pack("16sh", b"lo", flags | 1))  # SIOCSIFFLAGS, IFF_UP


def route_everything_to_loopback(family: int) -> None:
    """Make every address of `family` a local one (rtnetlink(7)), so that attempts become packets that can be seen."""
    attribute = struct.pack("HHI", 8, 4, socket.if_nametoindex("lo"))  # RTA_OIF
    route = struct.pack("BBBBBBBBI", family, 0, 0, 0, 255, 3, 254, 2, 0)  # table local, boot, scope host, RTN_LOCAL
    header = struct.pack("IHHII", 16 + len(route) + len(attribute), 24, 0x1 | 0x4 | 0x400, 1, 0)  # RTM_NEWROUTE
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as netlink:
        netlink.send(header + route + attribute)
        (code,) = struct.unpack_from("i", netlink.recv(4096), 16)
    if code and family == socket.AF_INET:  # a kernel without IPv6 needs no route for it
        raise OSError(-code, os.strerror(-code))


class Watch:
    """Sees attempts to reach another host: what was asked for, and by which program."""

    def __init__(self) -> None:
        self._seen: list[dict[str, Json]] = []
        self._lock = threading.Lock()

    def start(self) -> None:
        """Begin to watch packets and to answer as a resolver without network."""
        packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        names.bind(("127.0.0.1", 53))
        for work, sock in ((self._packets, packets), (self._names, names)):
            threading.Thread(target=work, args=(sock,), daemon=True).start()

    def taken(self) -> Json:
        """Return what was seen since the last call."""
        with self._lock:
            seen, self._seen = self._seen, []
        return list(seen)

    def _note(self, what: str, program: str) -> None:
        with self._lock:
            self._seen.append({"what": what, "program": program})

    def _names(self, sock: socket.socket) -> None:
        while True:
            query, (_, port) = sock.recvfrom(4096)
            with suppress(OSError, ValueError, IndexError, struct.error):
                name = _question(query)
                if name != "localhost" and not name.endswith(".localhost"):  # RFC 6761: never another host
                    self._note(name, _program("udp", port))
                sock.sendto(query[:2] + b"\x81\x82" + query[4:6] + bytes(6) + query[12:], ("127.0.0.1", port))

    def _packets(self, sock: socket.socket) -> None:
        while True:
            frame, (_, _, kind, *_) = sock.recvfrom(2048)
            if kind != 4:  # PACKET_OUTGOING; loopback shows each packet once more as it comes in
                continue
            with suppress(OSError, ValueError, IndexError, struct.error):
                if found := _outward(frame[14:]):
                    protocol, address, port, source = found
                    self._note(f"{address}:{port}/{protocol}", _program(protocol, source))


def _question(query: bytes) -> str:
    """The name that a DNS query asks for (RFC 1035, 4.1.2)."""
    labels, offset = [], 12
    while length := query[offset]:
        labels.append(query[offset + 1 : offset + 1 + length].decode("ascii", "replace"))
        offset += length + 1
    return ".".join(labels)


def _outward(packet: bytes) -> tuple[str, str, int, int] | None:
    """Protocol, address, port and source port of a packet that begins a conversation with another host, or None."""
    version = packet[0] >> 4
    if version == 4:
        protocol, address, rest = packet[9], packet[16:20], packet[(packet[0] & 15) * 4 :]
    elif version == 6:
        protocol, address, rest = packet[6], packet[24:40], packet[40:]
    else:
        return None
    host = ipaddress.ip_address(address)
    if host.is_loopback or host.is_multicast:
        return None
    source, port = struct.unpack_from("!HH", rest)
    if protocol == socket.IPPROTO_TCP and rest[13] & 0x12 == 0x02:  # SYN without ACK
        return "tcp", str(host), port, source
    return ("udp", str(host), port, source) if protocol == socket.IPPROTO_UDP else None


def _program(protocol: str, port: int) -> str:
    """The command that owns a local port, or nothing if it is gone already."""
    for table in (protocol, f"{protocol}6"):
        lines = Path(f"/proc/net/{table}").read_text().splitlines()[1:]
        inodes = {line.split()[9] for line in lines if int(line.split()[1].rpartition(":")[2], 16) == port} - {"0"}
        for inode in inodes:
            if command := _owner(f"socket:[{inode}]"):
                return command
    return ""


def _owner(link: str) -> str:
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):
            if os.readlink(descriptor) == link:  # noqa: PTH115 - not a path
                words = (descriptor.parent.parent / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
                return _shortened([word for word in words if word])
    return ""


def _shortened(words: Sequence[str]) -> str:
    """A command line for people: no emulator, no folders of the program, no more than a line."""
    if words and "qemu" in words[0]:
        words = words[1:]
    shown = " ".join([Path(words[0]).name, *words[1:]]) if words else ""
    return shown if len(shown) <= 100 else shown[:99] + "…"


if __name__ == "__main__":
    main()
