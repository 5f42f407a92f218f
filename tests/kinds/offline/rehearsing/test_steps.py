"""The steps of a package against a machine whose programs say and do what a test has them: each fails by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import pytest

from bundler.adapters.sandbox import Finished, Sandbox, Size
from bundler.errors import UsageError
from bundler.kinds.kind import Component
from bundler.kinds.offline import rehearsal
from bundler.kinds.offline.package import ClosureFacts, Package, PackageTarget, PartFacts
from bundler.kinds.offline.plan import PackageRehearsal, Run, ServiceCheck
from bundler.kinds.offline.rehearsing import checkouts, debs, npm, programs, runs, unpacking, wheels
from bundler.kinds.offline.rehearsing.host import Host
from bundler.kinds.question import Question
from bundler.kinds.steps import SkippedError, StepError
from bundler.model.verdict import Finding, Verdict

CLOSURE = ClosureFacts(("demo==1", "pip>=25.1"), "3.11.2", "linux-amd64", 36, ("demo-1-py3-none-any.whl",))
FACTS = Package(
    name="demo-offline",
    package_version="0" * 12,
    target=PackageTarget("debian", "12", "amd64"),
    sources={},
    component_releases={},
    versions={},
    asset="demo-offline-debian-12-amd64.tar.gz",
    inputs="0" * 64,
    exports={},
    redirects={"https://example.org/demo": "demo"},
    parts=(
        PartFacts("de-mo", "demo.tar.gz", "0" * 64, archive=True, contents=True, copies={"a": "metadata/demo.env"}),
        PartFacts("other", "other.tar.gz", "0" * 64, archive=True, contents=False, copies={"a": "packages/bin/x"}),
    ),
    closures=(CLOSURE,),
    collections={},
)
GOOD = Finished(0, "", 0.1)


@dataclass
class Machine:
    """A machine: what happens to the first words that stand in a command, else nothing, well; and its files."""

    happens: Mapping[str, Finished] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    answers: Sequence[tuple[int, str]] = ((200, "fine"),)
    ran: list[str] = field(default_factory=list)
    written: dict[str, str] = field(default_factory=dict)
    asked: int = 0

    def run(self, argv: Sequence[str], env: Mapping[str, str], cwd: str = "/", timeout: float = 900.0) -> Finished:
        words = " ".join(argv)
        self.ran.append(words)
        return next((done for said, done in self.happens.items() if said in words), GOOD)

    def read(self, path: str) -> str | None:
        return self.files.get(path)

    def write(self, path: str, text: str) -> None:
        self.written[path] = text

    def look(self, folder: str) -> Size:
        return Size(1, 1, "one")

    def ask(self, port: int, path: str, body: str = "", timeout: float = 10.0, bearer: str = "") -> tuple[int, str]:
        self.asked += 1
        return self.answers[min(self.asked, len(self.answers)) - 1]


def host(machine: Machine, **env: str) -> Host:
    made = Host(cast(Sandbox, machine), FACTS, {}, "/opt/demo")
    made.env |= env
    return made


def said(output: str, code: int = 0) -> Finished:
    return Finished(code, output, 0.1)


def test_what_a_part_puts_beside_target_env_is_sourced_and_its_requirement_exported() -> None:
    machine = Machine({"SPECS=": said("DE_MO_PACKAGE_SPEC=demo==1\nANSIBLE_BECOME_FLAGS=-HSnE\nPWD=/\n")})
    made = host(machine)
    assert unpacking.export(made).startswith("2 variables of metadata/target.env, metadata/demo.env; ANSIBLE_BECOME")
    assert made.env["DE_MO_PACKAGE_SPEC"] == "demo==1" and "PWD" not in made.env
    assert "SPECS='DE_MO_PACKAGE_SPEC OTHER_PACKAGE_SPEC'" in machine.ran[-1]


def test_a_line_that_bash_cannot_read_is_told() -> None:
    machine = Machine({"SPECS=": said("bash: line 4: DEMO: unbound variable\n", 1)})
    with pytest.raises(StepError, match="unbound variable"):
        unpacking.export(host(machine))


APT = {
    "E: Unable to locate package ansible\n": ["ansible"],
    "Package a is not available\nE: Package 'a' has no installation candidate\n": ["a"],
    " ansible : Depends: ansible-core (>= 2.11) but it is not installable\nE: Unable to correct": ["ansible-core"],
    " a : Depends: libc6 (>= 2.39) but 2.36-9 is to be installed\n": ["libc6 (>= 2.39)"],
    " a : PreDepends: b but it is not going to be installed\n": ["b"],
    "E: Failed to fetch file:/opt/x/packages/apt/a_1%3a2_all.deb  File not found\n": ["a_1%3a2_all.deb"],
    "E: dpkg was interrupted\n": [],
}


@pytest.mark.parametrize("output", APT)
def test_what_apt_lacks_is_read_from_what_it_says(output: str) -> None:
    assert debs.missing(output) == APT[output]


def test_an_installation_that_fails_for_another_reason_is_told_with_its_end() -> None:
    machine = Machine({"apt-get": said("E: dpkg was interrupted\n", 100)})
    with pytest.raises(StepError, match="ended with 100"):
        debs.install(host(machine), "git")


@pytest.mark.parametrize(
    ("hidden", "asked"),
    [((), "docker-ce docker-ce-cli containerd.io"), (("docker-ce",), "docker.io"), (("docker-ce", "docker.io"), "")],
)
def test_docker_is_asked_for_where_apt_sees_it(hidden: tuple[str, ...], asked: str) -> None:
    unseen = {f"show --no-all-versions {name}": said("", 100) for name in hidden}
    machine = Machine({"test -e": said("", 1), **unseen})
    debs.prerequisites(host(machine))
    fetched = [words for words in machine.ran if "--download-only" in words]
    assert [words.partition("unzip ")[2] for words in fetched] == ([asked] if asked else [])
    assert machine.ran[-1].endswith("--no-install-recommends git curl ansible ca-certificates unzip")


def test_browsers_without_the_list_of_their_packages_are_refused() -> None:
    with pytest.raises(StepError, match=r"lacks metadata/apt/browser-deb-packages\.txt"):
        debs.prerequisites(host(Machine()))


def test_a_warning_of_apt_about_the_repository_counts() -> None:
    with pytest.raises(StepError, match="apt cannot read packages/apt: W: it is odd"):
        debs.update(host(Machine({"update": said("W: it is odd\n")})))


def test_a_checkout_that_is_another_commit_than_the_package_says_is_refused() -> None:
    machine = Machine(
        {"find": said("/opt/demo/repos/demo/.git\n"), "log -1": said(f"{'a' * 40}\n")},
        {"/opt/demo/metadata/demo.commit": f"{'b' * 40}\n"},
    )
    with pytest.raises(StepError, match=r"metadata/demo\.commit says b{40}, the checkout is a{40}"):
        checkouts.checkouts(host(machine))


def test_an_address_that_leads_to_another_commit_is_refused() -> None:
    machine = Machine({"rev-parse": said(f"{'a' * 40}\n"), "ls-remote": said(f"{'b' * 40}\tHEAD\n")})
    with pytest.raises(StepError, match=r"^https://example.org/demo does not lead git to repos/demo"):
        checkouts.redirects(host(machine))


def test_what_is_not_there_is_skipped_with_the_reason() -> None:
    empty = Machine({"find": said(""), "test -e": said("", 1)})
    for step in (checkouts.checkouts, debs.sets, programs.programs, programs.browsers, npm.configure):
        with pytest.raises(SkippedError, match=r"packages/|repos/|metadata/apt"):
            step(host(empty))
    with pytest.raises(SkippedError):
        checkouts.redirects(replace(host(empty), facts=replace(FACTS, redirects={})))


PROGRAMS = {
    126: "demo does not run here: bash: Permission denied",
    127: "demo does not run here: bash: Permission denied",
    132: "demo does not run here: bash: Permission denied",
    -11: "demo does not run here: bash: Permission denied",
}


@pytest.mark.parametrize("code", PROGRAMS)
def test_a_program_that_does_not_run_is_told(code: int) -> None:
    machine = Machine(
        {
            "-perm -u+x": said("/opt/demo/packages/bin/demo\n"),
            "*.zip": said(""),
            "--version": said("bash: Permission denied", code),
        }
    )
    with pytest.raises(StepError, match=PROGRAMS[code]):
        programs.programs(host(machine))


@pytest.mark.parametrize(("code", "told"), [(0, "demo: demo 1"), (2, "demo: ends with 2"), (124, "demo: runs on")])
def test_a_program_need_not_know_what_it_is_asked(code: int, told: str) -> None:
    machine = Machine(
        {
            "-perm -u+x": said("/opt/demo/packages/bin/demo\n"),
            "*.zip": said(""),
            "--version": said("demo 1\nmore", code),
        }
    )
    assert programs.programs(host(machine)) == told


def test_a_zip_without_a_program_at_its_top_is_refused() -> None:
    machine = Machine({"*.zip": said("/opt/demo/packages/bin/demo_1.zip\n"), "find": said("")})
    with pytest.raises(StepError, match=r"packages/bin/demo_1\.zip lacks a program at its top"):
        programs.programs(host(machine))


def test_what_pip_lacks_is_read_from_what_it_says() -> None:
    output = (
        "ERROR: Could not find a version that satisfies orjson>=3 (from litellm) (from versions: none)\n"
        "ERROR: No matching distribution found for orjson>=3 (from litellm)\n"
    )
    assert wheels.missing(output) == ["orjson>=3"]
    machine = Machine({"-m pip install demo": said(output, 1), "find": said(""), "sys, ensurepip": said("3.11\n")})
    with pytest.raises(StepError, match=r"^packages/pip lacks orjson>=3$"):
        wheels.install(host(machine), 0, CLOSURE)


def test_pip_runs_as_another_user_with_the_flags_that_the_package_exports() -> None:
    machine = Machine({"find": said(""), "sys, ensurepip": said("3.11\n")})
    wheels.install(host(machine, ANSIBLE_BECOME_FLAGS="-HSnE"), 0, CLOSURE)
    own = [words for words in machine.ran if "-m pip" in words]
    assert own and all(words.startswith("sudo -HSnE -u aiws /bin/sh -c ") for words in own)
    assert ["--upgrade pip" in words for words in own] == [True, False, False], "as the role: pip first"


def test_a_python_that_neither_host_nor_package_has_is_told() -> None:
    machine = Machine({"find": said(""), "sys, ensurepip": said("3.13\n")})
    with pytest.raises(StepError, match=r"the package lacks a Python 3\.11: the host's is 3\.13"):
        wheels.install(host(machine), 0, CLOSURE)


def test_a_host_with_pip_is_told_of_the_wheels_in_its_settings() -> None:
    machine = Machine({"find": said("/opt/demo/packages/pip/a.whl\n")})
    assert wheels.configure(host(machine)) == "variables and /etc/pip.conf"
    assert "python3 -m pip config --global set global.no-index true" in machine.ran


def test_what_npm_s_cache_lacks_is_read_from_what_it_says() -> None:
    output = (
        "npm error code ENOTCACHED\nnpm error request to https://registry.example.org/@scope%2fdemo failed: cache"
        " mode is 'only-if-cached' but no cached response is available.\n"
    )
    machine = Machine({"npm install": said(output, 1)})
    with pytest.raises(StepError, match=r"^packages/npm-cache lacks @scope/demo$"):
        npm.install(host(machine), "@scope/other", "1.0.0")


RECAP = """\
TASK [demo : Read] ****
ok: [localhost]

TASK [demo : Write] ****
changed: [localhost]

PLAY RECAP ****
localhost                  : ok=2    changed=1    unreachable=0    failed=0    skipped=0
"""
PLAY = Run("play", ("ansible-playbook", "${ROOT}/site.yaml"))


def test_a_command_is_run_in_the_package_and_a_second_time_may_change_nothing() -> None:
    machine = Machine({"ansible-playbook": said(RECAP)})
    assert runs.run(host(machine), PLAY) == "changed=1"
    assert machine.ran == ["ansible-playbook /opt/demo/site.yaml"]
    with pytest.raises(StepError, match=r"^the second time changed=1, where 0 may change: demo : Write$"):
        runs.run_again(host(machine), PLAY)
    assert runs.run_again(host(machine), replace(PLAY, changes=1)) == "changed=1"


def test_a_playbook_that_fails_is_told_by_its_task() -> None:
    log = (
        'TASK [demo : Try] ***\nfatal: [localhost]: FAILED! => {"msg": "ignored"}\n...ignoring\n'
        'TASK [demo : Install] ***\nfatal: [localhost]: FAILED! => {"changed": false, "msg": "no \\"such\\" thing"}\n'
    )
    with pytest.raises(StepError, match=r"^the task 'demo : Install' failed: no .such. thing$"):
        runs.run(host(Machine({"ansible-playbook": said(log, 2)})), PLAY)


def test_what_tells_no_recap_is_known_by_its_exit_code() -> None:
    assert runs.run(host(Machine()), PLAY) == ""
    assert "no recap" in runs.run_again(host(Machine()), PLAY)


SERVICE = ServiceCheck("demo", 4000, (Question("/", "fine"), Question("/more", "fine")))


@pytest.mark.slow
def test_a_service_is_asked_until_it_answers_and_the_rest_once() -> None:
    machine = Machine(answers=((0, ""), (503, "not yet"), (200, "fine")))
    runs.serves(host(machine), SERVICE)
    assert machine.asked == 4


def test_a_service_that_answers_something_else_is_told_with_its_journal() -> None:
    machine = Machine({"journalctl": said("KeyError: 'DATABASE'\n")}, answers=((200, "fine"), (500, "bad")))
    with pytest.raises(StepError, match=r"/more answers 500(.|\n)*the first error: KeyError"):
        runs.serves(host(machine), SERVICE)


def test_a_service_that_is_not_active_is_told() -> None:
    machine = Machine({"--quiet": said("", 3), "is-active": said("failed\n", 3)})
    with pytest.raises(StepError, match="failed: it is not active"):
        runs.serves(host(machine), ServiceCheck("demo"))


def test_a_restart_comes_before_the_questions() -> None:
    machine = Machine()
    runs.restarted(host(machine), SERVICE)
    assert machine.ran[0] == "systemctl restart demo" and machine.asked == 2


def test_the_manifest_s_steps_come_twice_and_none_without_it() -> None:
    plan = PackageRehearsal((PLAY,), (SERVICE,), {"FOLDER": "${ROOT}/repos"}, {"/root/.token": "a"})
    made = host(Machine())
    names = [name for name, _ in rehearsal.steps(made, plan)]
    assert names[-5:] == [
        "run: what the operator prepares",
        "run: play",
        "service demo: answers",
        "run again, nothing changes: play",
        "service demo: restarted, answers",
    ]
    assert not any(name.startswith(("run", "service")) for name, _ in rehearsal.steps(made, PackageRehearsal()))
    runs.prepare(made, plan)
    assert made.env["FOLDER"] == "/opt/demo/repos"
    assert cast(Machine, made.machine).written == {"/root/.token": "a"}


@pytest.mark.parametrize(
    ("components", "told"), [(None, "no manifests are here"), ([], "no manifest is of demo-offline")]
)
def test_who_has_no_manifest_is_told_that_nothing_more_is_run(components: list[Component] | None, told: str) -> None:
    plan, manifest, note = rehearsal.described(components, "demo-offline")
    assert (plan, manifest) == (PackageRehearsal(), "") and note.startswith(told)


def test_a_package_that_does_not_verify_is_not_rehearsed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    verdict = Verdict("demo", (Finding("it is another"),))
    monkeypatch.setattr(rehearsal, "judge", lambda path, name, inner: verdict)
    path = tmp_path / "demo.tar.gz"
    done = rehearsal.rehearse(path, tmp_path, tmp_path / "m", lambda p, n: verdict, lambda: None, lambda step: None)
    assert done == (verdict, None)


def test_the_host_s_own_root_is_never_installed_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    facts = replace(FACTS, target=PackageTarget("debian", "12", "amd64"))
    monkeypatch.setattr(rehearsal, "judge", lambda path, name, inner: Verdict("demo", ()))
    monkeypatch.setattr("bundler.kinds.offline.package.parse", lambda content: facts)
    monkeypatch.setattr(rehearsal, "_member", lambda archive, path: b"component='demo'\ntarget='debian-12-amd64'\n")
    monkeypatch.setattr(rehearsal, "check_root", lambda root, wanted: None)
    with pytest.raises(UsageError) as caught:
        rehearsal.rehearse(
            tmp_path / "demo.tar.gz",
            Path("/"),
            tmp_path / "m",
            lambda p, n: Verdict(n, ()),
            lambda: None,
            lambda s: None,
        )
    assert "own root" in caught.value.hint or "emulator" in caught.value.hint
