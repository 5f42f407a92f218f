"""docs/operate.md in a booted machine: its blocks in one shell, one after the other; the upgrade under load.

/asked tells the settings, and whether the archives support a database; /out/report.json what came of each block.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import time
from functools import partial
from pathlib import Path
from typing import IO

from bundler.adapters.loopback import up_loopback
from tests.acceptance.operating.load import Load

TEXT = Path(__file__).parents[3] / "docs" / "operate.md"
_BLOCK = re.compile(r"^## ([^\n]*)$|^```sh( [a-z]+)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks() -> list[tuple[str, str, str]]:
    """Every block: the heading that it stands under, its word (settings, database or none), its text."""
    found, heading = [], ""
    for match in _BLOCK.finditer(TEXT.read_text(encoding="utf-8")):
        if match[1]:
            heading = match[1]
        else:
            found.append((heading, (match[2] or "").strip(), match[3]))
    return found


class Shell:
    """A shell of root that ends at the first command that fails."""

    def __init__(self) -> None:
        script, self._words = os.pipe()
        argv = ["sh", "-eu", f"/proc/self/fd/{script}"]
        self._shell = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            pass_fds=[script],
        )
        os.close(script)

    def run(self, words: str) -> tuple[bool, str]:
        """Whether all of a block went well, and what it said."""
        os.write(self._words, f"{words}\necho '@@ done'\n".encode())
        said: list[str] = []
        out: IO[str] | None = self._shell.stdout
        for line in out or ():
            if line == "@@ done\n":
                return True, "".join(said)
            said.append(line)
        return False, "".join(said)


def main() -> None:
    """Run the document."""
    up_loopback()
    asked = json.loads(Path("/asked").read_text())
    report: dict[str, object] = {"blocks": (told := [])}
    shell = Shell()
    shell.run("".join(f"{name}={shlex.quote(value)}\n" for name, value in asked["settings"].items()))
    for heading, word, text in blocks():
        if word == "settings" or (word == "database" and not asked["database"]):
            continue
        began = time.monotonic()
        if heading == "Upgrade":
            came: list[tuple[bool, str]] = []
            report["load"] = _load().during(partial(_run, shell, text, came))
            good, said = came[0]
        else:
            good, said = shell.run(text)
        seconds = round(time.monotonic() - began, 1)
        told.append({"heading": heading, "good": good, "said": said, "seconds": seconds})
        print(f"== {heading}: {seconds} s\n{text}\n{said}", flush=True)
        if not good:
            break
        if heading == "Install":
            report["security"] = _told("systemd-analyze", "security", "--no-pager", "litellm.service")
    report["journal"] = _told("journalctl", "--no-pager", "-u", "litellm", "-u", "litellm-trial", "-u", "litellm-front")
    report["left"] = _told("find", "/etc/litellm", "/var/lib/litellm", "/opt/litellm", "/etc/systemd/system", "-ls")
    report["user"] = _told("getent", "passwd", "litellm")
    Path("/out/report.json").write_text(json.dumps(report))


def _run(shell: Shell, text: str, came: list[tuple[bool, str]]) -> None:
    came.append(shell.run(text))


def _load() -> Load:
    secrets = dict(
        line.split("=", 1) for line in Path("/etc/litellm/secrets.env").read_text().splitlines() if "=" in line
    )
    body = json.dumps({"model": "echo", "messages": [{"role": "user", "content": "?"}]})
    headers = {"Authorization": f"Bearer {secrets['LITELLM_MASTER_KEY']}", "Content-Type": "application/json"}
    return Load(4000, "/v1/chat/completions", body, headers, pause=0.3)  # the installation needs the processor too


def _told(*argv: str) -> str:
    return subprocess.run(argv, check=False, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    main()
