"""The program as a service of systemd, of the role's shape, in a machine that has booted; with a database, if given.

Its environment is a file's, and nothing of the rehearsal's: no shell of the user's is involved, and runtime.env is not.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Mapping

from bundler.adapters.sandbox import Finished, Sandbox
from bundler.kinds.steps import SYSTEM_PATH, SkippedError, StepError, ask, run
from bundler.kinds.wheelhouse.members.units import quoted
from bundler.kinds.wheelhouse.program import Description, PostgresPlan
from bundler.kinds.wheelhouse.serve import PORT, ready
from bundler.model.program_log import failure

_ENV = {"PATH": SYSTEM_PATH, "HOME": "/root", "LANG": "C.UTF-8"}
_NAME = "rehearsal"
_POSTGRES_PATIENCE, _LOOK_SECONDS = 60.0, 0.5

# The role's unit, line by line.
_UNIT = """\
[Unit]
Description={component}, rehearsed
After=network-online.target

[Service]
Type=simple
User={user}
Group={user}
WorkingDirectory=/home/{user}
EnvironmentFile={folder}/{component}.env
Environment=PYTHONPATH={packages}
Environment=PATH={venv}/bin:{path}
ExecStart={command}
Restart=always
RestartSec=5
StandardOutput=journal
StandardError=journal

[Install]
WantedBy=multi-user.target
"""


class Service:
    """The service of a component that is installed in `venv`, for `user`."""

    def __init__(self, machine: Sandbox, component: str, description: Description, user: str, venv: str) -> None:
        self._machine, self._component, self._description = machine, component, description
        self._user, self._venv = user, venv
        self._folder, self._unit = f"/etc/{component}", f"{component}-rehearsal.service"
        self._postgres: PostgresPlan | None = None
        self._variables: Mapping[str, str] = {}

    def give_postgres(self, plan: PostgresPlan) -> str:
        """Make a user and a database in the root's own PostgreSQL, for the service to have; its version.

        Raises SkippedError if there is none, StepError if it does not come up.
        """
        if self._try("/bin/sh", "-c", "command -v psql && ls /usr/lib/postgresql").code:
            raise SkippedError("the root has no PostgreSQL: make it with mmdebstrap --include=postgresql")
        self._run("systemctl", "start", "postgresql")
        deadline = time.monotonic() + _POSTGRES_PATIENCE
        while (done := self._psql("show server_version")).code:
            if time.monotonic() > deadline:
                raise StepError(failure("psql", "PostgreSQL does not answer", done.output), done.output)
            time.sleep(_LOOK_SECONDS)
        password = secrets.token_hex(16)
        for made in (
            self._psql(f"create role {_NAME} login password '{password}'"),
            self._as_postgres("createdb", f"--owner={_NAME}", _NAME),
        ):
            if made.code:
                raise StepError(made.output.replace(password, "…"))
        address = f"postgresql://{_NAME}:{password}@127.0.0.1:5432/{_NAME}?sslmode=disable"
        self._variables = {**plan.environment, plan.variable: address}
        self._postgres = plan
        return f"PostgreSQL {done.output.strip()}"

    def serve(self) -> str:
        """Start the service, wait until it is ready, ask it, stop it. Raises StepError with what the journal tells."""
        plan = self._description.plan
        if plan is None or not plan.start:
            raise SkippedError("no manifest says how the program is started and asked (`rehearsal:`)")
        packages = self._packages()
        words = [f"{self._venv}/bin/{self._description.program}", *plan.arguments(PORT, self._folder)]
        unit = _UNIT.format(
            component=self._component,
            user=self._user,
            folder=self._folder,
            packages=packages,
            venv=self._venv,
            path=SYSTEM_PATH,
            command=" ".join(map(quoted, words)),
        )
        for path, text in {
            **{f"{self._folder}/{path}": text for path, text in plan.files.items()},
            f"{self._folder}/{self._component}.env": "".join(f"{n}={v}\n" for n, v in self._variables.items()),
            f"/etc/systemd/system/{self._unit}": unit,
        }.items():
            self._machine.write(path, text)
        self._run("chmod", "600", f"{self._folder}/{self._component}.env")
        self._run("systemctl", "daemon-reload")
        started = time.monotonic()
        self._run("systemctl", "start", self._unit)
        try:
            ready(self._machine, plan, self._running)
            seconds = time.monotonic() - started
            questions = self._postgres.ask if self._postgres else filter(None, [plan.ask])
            for question in questions:
                ask(self._machine, PORT, question)
        except StepError as error:
            log = self._journal()
            told = failure(f"systemctl start {self._unit}", f"{self._state()}: {error}", log)
            raise StepError(told, log) from error
        self._run("systemctl", "stop", self._unit)
        return f"ready after {seconds:.1f} s{', with PostgreSQL' if self._postgres else ''}"

    def _packages(self) -> str:
        """Where the venv's packages are. The venv is the user's, so root neither runs nor believes what is in it."""
        asked = "import sysconfig; print(sysconfig.get_path('purelib'))"
        said = self._run("sudo", "-n", "-u", self._user, f"{self._venv}/bin/python", "-c", asked).strip()
        if not re.fullmatch(rf"{re.escape(self._venv)}/[\w./-]+", said):
            raise StepError(f"{self._venv}/bin/python says that its packages are at {said[:200]!r}", said)
        return said

    def _running(self) -> bool:
        """Whether it is in its first life: one that is restarted has ended."""
        return "ActiveState=active\nNRestarts=0\n" in self._shown("ActiveState", "NRestarts")

    def _state(self) -> str:
        return ", ".join(self._shown("ActiveState", "NRestarts", "ExecMainStatus").split())

    def _shown(self, *names: str) -> str:
        shown = self._run("systemctl", "show", f"--property={','.join(names)}", self._unit)
        lines = dict(line.partition("=")[::2] for line in shown.splitlines())
        return "".join(f"{name}={lines.get(name, '')}\n" for name in names)

    def _journal(self) -> str:
        """What the service wrote, without what systemd says of it."""
        done = self._try("journalctl", "--no-pager", "--output=cat", f"--unit={self._unit}", "_PID!=1")
        return done.output if not done.code else self._try("journalctl", "--no-pager", "-ocat", "-u", self._unit).output

    def _psql(self, words: str) -> Finished:
        return self._as_postgres("psql", "-qtAX", "-c", words)

    def _as_postgres(self, *argv: str) -> Finished:
        return self._try("sudo", "-n", "-u", "postgres", *argv)

    def _run(self, *argv: str) -> str:
        return run(self._machine, argv, _ENV, "/")

    def _try(self, *argv: str) -> Finished:
        return self._machine.run(argv, _ENV, "/", 120.0)
