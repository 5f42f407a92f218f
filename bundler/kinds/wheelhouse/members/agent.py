"""What install.sh makes a LaunchAgent with, and what the agent runs: `python -I -B agent.py WORD ...`.

`write TEMPLATE PLIST ENV NAME=TEXT ...` fills in the words @NAME@ of a property list, and adds the variables of the
file ENV to those of the agent. `run SECRETS PROGRAM ...` becomes PROGRAM, with the variables of the file SECRETS, which
stand in no property list: everybody may read those. `start PLIST NAME=VALUE ...` becomes what launchd would start, with
more variables. A file's lines are NAME=VALUE, quoted as for a shell or not at all; one that begins with # says nothing.
"""

from __future__ import annotations

import os
import plistlib
import shlex
import sys
from pathlib import Path

_PLACES = ("WorkingDirectory", "StandardOutPath", "StandardErrorPath")


def variables(path: Path) -> dict[str, str]:
    """A file's variables; none if it is not there. Raises ValueError."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    pairs = (line.partition("=") for line in map(str.strip, lines) if "=" in line and not line.startswith("#"))
    return {name.strip(): " ".join(shlex.split(value)) for name, _, value in pairs}


def filled(text: str, words: dict[str, str]) -> str:
    """A text with each word in it replaced."""
    for word, its_text in words.items():
        text = text.replace(f"@{word}@", its_text)
    return text


def write(template: str, target: str, env: str, *pairs: str) -> None:
    """Write the property list of an agent."""
    words = {name: text for name, _, text in (pair.partition("=") for pair in pairs)}
    agent = plistlib.loads(Path(template).read_bytes())
    agent["ProgramArguments"] = [filled(word, words) for word in agent["ProgramArguments"]]
    agent["EnvironmentVariables"] = {
        **{name: filled(text, words) for name, text in agent["EnvironmentVariables"].items()},
        **variables(Path(env)),
    }
    agent.update((name, filled(agent[name], words)) for name in _PLACES)
    Path(target).write_bytes(plistlib.dumps(agent))


def run(secrets: str, *command: str) -> None:
    """Become a program."""
    os.execve(command[0], command, {**os.environ, **variables(Path(secrets))})  # noqa: S606


def start(plist: str, *pairs: str) -> None:
    """Become what launchd would start, in its folder."""
    told = plistlib.loads(Path(plist).read_bytes())
    more = {name: value for name, _, value in (pair.partition("=") for pair in pairs)}
    os.umask(told["Umask"])
    os.chdir(told["WorkingDirectory"])
    command = told["ProgramArguments"]
    os.execve(command[0], command, {**os.environ, **told["EnvironmentVariables"], **more})  # noqa: S606


if __name__ == "__main__":
    try:
        if sys.argv[1] == "write":
            write(*sys.argv[2:])
        else:
            (run if sys.argv[1] == "run" else start)(*sys.argv[2:])
    except (OSError, ValueError) as error:
        sys.exit(f"agent.py: {error}")
