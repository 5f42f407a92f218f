"""A macOS host that is none: its programs refuse what BSD's do not know, and tell what a Mac would."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from bundler.model.bundle import INSTALLER
from bundler.model.interpreter import Interpreter
from bundler.model.target import Target
from tests.installing import MINOR
from tests.model.samples import REQUEST

# Where nobody is called `id -u` 0: agents are made for people.
UID = os.getuid() or 501
LABEL = "aiws-bundle.litellm"
MAC = replace(
    REQUEST,
    target=Target("macos", "11", "arm64", 11, None),
    python=Interpreter(f"{MINOR}.0", "darwin-arm64", 11),
    portable=True,
)

# The options of macOS 11's programs, as their getopt(3) has them. No other program is there: no flock, no sha256sum.
_OPTIONS = {
    "cat": "benstuv",
    "chmod": "RHLPfhv",
    "cmp": "lsz",
    "comm": "123i",
    "cp": "HLPRXcfinpv",
    "cut": "b:c:d:f:ns",
    "dirname": "",
    "du": "HLPasd:chkmrxg",
    "grep": "A:B:C:EFGHILUVZabcd:e:f:hilm:noqrsvwxyz",
    "head": "n:c:",
    "ln": "Ffhinsv",
    "mkdir": "m:pv",
    "mktemp": "dqt:u",
    "mv": "finv",
    "od": "A:aBbcDdeFfHhIij:LlN:Oost:vXx",
    "ps": "AaCcEefGg:hjLlMmO:o:p:rSTt:U:u:vwXx",
    "readlink": "n",
    "rm": "dfiPRrvW",
    "rmdir": "p",
    "sed": "Eae:f:lnu",
    "sort": "bcCdfghiMmnRrsuk:o:S:T:t:Vz",
    "tail": "b:c:fFn:qr",
    "tr": "Ccdsu",
}
_PLAIN = ("env", "minisign", "perl", "printf", "shasum", "sleep", "ssh-keygen")

_STUBS = {
    "base64": '[ $# -eq 0 ] || [ "$*" = --decode ] || { echo "base64: unrecognized option $*" >&2; exit 64; }\n'
    'exec "@host@" ${1:+-d}',
    "find": "for word; do case $word in -printf | -executable | -readable | /[0-7][0-7][0-7])\n"
    'echo "find: $word: unknown primary or operator" >&2; exit 1 ;; esac; done\nexec "@host@" "$@"',
    "id": "case $* in -u) echo @uid@ ;; -un) echo me ;;\n"
    '-P) echo "me:*:@uid@:20::0:0:Me:@home@:/bin/zsh" ;; *) echo "id: illegal option" >&2; exit 1 ;; esac',
    "ls": 'case $1 in -A) exec "@host@" "$@" ;; -lde) ;; *) echo "ls: illegal option" >&2; exit 1 ;; esac\n'
    '"@host@" -ld -- "$3" && if grep -qxF -- "$3" "@base@/acl"; then echo " 0: user:mallory allow add_file"; fi',
    "sw_vers": '[ "$*" = -productVersion ] && cat "@base@/release"',
    "sync": '[ $# -eq 0 ] || { echo "usage: sync" >&2; exit 1; }',
    "sysctl": 'cat "@base@/sysctl" 2>/dev/null',
    "tar": 'exec "@tar@" "$@"',
    "uname": 'case $* in -s) echo Darwin ;; -m) cat "@base@/machine" ;;\n'
    # What pip, which runs on this host's own Python, asks for.
    "-rs) echo Linux 6.1 ;; *) exit 1 ;; esac",
    "xattr": 'echo "$*" >>"@base@/xattr"\n'
    '[ "$1 $2" = "-dr com.apple.quarantine" ] && [ -d "$3" ] && : >"@base@/cleared"',
}
_STAT = """\
#!@perl@
use Fcntl ":mode";
my $follow = ($ARGV[0] eq "-L") ? shift : "";
(shift) eq "-f" or die "stat: illegal option\\n";
my $format = shift;
shift if $ARGV[0] eq "--";
my @s = $follow ? stat($ARGV[0]) : lstat($ARGV[0]);
@s or die "stat: $ARGV[0]: $!\\n";
my %f = (u => $s[4], p => sprintf("%o", $s[2]), l => $s[3], d => $s[0], i => $s[1], Lp => sprintf("%o", $s[2] & 0777),
    Su => scalar getpwuid($s[4]), Sg => scalar getgrgid($s[5]));
$format =~ s/%(Su|Sg|Lp|[updli])/$f{$1}/g;
$format !~ /%/ or die "stat: bad format\\n";
print "$format\\n";
"""
_LAUNCHCTL = '''\
#!@python@
"""launchctl(1), as far as install.sh knows it: an agent is a process; it is there for a moment after its end."""
import contextlib, os, pathlib, plistlib, signal, subprocess, sys
base = pathlib.Path("@base@")
with (base / "launchctl").open("a") as log:
    print(*sys.argv[1:], file=log)
word, place, rest = sys.argv[1], sys.argv[2], sys.argv[3:]
domain, label = "/".join(place.split("/")[:2]), "/".join(place.split("/")[2:])
if domain != "gui/@uid@" or not (base / "session").exists():
    sys.exit(113)
state = base / "agents" / label
if word == "print" and label:
    if not state.exists():
        sys.exit(113)
    pid = state.read_text()
    if pid == "ending":
        state.unlink()
    elif os.path.exists(f"/proc/{pid}"):
        print(f"gui/@uid@/{label} = {{\\n\\tstate = running\\n\\n\\tprogram = /bin/sh\\n\\tpid = {pid}\\n}}")
elif word == "bootstrap":
    file = pathlib.Path(rest[0])
    plist = plistlib.loads(file.read_bytes())
    if (base / "agents" / plist["Label"]).exists() or file.stem != plist["Label"] or not plist["RunAtLoad"]:
        sys.exit(5)
    env = {"HOME": "@home@", "PATH": "/usr/bin:/bin:/usr/sbin:/sbin", **plist["EnvironmentVariables"]}
    with open(plist["StandardOutPath"], "ab") as out, open(plist["StandardErrorPath"], "ab") as err:
        process = subprocess.Popen(plist["ProgramArguments"], env=env, cwd=plist["WorkingDirectory"], stdout=out,
            stderr=err, stdin=subprocess.DEVNULL, umask=plist["Umask"], start_new_session=True)
    (base / "agents" / plist["Label"]).write_text(str(process.pid))
elif word == "bootout":
    if not state.exists():
        sys.exit(3)
    with contextlib.suppress(ProcessLookupError):
        os.kill(int(state.read_text()), signal.SIGTERM)
    state.write_text("ending")
'''


@dataclass(frozen=True)
class Mac:
    """A host: its programs, and the home of its user."""

    base: Path

    @property
    def bin(self) -> Path:
        return self.base / "bin"

    @property
    def home(self) -> Path:
        return self.base / "Users" / "me"

    @property
    def prefix(self) -> Path:
        return self.home / ".local" / "opt" / "litellm"

    @property
    def plist(self) -> Path:
        return self.home / "Library" / "LaunchAgents" / f"{LABEL}.plist"

    def run(
        self, archive: Path, *words: str, shell: tuple[str, ...] = ("sh",), timeout: int = 60
    ) -> subprocess.CompletedProcess[str]:
        """Run an archive's install.sh as the second of its two starts would be, with this host's programs alone."""
        start = ["/bin/sh", "-c", 'AIWS_CLEAN=$$ exec "$@"', "sh", *shell, str(archive / INSTALLER), *words]
        env = {"PATH": str(self.bin), "LC_ALL": "C", "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run(start, cwd="/", env=env, capture_output=True, text=True, check=False, timeout=timeout)

    def good(self, archive: Path, *words: str, shell: tuple[str, ...] = ("sh",)) -> str:
        """Run it, see that it works, and return what it said."""
        done = self.run(archive, *words, shell=shell)
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stderr == ""
        return done.stdout

    def refused(self, archive: Path, *words: str) -> str:
        """Run it, see that it refuses in words, and return these."""
        done = self.run(archive, *words)
        assert done.returncode == 1, done.stdout + done.stderr
        assert "install.sh: " in done.stderr
        return done.stderr

    def log(self, name: str) -> list[str]:
        """What a program was called with, so far."""
        path = self.base / name
        return path.read_text().splitlines() if path.exists() else []

    def end(self) -> None:
        """End what launchd would have started."""
        for state in (self.base / "agents").iterdir():
            if state.read_text().isdecimal():
                with suppress(ProcessLookupError):
                    os.kill(int(state.read_text()), signal.SIGKILL)


def make(base: Path) -> Mac:
    """Make a host in a folder."""
    mac = Mac(base)
    for folder in (mac.bin, mac.home, base / "agents"):
        folder.mkdir(parents=True)
    for name, text in {"release": "14.5\n", "machine": "arm64\n", "session": "", "acl": ""}.items():
        (base / name).write_text(text)
    words = {"@base@": str(base), "@home@": str(mac.home), "@uid@": str(UID), "@python@": sys.executable}
    words |= {"@perl@": _host("perl"), "@tar@": _host("bsdtar") if shutil.which("bsdtar") else _host("tar")}
    for name, options in _OPTIONS.items():
        _write(mac.bin / name, _checked(name, options))
    for name, text in _STUBS.items():
        place = {**words, "@host@": _host(name) if "@host@" in text else ""}
        _write(mac.bin / name, f"#!/bin/sh\nPATH=/usr/bin:/bin\n{_filled(text, place)}\n")
    for name, text in {"stat": _STAT, "launchctl": _LAUNCHCTL}.items():
        _write(mac.bin / name, _filled(text, words))
    for name in _PLAIN:
        if program := shutil.which(name):
            (mac.bin / name).symlink_to(program)
    for shell in ("sh", "dash", "bash", "busybox", "bash-3.2"):
        if program := shutil.which(shell):
            (mac.bin / shell).symlink_to(program)
    return mac


def portable_python(folder: Path, cleared: Path) -> None:
    """Put a Python into an unpacked archive that runs only after quarantine was taken from what is run."""
    program = folder / "packages" / "python" / "cpython" / "bin" / f"python{MINOR}"
    program.parent.mkdir(parents=True)
    text = f"""\
        #!/bin/sh
        [ -e "{cleared}" ] || {{ echo 'Killed: 9' >&2; exit 137; }}
        exec {sys.executable} "$@"
    """
    _write(program, textwrap.dedent(text))
    (program.parent / "python3").symlink_to(program.name)
    (program.parent.parent / "lib").mkdir()
    (program.parent.parent / "lib" / "python").symlink_to(f"../bin/{program.name}")


def _host(name: str) -> str:
    program = shutil.which(name, path="/usr/bin:/bin")
    assert program, name
    return program


def _filled(text: str, words: dict[str, str]) -> str:
    for word, value in words.items():
        text = text.replace(word, value)
    return text


def _checked(name: str, options: str) -> str:
    """A program that takes these options alone, before its operands and never after them."""
    check = (
        f"case $1 in --) ;; --*) bad=1 ;; esac\nwhile getopts ':{options}' option; do\n"
        "    case $option in \\? | :) bad=1 ;; esac\ndone\n"
    )
    refusal = f'[ -z "$bad" ] || {{ echo "{name}: illegal option: $*" >&2; exit 64; }}\n'
    return f'#!/bin/sh\nbad=\n{check}{refusal}POSIXLY_CORRECT=1 exec {_host(name)} "$@"\n'


def _write(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)
