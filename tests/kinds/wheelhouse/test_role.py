"""The role's steps against a machine whose programs say and do what a test has them: each step fails by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import pytest

from bundler.adapters.sandbox import Attempt, Finished, Sandbox, Size
from bundler.errors import WorkError
from bundler.kinds.steps import Step, take
from bundler.kinds.wheelhouse import role
from bundler.kinds.wheelhouse.program import Description, PostgresPlan, RehearsalPlan
from bundler.kinds.wheelhouse.role import Host, Role, rehearse
from tests.kinds.wheelhouse.members.test_archive_manifest import FACTS

GOOD = Finished(0, "", 0.1)
OLD_PIP = Finished(2, "no such option: --resume-retries", 0.1)
PLAN = RehearsalPlan(start=("{port}",), ready=("/",), postgresql=PostgresPlan("URL"))
DESCRIPTION = Description("litellm", PLAN, "litellm.yaml")
HOST = Host(Path("/nowhere"), "x86_64", Path("/nowhere"), Path("/nowhere"))
ALL = [
    "role: the host has no pip",
    "role: the installer's part, as root",
    "role: without ANSIBLE_BECOME_FLAGS pip sees no wheelhouse",
    "role: make the venv",
    "role: upgrade pip",
    "role: install",
    "role: again, nothing changes",
    "role: database: skipped",
    "role: PostgreSQL for the service",
    "role: the service: ready, and answers",
]


@dataclass
class Machine:
    """A machine: what happens to the first word that stands in a command, else as on a fresh Debian 12."""

    happens: Mapping[str, Finished] = field(default_factory=dict)
    flags: str = "ANSIBLE_BECOME_FLAGS=-HSnE\n"
    marker: str = f"{FACTS.requirement}\n"
    digests: Callable[[], str] = lambda: "same"
    ran: list[tuple[str, ...]] = field(default_factory=list)

    def run(self, argv: Sequence[str], env: Mapping[str, str], cwd: str, timeout: float) -> Finished:
        self.ran.append(tuple(argv))
        words = " ".join(argv)
        usual = {
            "-m pip --version": Finished(1, "No module named pip", 0.1),
            "runtime.env; env": Finished(0, f"{self.flags}PATH=/usr/bin\n", 0.1),
            "-H -S -n -u aiws /bin/sh -c PIP_CACHE_DIR": OLD_PIP,
            "sysconfig.get_path": Finished(
                0, "/home/aiws/.local/share/litellm/venv/lib/python3.11/site-packages\n", 0.1
            ),
            "systemctl show": Finished(0, "NRestarts=0\nActiveState=active\n", 0.1),
        }
        return next((done for word, done in {**self.happens, **usual}.items() if word in words), GOOD)

    def look(self, _: str) -> Size:
        return Size(1, 1, self.digests())

    def read(self, path: str) -> str | None:
        return None if path == "/etc/pip.conf" else self.marker

    def attempts(self) -> tuple[Attempt, ...]:
        return (Attempt("an.index", "pip"),)

    def ask(self, *_: object) -> tuple[int, str]:
        return 200, ""

    def extract(self, _: str) -> None: ...

    def write(self, *_: str) -> None: ...


def taken(machine: Machine, description: Description = DESCRIPTION) -> list[Step]:
    made = cast(Sandbox, machine)
    return list(take(Role(made, "litellm-runtime", FACTS, description).steps(), made, lambda step: None))


def test_what_goes_well_is_good_and_what_is_left_out_is_skipped() -> None:
    steps = taken(machine := Machine())
    assert [step.name for step in steps] == ALL
    assert all(step.good for step in steps)
    skipped = {step.name: step.detail for step in steps if step.skipped}
    assert list(skipped) == ["role: PostgreSQL for the service"]
    assert skipped["role: PostgreSQL for the service"].startswith("database: not supported: ")
    assert steps[2].detail == "fails, as it should: no such option: --resume-retries; it asked for an.index"
    users = [argv for argv in machine.ran if argv[0] == "sudo" and "/bin/sh" in argv]
    assert {argv[1:-5] for argv in users} == {("-H", "-S", "-n"), ("-HSnE",)}
    assert [argv[-1] for argv in users][5].endswith(
        "venv/bin/python -m pip install --retries 5 --resume-retries 5 'litellm[proxy]==1.0' prisma"
    )


@pytest.mark.parametrize(
    ("machine", "failing", "told"),
    [
        (Machine(flags=""), "make the venv", "runtime.env exports no ANSIBLE_BECOME_FLAGS"),
        (
            Machine({"-H -S -n -u aiws /bin/sh -c PIP": GOOD}),
            "without ANSIBLE_BECOME_FLAGS pip sees no wheelhouse",
            "pip installs without the flags",
        ),
        (
            Machine({"-H -S -n -u aiws /bin/sh -c PIP": Finished(1, "a full disk", 0.1)}),
            "without ANSIBLE_BECOME_FLAGS pip sees no wheelhouse",
            "fails, but not for want of the wheelhouse",
        ),
        (
            Machine({"-HSnE -u aiws /bin/sh -c PIP": Finished(1, "ERROR: no disk", 0.1)}),
            "upgrade pip",
            "ERROR: no disk",
        ),
        (Machine(marker="another==1.0\n"), "again, nothing changes", "the marker holds 'another==1.0\\n'"),
        (Machine(digests=iter("abcdefgh").__next__), "again, nothing changes", "venv changed"),
        (Machine({"useradd": Finished(9, "exists", 0.1)}), "the installer's part, as root", "ended with 9"),
        (Machine({"systemctl start": Finished(1, "no unit", 0.1)}), "the service: ready, and answers", "no unit"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_step_fails_by_itself(machine: Machine, failing: str, told: str) -> None:
    last = taken(machine)[-1]
    assert (last.name, last.good) == (f"role: {failing}", False)
    assert told in last.detail


def test_a_pip_that_is_too_new_to_fail_at_its_option_fails_for_want_of_wheels() -> None:
    found = Finished(1, "ERROR: No matching distribution found for litellm", 0.1)
    steps = taken(Machine({"-H -S -n -u aiws /bin/sh -c PIP": found}))
    assert len(steps) == len(ALL)
    assert steps[2].detail.startswith("fails, as it should: No matching distribution found")


def test_on_a_host_with_pip_the_way_without_flags_is_not_shown() -> None:
    steps = taken(Machine({"python3 -m pip --version": GOOD}))
    assert steps[0].detail == "it has pip, which fresh ones have not"
    assert steps[2].skipped and "/etc/pip.conf" in steps[2].detail


def test_without_a_plan_there_is_no_service() -> None:
    assert [step.skipped for step in taken(Machine(), Description("litellm"))][-2:] == [True, True]


def test_where_no_machine_can_be_made_one_step_says_what_to_add(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(role, "lacking", lambda *_: "apt install it")
    told: list[Step] = []
    (step,) = rehearse(HOST, "top", FACTS, DESCRIPTION, told.append)
    assert replace(step, seconds=0.0) == Step("role: boot the root", 0.0, True, "apt install it", skipped=True)
    assert told == [step] and step.result == "skipped"


def test_a_machine_that_does_not_boot_is_skipped_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise WorkError("the machine failed: no such kernel")

    monkeypatch.setattr(role, "lacking", lambda *_: "")
    monkeypatch.setattr(role, "booted", broken)
    (step,) = rehearse(HOST, "top", FACTS, DESCRIPTION, lambda step: None)
    assert step.skipped and step.detail == "the machine failed: no such kernel"
