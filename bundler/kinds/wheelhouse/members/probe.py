"""What install.sh and the service ask of an installation, by one word as `python -I -B probe.py WORD ...`.

`ready URL SECONDS` waits until URL answers with 200, and ends early when the service's process has ended; `alive URL
SECONDS` is three tries, each so long; `port` tells a port of 127.0.0.1 that nobody listens on; `files FOLDER [CHANGED]`
compares the packages in FOLDER with what their RECORDs say, or else with the list CHANGED; `changed FOLDER SINCE` makes
that list, of what changed after the file SINCE was made: SHA-256 as RECORDs spell it (`-`: it is gone), and name.
What is wrong is said on standard error, with exit code 1.
"""

import base64
import csv
import hashlib
import http.client
import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

_TRY_SECONDS = 10.0
_LOOK_SECONDS = 0.2
_MOST_TOLD = 20
_GONE = "-"
_ABSENT = (FileNotFoundError, NotADirectoryError)


def _answer(url: str, seconds: float = _TRY_SECONDS) -> str:
    """The status of the answer, or why there is none."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=seconds)
    try:
        connection.request("GET", url[url.index(parts.netloc) + len(parts.netloc) :])
        return str(connection.getresponse().status)
    except (OSError, http.client.HTTPException) as error:
        return str(error) or type(error).__name__
    finally:
        connection.close()


def _runs(process: str) -> bool:
    """Whether the service's process, which systemd names, is still there."""
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except (PermissionError, ValueError):
        return True
    return True


def _ready(url: str, seconds: str) -> str:
    end = time.monotonic() + float(seconds)
    while (said := _answer(url)) != "200":
        if not _runs(os.environ.get("MAINPID", "")):
            return "the program has ended"
        if time.monotonic() > end:
            return f"not ready after {seconds} s: {url}: {said}"
        time.sleep(_LOOK_SECONDS)
    return ""


def _alive(url: str, seconds: str) -> str:
    for turn in range(3):
        time.sleep(turn)
        if (said := _answer(url, float(seconds))) == "200":
            return ""
    return f"no good answer: {url}: {said}"


def _port() -> str:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        print(one.getsockname()[1])
    return ""


def _rows(folder: str) -> Iterator[tuple[str, str]]:
    """The name and digest of each file that a RECORD knows."""
    for record in sorted(Path(folder).glob("*.dist-info/RECORD")):
        with record.open(encoding="utf-8", newline="") as lines:
            for name, digest, *_ in csv.reader(lines):
                if digest.startswith("sha256="):
                    yield name, digest[len("sha256=") :]


def _digest(path: str) -> str:
    found = hashlib.sha256(Path(path).read_bytes()).digest()
    return base64.urlsafe_b64encode(found).rstrip(b"=").decode()


def _changed(folder: str, since: str) -> str:
    begun = Path(since).stat().st_ctime_ns
    for name, digest in _rows(folder):
        path = f"{folder}/{name}"
        try:
            if Path(path).stat().st_ctime_ns >= begun and (found := _digest(path)) != digest:
                print(f"{found}  {name}")
        except _ABSENT:
            print(f"{_GONE}  {name}")
    return ""


def _files(folder: str, changed: str = "") -> str:
    lines = Path(changed).read_text(encoding="utf-8").splitlines() if changed else []
    known = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    count, told, wrong = 0, 0, []
    for name, digest in _rows(folder):
        try:
            found = _digest(f"{folder}/{name}")
        except OSError as error:
            found, why = _GONE if isinstance(error, _ABSENT) else "", error.strerror
        else:
            why = "is not as it was installed"
        count += found == digest
        told += found == known.get(name) != digest
        if found not in (digest, known.get(name)):
            wrong.append(f"{name}: {why}")
    if not wrong:
        print(f"{count} as they were installed" + (f", {told} as the program's first start left them" if told else ""))
        return "" if count or told else "no packages"
    more = [f"and {len(wrong) - _MOST_TOLD} more"] if len(wrong) > _MOST_TOLD else []
    return "\n".join([*wrong[:_MOST_TOLD], *more])


def _main(what: str, *words: str) -> str:
    if what == "ready":
        return _ready(*words)
    if what == "alive":
        return _alive(*words)
    if what == "changed":
        return _changed(*words)
    return _files(*words) if what == "files" else _port()


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]) or 0)
