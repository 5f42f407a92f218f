"""install.sh among files that are not its own: what it refuses, what it leaves, how it switches whole or not at all."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from tests.installing import PROGRAM, Install, archive, copied, relist, tree

# Whole commands, or waits: with all others in a minute there is no room for them.
pytestmark = pytest.mark.slow

HOME = ".aiws-litellm"
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="takes root")


def sampled(names: Iterable[str]) -> list[ParameterSet]:
    """Every case as a parameter; every fourth is quick enough for the fast part."""
    return [pytest.param(name, marks=[pytest.mark.slow] if index % 4 else []) for index, name in enumerate(names)]


@dataclass(frozen=True)
class Site:
    """A folder with somebody's documents, two archives, and a prefix in which the first may be installed."""

    base: Path

    @property
    def docs(self) -> Path:
        return self.base / "docs"

    @property
    def prefix(self) -> Path:
        return self.base / "opt"

    @property
    def home(self) -> Path:
        return self.prefix / HOME

    @property
    def identity(self) -> str:
        return (self.home / "current").readlink().name.partition(".")[0]

    @property
    def old(self) -> Install:
        return Install(self.base / "1.0", self.prefix)

    @property
    def new(self) -> Install:
        return Install(self.base / "2.0", self.prefix)

    def replace(self, path: str, make: Callable[[Path], object]) -> None:
        """Put something else in the place of what is there."""
        there = self.prefix / path
        if there.is_dir() and not there.is_symlink():
            shutil.rmtree(there)
        else:
            there.unlink(missing_ok=True)
        make(there)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that every site starts with, the installed ones aside."""
    base = tmp_path_factory.mktemp("site")
    archive(base / "1.0", "1.0")
    archive(base / "2.0", "2.0")
    docs = base / "docs.saved"
    (docs / "sub.d").mkdir(parents=True)
    for name in ("letter.txt", "installed", "requirements", "record", "sub.d/report.v2"):
        (docs / name).write_text("precious")
    Site(base).old.good()
    Site(base).prefix.rename(base / "opt.saved")
    return base


@pytest.fixture
def site(made: Path) -> Iterator[Site]:
    """A site where nothing is installed."""
    copied(made / "docs.saved", made / "docs")
    yield Site(made)
    for name in ("docs", "opt", "real"):
        if (made / name).is_symlink():
            (made / name).unlink()
        shutil.rmtree(made / name, ignore_errors=True)
    made.chmod(0o700)


@pytest.fixture
def installed(site: Site) -> Site:
    """A site where the first archive is installed."""
    copied(site.base / "opt.saved", site.prefix)
    return site


def move_to_link(path: Path) -> None:
    real = path.parent.parent / "real" if path.name == HOME else path.parent / "real"
    path.rename(real)
    path.symlink_to(real)


def foreign_home(path: Path) -> None:
    path.mkdir()
    (path / "thesis.odt").write_text("precious")
    (path / "installed").write_text("0" * 64)


def reword(old: str, new: str) -> Callable[[Site], object]:
    def work(site: Site) -> None:
        record = site.home / "record"
        text = record.read_text()
        assert old in text
        record.write_text(text.replace(old, new, 1))

    return work


ODD: dict[str, Callable[[Site], object]] = {
    "home: a link to documents": lambda s: s.replace(HOME, lambda p: p.symlink_to(s.docs)),
    "home: a link to itself elsewhere": lambda s: move_to_link(s.home),
    "home: somebody else's folder": lambda s: s.replace(HOME, foreign_home),
    "home: an empty folder": lambda s: s.replace(HOME, Path.mkdir),
    "home: a file": lambda s: s.replace(HOME, lambda p: p.write_text("mine")),
    "home: a pipe": lambda s: s.replace(HOME, os.mkfifo),
    "home: others may write": lambda s: s.home.chmod(0o775),
    "record: a link": lambda s: s.replace(f"{HOME}/record", lambda p: p.symlink_to(s.docs / "record")),
    "record: a second name of a document": lambda s: s.replace(
        f"{HOME}/record", lambda p: p.hardlink_to(s.docs / "record")
    ),
    "record: has a second name": lambda s: (s.docs / "more").hardlink_to(s.home / "record"),
    "record: a pipe": lambda s: s.replace(f"{HOME}/record", os.mkfifo),
    "record: a folder": lambda s: s.replace(f"{HOME}/record", Path.mkdir),
    "record: empty": lambda s: s.replace(f"{HOME}/record", Path.touch),
    "record: gone": lambda s: (s.home / "record").unlink(),
    "record: others may write": lambda s: (s.home / "record").chmod(0o666),
    "record: another prefix": reword("prefix ", "prefix /srv"),
    "record: another component": reword("component litellm", "component console"),
    "record: another layout": reword("layout 2", "layout 3"),
    "record: no identity": lambda s: reword(s.identity, "")(s),
    "record: an identity that is a pattern": lambda s: reword(s.identity, "*" * 16)(s),
    "record: an identity that leads out": lambda s: reword(s.identity, "../../../../docs")(s),
    "current: a link to documents": lambda s: s.replace(f"{HOME}/current", lambda p: p.symlink_to(s.docs)),
    "current: a link out by name": lambda s: s.replace(f"{HOME}/current", lambda p: p.symlink_to("../../docs")),
    "current: a folder": lambda s: s.replace(f"{HOME}/current", Path.mkdir),
    "current: a file": lambda s: s.replace(f"{HOME}/current", Path.touch),
    "current: a pipe": lambda s: s.replace(f"{HOME}/current", os.mkfifo),
    "prefix: a link": lambda s: move_to_link(s.prefix),
    "prefix: others may write": lambda s: s.prefix.chmod(0o775),
    "prefix: everybody may write, sticky": lambda s: s.prefix.chmod(0o1777),
    "parent: everybody may write": lambda s: s.base.chmod(0o777),
}


def in_place_of(name: str) -> dict[str, Callable[[Site], object]]:
    """What may stand in the place of a link to a file."""
    return {
        f"{name}: a folder": lambda s: s.replace(name, lambda p: copied(s.docs, p)),
        f"{name}: a file": lambda s: s.replace(name, lambda p: p.write_text("export MINE=1\n")),
        f"{name}: a pipe": lambda s: s.replace(name, os.mkfifo),
        f"{name}: a link to a document": lambda s: s.replace(name, lambda p: p.symlink_to(s.docs / "letter.txt")),
        f"{name}: a link to nothing": lambda s: s.replace(name, lambda p: p.symlink_to("nothing")),
        f"{name}: a second name of a document": lambda s: s.replace(
            name, lambda p: p.hardlink_to(s.docs / "letter.txt")
        ),
    }


PLACES: dict[str, Callable[[Site], object]] = {
    **in_place_of("litellm.env"),
    **in_place_of("litellm.systemd.env"),
    "bin: a folder": lambda s: s.replace("bin", lambda p: copied(s.docs, p)),
    "bin: a file": lambda s: s.replace("bin", Path.touch),
    "bin: a pipe": lambda s: s.replace("bin", os.mkfifo),
    "bin: a link to documents": lambda s: s.replace("bin", lambda p: p.symlink_to(s.docs)),
    "bin: a link to another bin": lambda s: s.replace("bin", lambda p: p.symlink_to(f"{HOME}/../bin2")),
}


@pytest.mark.parametrize("name", sampled(ODD))
def test_an_installation_that_is_not_plainly_its_own_is_refused_and_nothing_changes(installed: Site, name: str) -> None:
    ODD[name](installed)
    before = tree(installed.base)
    for words in ((), ("--uninstall",), ("--rollback",)):
        assert "hint: " in installed.new.refused(*words)
        assert tree(installed.base) == before


@root_only
@pytest.mark.parametrize("path", ["", HOME, f"{HOME}/record"])
def test_what_another_user_owns_is_refused(installed: Site, path: str) -> None:
    os.chown(installed.prefix / path, 65534, 65534)
    before = tree(installed.base)
    for words in ((), ("--uninstall",)):
        installed.new.refused(*words)
        assert tree(installed.base) == before


@pytest.mark.parametrize("name", sampled(PLACES))
def test_what_stands_in_the_place_of_its_links_stays(installed: Site, name: str) -> None:
    PLACES[name](installed)
    before = tree(installed.base)
    assert "move it away" in installed.new.refused()
    assert tree(installed.base) == before
    place = installed.prefix / name.partition(":")[0]
    assert f"left: {place}" in installed.new.good("--uninstall")
    after = tree(installed.base)
    assert {path: before[path] for path in after} == after
    assert sorted(path.name for path in installed.prefix.iterdir()) == [place.name]


@pytest.mark.parametrize("name", sampled(["home: a link", "home: a folder", *PLACES, "something else"]))
def test_a_prefix_that_holds_anything_is_not_installed_into(site: Site, name: str) -> None:
    site.prefix.mkdir()
    others: dict[str, Callable[[Site], object]] = {
        "home: a link": lambda s: s.home.symlink_to(s.docs),
        "home: a folder": lambda s: foreign_home(s.home),
        "something else": lambda s: (s.prefix / "mine").touch(),
    }
    {**PLACES, **others}[name](site)
    before = tree(site.base)
    site.new.refused()
    site.new.refused("--uninstall")
    assert tree(site.base) == before


def strangers(site: Site) -> list[Path]:
    """Put all kinds of things into the installer's own folder and the version's."""
    home = site.home
    (home / "old.1").mkdir()
    (home / "old.1" / "file.txt").touch()
    (home / ".hidden").touch()
    (home / "link.d").symlink_to(site.docs)
    (home / f"{site.identity}.77").symlink_to(site.docs)
    (home / f"{site.identity}.78").touch()
    (home / f"{site.identity}.79x").mkdir()
    (home / f"{site.identity}.").mkdir()
    (home / "0123456789ab.12").mkdir()
    os.mkfifo(home / "pipe.1")
    planted = [path for path in home.iterdir() if path.name not in ("record", "current", f"{site.identity}.1")]
    (home / "current" / "venv" / "docs").symlink_to(site.docs)
    (home / "current" / "venv" / "letter").hardlink_to(site.docs / "letter.txt")
    return planted


def test_what_it_does_not_know_in_its_own_folder_is_left_and_told(installed: Site) -> None:
    planted = strangers(installed)
    before = tree(installed.base)
    for work in (installed.new, installed.new, installed.old):
        said = work.good()
        assert [path for path in planted if f"left: {path}" not in said] == []
    said = installed.new.good("--uninstall")
    assert f"left: {installed.home}, which holds other files" in said
    after = tree(installed.base)
    assert [path for path in planted if str(path.relative_to(installed.base)) not in after] == []
    assert {path.name for path in installed.home.iterdir()} == {path.name for path in planted}
    assert {path: facts for path, facts in after.items() if path.startswith("docs/")} == {
        path: (facts if "letter" not in path else (facts[0], 1, facts[2]))
        for path, facts in before.items()
        if path.startswith("docs/")
    }


def test_a_folder_that_was_there_before_outlives_an_uninstallation(site: Site) -> None:
    site.prefix.mkdir()
    before = tree(site.base)
    site.new.good()
    assert f"left: {site.prefix}, which was there before" in site.new.good("--uninstall")
    assert tree(site.base) == before


@pytest.mark.slow
def test_every_folder_that_was_made_goes_and_no_other(site: Site) -> None:
    site.prefix.mkdir()
    before = tree(site.base)
    deep = Install(site.base / "1.0", site.prefix / "a" / "b" / "c")
    deep.good()
    deep.good("--uninstall")
    assert tree(site.base) == before


def test_a_failed_first_installation_leaves_nothing(site: Site) -> None:
    archive(site.base / "broken", "3.0", "exit 3")
    before = tree(site.base)
    try:
        assert "does not start" in Install(site.base / "broken", site.prefix / "x" / "y").refused()
    finally:
        assert tree(site.base) == before
        shutil.rmtree(site.base / "broken")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("install_share.py", "raise SystemExit(1)\n", "the packages cannot be compiled"),
        (
            "install.py",
            PROGRAM + "with open(f'{site}/pip/__main__.py', 'w') as file: file.write('raise SystemExit(1)')\n",
            "the installed packages do not fit together",
        ),
    ],
)
def test_what_goes_on_beside_the_start_has_to_end_well(installed: Site, name: str, text: str, said: str) -> None:
    archive(installed.base / "broken", "3.0")
    (installed.base / "broken" / "metadata" / name).write_text(text)
    relist(installed.base / "broken")
    before = tree(installed.base)
    try:
        assert said in Install(installed.base / "broken", installed.prefix).refused()
        assert tree(installed.base) == before
    finally:
        shutil.rmtree(installed.base / "broken")


_SAYS_WHETHER_IT_SEARCHES = '"${0%/*}/python" -c "import gc; print(\'litellm 3.0\', gc.isenabled())"'


def test_the_first_start_alone_is_without_a_search_for_garbage(site: Site) -> None:
    quick = Install(archive(site.base / "quick", "3.0", _SAYS_WHETHER_IT_SEARCHES), site.prefix)
    try:
        assert f"installed in {site.prefix}: litellm 3.0 False\n" in quick.good()
        assert quick.says() == "litellm 3.0 True"
    finally:
        shutil.rmtree(site.base / "quick")


def test_where_a_package_brings_a_sitecustomize_the_first_start_is_as_every_other(site: Site) -> None:
    folder = archive(site.base / "own", "3.0", _SAYS_WHETHER_IT_SEARCHES)
    (folder / "metadata" / "install.py").write_text(f"{PROGRAM}open(f'{{site}}/sitecustomize.py', 'wb').close()\n")
    relist(folder)
    try:
        assert f"installed in {site.prefix}: litellm 3.0 True\n" in Install(folder, site.prefix).good()
    finally:
        shutil.rmtree(folder)


def test_what_the_program_changes_as_it_starts_is_told_and_no_damage(site: Site) -> None:
    program = "grep -q '^# moved' \"$0\" || echo '# moved' >>\"$0\"; echo litellm 3.0"
    moving = Install(archive(site.base / "moving", "3.0", program), site.prefix)
    try:
        listed = site.home / "current" / "changed"
        assert f"litellm changed 1 of the installed files as it started: {site.home}/" in moving.good()
        assert listed.read_text().endswith("  ../../../bin/litellm\n")
        assert "0 as they were installed, 1 as the program's first start left them" in moving.good("--status")
        with (site.prefix / "bin" / "litellm").open("a") as file:
            file.write("# more\n")
        done = moving.run("--status")
        assert (done.returncode, "bin/litellm: is not as it was installed" in done.stdout) == (1, True)
    finally:
        shutil.rmtree(site.base / "moving")


def test_what_goes_on_beside_the_start_ends_with_it(installed: Site) -> None:
    archive(installed.base / "slow", "3.0")
    text = "import os, sys, time\nos.write(1, f'{os.getpid()}\\n'.encode())\ntime.sleep(60)\n"
    (installed.base / "slow" / "metadata" / "install_share.py").write_text(text)
    relist(installed.base / "slow")
    before = tree(installed.base)
    words, quiet = Install(installed.base / "slow", installed.prefix).words(), subprocess.DEVNULL
    env = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
    try:
        with subprocess.Popen(words, env=env, stdout=subprocess.PIPE, stderr=quiet, text=True) as process:
            assert process.stdout
            late = int(next(line for line in process.stdout if line.strip().isdecimal()))
            process.terminate()
            assert process.wait(timeout=20) == 143
        with pytest.raises(ProcessLookupError):
            os.kill(late, 0)
        assert tree(installed.base) == before
    finally:
        shutil.rmtree(installed.base / "slow")


def test_a_failed_upgrade_changes_nothing(installed: Site) -> None:
    archive(installed.base / "broken", "3.0", "exit 3")
    before = tree(installed.base)
    try:
        assert "does not start" in Install(installed.base / "broken", installed.prefix).refused()
        assert tree(installed.base) == before
    finally:
        shutil.rmtree(installed.base / "broken")


def test_a_second_run_changes_nothing(installed: Site) -> None:
    before = tree(installed.base), installed.home.stat().st_mtime_ns
    assert "nothing to do" in installed.old.good()
    assert (tree(installed.base), installed.home.stat().st_mtime_ns) == before


def test_the_version_before_is_kept_and_can_be_switched_back_to(installed: Site) -> None:
    assert "no version before this one" in installed.old.refused("--rollback")
    first = (installed.home / "current").resolve()
    installed.new.good()
    assert installed.new.says() == "litellm 2.0"
    assert first.is_dir()
    assert "litellm 1.0 quick" in installed.new.good("--rollback")
    assert installed.new.says() == "litellm 1.0"
    installed.new.good("--rollback")
    assert installed.new.says() == "litellm 2.0"
    installed.old.good()
    assert not first.exists()
    assert len([path for path in installed.home.iterdir() if path.is_dir() and not path.is_symlink()]) == 2
    installed.old.good("--uninstall")
    assert not installed.prefix.exists()


def taken_over(folder: Path, program: str, marker: Path) -> None:
    """Let another user have a folder of a version, and change a program in it."""
    (folder / program).unlink()
    (folder / program).write_text(f"#!/bin/sh\necho ran >> {marker}\n")
    (folder / program).chmod(0o755)
    os.chown(folder, 65534, 65534)


@root_only
def test_a_version_that_another_user_could_change_is_replaced_and_not_run(installed: Site, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    version = (installed.home / "current").resolve()
    (version / "systemd.env").unlink()
    taken_over(version / "venv" / "bin", "python", marker)
    assert "installed in" in installed.old.good()
    assert installed.old.says() == "litellm 1.0"
    assert not (version / "systemd.env").exists(), "written to"
    taken_over(
        installed.home / str((installed.home / "current" / "previous").readlink()) / "venv", "pyvenv.cfg", marker
    )
    before = tree(installed.prefix)
    assert "could have changed" in installed.old.refused("--rollback")
    assert tree(installed.prefix) == before
    assert not marker.exists()


@pytest.mark.parametrize("path", ["bin", "litellm.env", "litellm.systemd.env", f"{HOME}/current"])
def test_a_link_of_its_own_that_is_gone_is_made_again(installed: Site, path: str) -> None:
    (installed.prefix / path).unlink()
    installed.old.good()
    assert installed.old.says() == "litellm 1.0"
    assert (installed.prefix / "litellm.env").read_text() == "export LITELLM_MODE=quick\n"
    assert (installed.prefix / "litellm.systemd.env").read_text() == "LITELLM_MODE=quick\n"


# --- what systemd reads


STANDARD_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
READER = Path("/usr/lib/systemd/user-environment-generators/30-systemd-environment-d-generator")


def sourced(path: Path) -> dict[str, str]:
    """The variables of a shell that has sourced a file, in an environment of nothing but a PATH."""
    words = ["sh", "-c", '. "$1" && exec env -0', "sh", str(path)]
    done = subprocess.run(words, env={"PATH": STANDARD_PATH}, capture_output=True, text=True, check=True)
    found = dict(line.split("=", 1) for line in done.stdout.removesuffix("\0").split("\0"))
    return {name: value for name, value in found.items() if name not in ("PWD", "OLDPWD", "SHLVL", "_")}


def read_as_systemd(text: str) -> dict[str, str]:
    """What `EnvironmentFile=` reads (systemd.exec(5)) of a text that needs no escapes; anything else is refused."""
    found = {}
    for line in text.splitlines():
        plain = re.fullmatch(r"""([A-Z][A-Z0-9_]*)=("?)([^\\$`"'\s]*)\2""", line)
        assert plain, line
        found[plain[1]] = plain[3]
    return found


def test_systemd_reads_the_variables_that_a_shell_sources(site: Site, tmp_path: Path) -> None:
    whole = Install(archive(tmp_path / "1.0", "1.0", database=True), site.prefix)
    whole.good()
    place = site.prefix / "litellm.systemd.env"
    found = read_as_systemd(place.read_text())
    assert {"PATH": STANDARD_PATH, **found} == sourced(site.prefix / "litellm.env")
    version = (site.home / "current").resolve()
    assert found["PATH"] == f"{version}/venv/bin:{STANDARD_PATH}"
    assert not [name for name in found if "PRISMA" in name], "the wheel needs none"
    if READER.exists():  # systemd's parser of such files, in a program that prints what it read
        (tmp_path / "environment.d").mkdir()
        shutil.copy(place, tmp_path / "environment.d" / "99-litellm.conf")
        env = {"XDG_CONFIG_HOME": str(tmp_path), "PATH": STANDARD_PATH}
        done = subprocess.run([READER], env=env, capture_output=True, text=True, check=True)
        assert done.stderr == ""
        assert found.items() <= dict(line.split("=", 1) for line in done.stdout.splitlines()).items()


def test_nothing_is_left_when_the_database_s_client_cannot_be_generated(tmp_path: Path) -> None:
    failing = Install(archive(tmp_path / "1.0", "1.0", database=True), tmp_path / "opt")
    program = next((failing.archive / "packages" / "pip").glob("prisma-*"))
    program.write_text("#!/bin/sh\necho no client today\nexit 1\n")
    relist(failing.archive)
    said = failing.refused()
    assert "no client today" in said
    assert "the database client cannot be generated" in said
    assert "what it had made" in said
    assert not failing.prefix.exists()


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_the_unit_of_the_documents_is_one_that_systemd_accepts(installed: Site, tmp_path: Path) -> None:
    page = (Path(__file__).parents[4] / "docs" / "installing.md").read_text(encoding="utf-8")
    shown = re.search(r"^    \[Unit\]\n(?:    .*\n|\n(?=    ))+", page, re.MULTILINE)
    assert shown
    text = textwrap.dedent(shown[0])
    assert "EnvironmentFile=/opt/litellm/litellm.systemd.env\nExecStart=/opt/litellm/bin/litellm " in text
    unit = tmp_path / "litellm.service"
    unit.write_text(text.replace("/opt/litellm", str(installed.prefix)))
    words = ["systemd-analyze", "verify", "--man=no", str(unit)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.slow
def test_an_installation_from_before_systemd_could_read_one_is_upgraded_and_rolled_back(installed: Site) -> None:
    place = installed.prefix / "litellm.systemd.env"
    place.unlink()
    (installed.home / "current" / "systemd.env").unlink()
    before = (installed.home / "current").resolve()
    installed.new.good()
    assert place.read_text() == "LITELLM_MODE=quick\n"
    assert place.resolve().parent != before
    assert (before / "systemd.env").is_file(), "whichever install.sh switches back"
    installed.new.good("--rollback")
    assert place.resolve().parent == before
    assert place.read_text() == "LITELLM_MODE=quick\n"
    # As the install.sh of an older archive leaves the version that it makes.
    (installed.home / (before / "previous").readlink() / "systemd.env").unlink()
    installed.new.good("--rollback")
    assert place.resolve().parent != before
    assert place.read_text() == "LITELLM_MODE=quick\n"


# --- installations of the first layout


def legacy(site: Site) -> Path:
    """Make the installation what the install.sh of layout 1 made."""
    version = (site.home / "current").resolve()
    older = version.rename(site.home / "0123456789ab.4711")
    for name in ("current", "record"):
        (site.home / name).unlink()
    for name in ("installed", "requirements"):
        (older / name).rename(site.home / name)
    (site.home / "lock").touch()
    site.replace("bin", lambda path: path.symlink_to(f"{HOME}/{older.name}/venv/bin"))
    site.replace("litellm.env", (older / "env").rename)
    (site.prefix / "litellm.systemd.env").unlink()
    (older / "systemd.env").unlink()
    return older


@pytest.mark.slow
def test_an_installation_of_the_first_layout_is_upgraded(installed: Site) -> None:
    older = legacy(installed)
    installed.new.good()
    assert installed.new.says() == "litellm 2.0"
    assert sorted(path.name for path in installed.prefix.iterdir()) == [
        *(HOME, "bin", "litellm.env", "litellm.systemd.env")
    ]
    assert older.is_dir()
    assert "litellm 1.0" in installed.new.good("--rollback")
    assert (installed.prefix / "litellm.systemd.env").read_text() == "LITELLM_MODE=quick\n"
    assert "left" not in installed.new.good("--uninstall").replace(f"left: {installed.prefix}, which was there", "")
    assert list(installed.prefix.iterdir()) == []


@root_only
def test_what_another_user_planted_in_a_version_of_the_first_layout_is_not_written_to(installed: Site) -> None:
    older = legacy(installed)
    (older / "installed").symlink_to(installed.docs / "letter.txt")
    os.chown(older, 65534, 65534)
    before = tree(installed.base)
    assert "nothing was changed" in installed.new.refused()
    assert tree(installed.base) == before


def test_an_installation_of_the_first_layout_is_uninstalled(installed: Site) -> None:
    legacy(installed)
    assert f"removed: {installed.home}" in installed.new.good("--uninstall")
    assert list(installed.prefix.iterdir()) == []


LEGACY: dict[str, Callable[[Site], object]] = {
    "requirements: a link": lambda s: s.replace(
        f"{HOME}/requirements", lambda p: p.symlink_to(s.docs / "requirements")
    ),
    "installed: a link": lambda s: s.replace(f"{HOME}/installed", lambda p: p.symlink_to(s.docs / "installed")),
    "env: a folder": PLACES["litellm.env: a folder"],
    "env: a user's file": lambda s: s.replace("litellm.env", lambda p: p.write_text("hello\n")),
    "env: a link": PLACES["litellm.env: a link to a document"],
    "bin: elsewhere": PLACES["bin: a link to documents"],
    "version: a link": lambda s: s.replace(f"{HOME}/0123456789ab.4711", lambda p: p.symlink_to(s.docs)),
}


@pytest.mark.parametrize("name", sampled(LEGACY))
def test_an_odd_installation_of_the_first_layout_is_refused(installed: Site, name: str) -> None:
    legacy(installed)
    LEGACY[name](installed)
    before = tree(installed.base)
    for words in ((), ("--uninstall",)):
        installed.new.refused(*words)
        assert tree(installed.base) == before


def test_a_file_in_the_place_of_a_link_that_the_first_layout_did_not_have_stays(installed: Site) -> None:
    legacy(installed)
    place = installed.prefix / "litellm.systemd.env"
    place.write_text("MINE=1\n")
    before = tree(installed.base)
    assert "move it away" in installed.new.refused()
    assert tree(installed.base) == before
    assert f"left: {place}" in installed.new.good("--uninstall")
    assert list(installed.prefix.iterdir()) == [place]


@pytest.mark.slow
def test_an_adoption_that_was_cut_short_is_gone_on_with(installed: Site) -> None:
    older = legacy(installed)
    shutil.copy(installed.home / "installed", older)
    (installed.home / "current").symlink_to(older.name)
    installed.new.good()
    assert installed.new.says() == "litellm 2.0"


# --- the archive


def put(path: str, text: str = "evil") -> Callable[[Path, Path], object]:
    return lambda folder, _: (folder / path).write_text(text)


def link(path: str, target: str) -> Callable[[Path, Path], object]:
    def work(folder: Path, docs: Path) -> None:
        place = folder / path
        if place.exists():
            place.rename(docs.parent / "real")
        place.symlink_to(target.replace("REAL", str(docs.parent / "real")).replace("DOCS", str(docs)))

    return work


def more_lines(text: str) -> Callable[[Path, Path], object]:
    def work(folder: Path, _: Path) -> None:
        with (folder / "metadata" / "files.sha256").open("a") as file:
            file.write(text)

    return work


def pipe(path: str) -> Callable[[Path, Path], object]:
    def work(folder: Path, _: Path) -> None:
        (folder / path).unlink(missing_ok=True)
        os.mkfifo(folder / path)

    return work


WHEEL, PIP = "packages/pip/litellm-1.0-py3-none-any.whl", "packages/pip/pip-26.0-py3-none-any.whl"
HOSTILE: dict[str, Callable[[Path, Path], object]] = {
    "another pip that is a link": link("packages/pip/pip-0-py3-none-any.whl", "DOCS/letter.txt"),
    "another pip": put("packages/pip/pip-0-py3-none-any.whl"),
    "another wheel": put("packages/pip/evil-9.0-py3-none-any.whl"),
    "a file beside the wheels": put("packages/pip/index.html"),
    "a file among the metadata": put("metadata/database.env"),
    "a hidden file": put("packages/.pth"),
    "a name with a line break": put("packages/pip/a\nb"),
    "a name with a space": put("packages/pip/a b"),
    "pip is a link": link(PIP, "REAL"),
    "a wheel is a link": link(WHEEL, "REAL"),
    "the wheels' folder is a link": link("packages/pip", "REAL"),
    "packages is a link": link("packages", "REAL"),
    "metadata is a link": link("metadata", "REAL"),
    "the list is a link": link("metadata/files.sha256", "REAL"),
    "a wheel is a pipe": pipe(WHEEL),
    "a pipe among the wheels": pipe("packages/pip/x"),
    "requirements are a pipe": pipe("metadata/requirements.txt"),
    "a wheel is another": put(WHEEL),
    "a wheel is gone": lambda folder, _: (folder / WHEEL).unlink(),
    "runtime.env is another": put("metadata/runtime.env", "export PATH=.\n"),
    "a link of the portable Python leads out": link("packages/python/x", "DOCS"),
    "a link with a space leads out": link("packages/python/a b", "../../../docs"),
    "a link leads out by way of another": lambda folder, docs: (
        link("packages/python/a", "..")(folder, docs),
        link("packages/python/b", "a/../../docs")(folder, docs),
    ),
    "the list names a file outside": more_lines(f"{'0' * 64}  ../../docs/letter.txt\n"),
    "the list names an absolute path": more_lines(f"{'0' * 64}  /dev/zero\n"),
    "the list has a line of another form": more_lines("SHA256 (x) = 0\n"),
    "the list has a line twice": lambda folder, docs: more_lines(
        (folder / "metadata" / "files.sha256").read_text().splitlines()[0] + "\n"
    )(folder, docs),
    "there is no list": lambda folder, _: (folder / "metadata" / "files.sha256").unlink(),
}


@pytest.mark.parametrize("name", sampled(HOSTILE))
def test_an_archive_that_is_not_what_its_list_says_runs_nothing(site: Site, name: str) -> None:
    folder = copied(site.base / "1.0", site.base / "hostile")
    try:
        HOSTILE[name](folder, site.docs)
        before = tree(site.base)
        said = Install(folder, site.prefix).refused()
        assert "the archive is damaged" in said or "no unpacked archive" in said
        assert tree(site.base) == before
    finally:
        shutil.rmtree(folder)
        if (site.base / "real").is_file():
            (site.base / "real").unlink()


def test_two_pips_that_are_listed_are_refused(site: Site) -> None:
    folder = copied(site.base / "1.0", site.base / "hostile")
    shutil.copy(folder / PIP, folder / "packages/pip/pip-27.0-py3-none-any.whl")
    relist(folder)
    try:
        assert "does not carry one pip" in Install(folder, site.prefix).refused()
        assert not site.prefix.exists()
    finally:
        shutil.rmtree(folder)


# --- the caller's folder and environment


@pytest.mark.parametrize("shell", ["sh", "dash", "bash"])
def test_nothing_of_the_caller_s_folder_or_environment_is_run(site: Site, tmp_path: Path, shell: str) -> None:
    here = tmp_path / "caller"
    here.mkdir()
    marker = tmp_path / "ran"
    evil = f"open({str(marker)!r}, 'a').write(__name__ + '\\n')\n"
    for name in ("venv", "pip", "zipfile", "random", "sitecustomize", "usercustomize", "subprocess", "runpy"):
        (here / f"{name}.py").write_text(evil)
    program = f"#!/bin/sh\necho program >> {marker}\n"
    for name in ("python3", f"python3.{sys.version_info[1]}", "sha256sum", "flock", "mkdir", "node"):
        (here / name).write_text(program)
        (here / name).chmod(0o755)
    script = here / "script"
    script.write_text(f"echo sourced >> {marker}\n")
    env = {
        "PATH": f".:{Path(sys.executable).parent}::/usr/bin:/bin",
        "PYTHONPATH": str(here),
        "PYTHONHOME": "/nowhere",
        "PYTHONUSERBASE": str(here),
        "PYTHONINSPECT": "1",
        "PYTHONSTARTUP": str(here / "venv.py"),
        "PYTHONPLATLIBDIR": "nowhere",
        "PIP_PYTHON": str(here / "python3"),
        "PIP_INDEX_URL": "http://127.0.0.1:9/",
        "PIP_TARGET": str(here / "target"),
        "PIP_REQUIRE_VIRTUALENV": "nonsense",
        "BASH_ENV": str(script),
        "ENV": str(script),
        "BASH_FUNC_mkdir%%": f"() {{ echo function >> {marker}; }}",
        "CDPATH": "/:/tmp",
        "IFS": "/",
        "AIWS_CLEAN": "1",
        "LITELLM_MODE": "other",
        "HOME": str(here),
        "TMPDIR": str(here / "nowhere"),
        "GREP_OPTIONS": "-c",
        "POSIXLY_CORRECT": "1",
    }
    if shell == "bash":
        del env["BASH_ENV"]  # read by the caller's own shell, before the script has a say
    before = tree(here)
    words = [shell, *site.new.words()[1:]]
    done = subprocess.run(words, cwd=here, env=env, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "litellm 2.0 quick" in done.stdout
    assert not marker.exists(), marker.read_text()
    assert tree(here) == before


@pytest.mark.parametrize("words", [["sh"], ["bash"], ["sh", "-c", '. "$0"/../2.0/install.sh']])
def test_a_script_that_is_no_file_runs_nothing_of_the_caller_s_folder(
    site: Site, tmp_path: Path, words: list[str]
) -> None:
    for name in ("sh", "bash"):
        (tmp_path / name).write_text("touch ran\n")
    more = [str(site.docs)] if len(words) > 1 else []
    with (site.new.archive / "install.sh").open() as script:
        done = subprocess.run([*words, *more], cwd=tmp_path, stdin=script, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "run as a file" in done.stderr
    assert not (tmp_path / "ran").exists()


def test_a_line_end_at_a_folder_s_end_leads_to_no_other_folder(site: Site, tmp_path: Path) -> None:
    copied(site.old.archive, tmp_path / "here")
    copied(site.new.archive, tmp_path / "here\n")
    script = Install(Path(), site.prefix)
    done = subprocess.run(script.words(), cwd=tmp_path / "here\n", capture_output=True, text=True, check=False)
    assert "litellm 2.0" in done.stdout, done.stderr
    words = ["sh", "install.sh", "--prefix", "opt"]
    done = subprocess.run(words, cwd=tmp_path / "here\n", capture_output=True, text=True, check=False)
    assert "holds a character" in done.stderr
    assert not (tmp_path / "here" / "opt").exists()


def test_what_a_program_leaves_running_does_not_hold_the_lock(site: Site, tmp_path: Path) -> None:
    program = f"sleep 30 >/dev/null 2>&1 & echo $! >> {tmp_path}/pids; echo litellm 1.0"
    Install(archive(tmp_path / "1.0", "1.0", program), site.prefix).good()
    try:
        site.new.good()
    finally:
        for pid in (tmp_path / "pids").read_text().split():
            os.kill(int(pid), signal.SIGKILL)


def test_relative_paths_are_those_of_the_caller(site: Site) -> None:
    words = ["sh", "2.0/install.sh", "--prefix", "opt"]
    done = subprocess.run(words, cwd=site.base, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    done = subprocess.run(
        ["sh", "install.sh", "--prefix=../opt"], cwd=site.base / "2.0", capture_output=True, text=True
    )
    assert "not a plain folder" in done.stderr
    assert site.new.says() == "litellm 2.0"


@pytest.mark.parametrize(
    "prefix",
    ["", "/", "//", "/usr", "/etc/", "/opt", "/tmp/../etc", "/tmp/x/..", "/tmp/./x", "/a b", "/a'b", "/a$b", "/a\nb"],
)
def test_a_prefix_that_would_hurt_is_refused(site: Site, prefix: str) -> None:
    for words in (("--prefix", prefix), (f"--prefix={prefix}",)):
        for more in ((), ("--uninstall",)):
            assert "--prefix" in site.new.refused(*words, *more)


def test_a_folder_between_that_is_a_link_is_told_with_the_real_one(site: Site) -> None:
    (site.base / "real").mkdir()
    (site.docs / "way").symlink_to(site.base / "real")
    before = tree(site.base)
    said = Install(site.base / "1.0", site.docs / "way" / "x").refused()
    assert f"--prefix {site.base}/real/x" in said
    assert tree(site.base) == before


# --- kill -9


def cut_short(site: Site, argv: list[str], seconds: float) -> None:
    """Run a program and kill it, with all that it started, after so long."""
    env = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(argv, env=env, stdout=quiet, stderr=quiet, start_new_session=True)
    time.sleep(seconds)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if site.prefix.exists():
        # What it started may live a moment longer, and hold the lock.
        subprocess.run(["flock", "--timeout", "10", str(site.prefix), "true"], check=True)


@pytest.mark.slow
def test_upgrades_killed_sixty_times_leave_one_version_that_works(installed: Site) -> None:
    chance = random.Random(20261124)
    began = time.monotonic()
    installed.new.good()
    whole = time.monotonic() - began  # on this machine, as busy as it is
    installed.old.good()
    seen = set()
    for turn in range(60):
        work = (installed.new, installed.old)[turn % 2]
        cut_short(installed, work.words(), chance.uniform(0.1, 1.3) * whole)
        seen.add(work.says())
        whole *= 1.1 if len(seen) < 2 else 1.0  # however busy the machine has become, some end well
        assert (installed.prefix / "litellm.env").read_text() == "export LITELLM_MODE=quick\n"
        assert (installed.prefix / "litellm.systemd.env").read_text() == "LITELLM_MODE=quick\n"
    assert seen == {"litellm 1.0", "litellm 2.0"}
    assert "left" not in installed.new.good()
    assert installed.new.says() == "litellm 2.0"
    assert len([path for path in installed.home.iterdir() if path.is_dir() and not path.is_symlink()]) <= 2
    installed.new.good("--uninstall")
    assert not installed.prefix.exists()


@pytest.mark.slow
@pytest.mark.parametrize("task", ["install", "uninstall", "adopt"])
def test_killed_at_any_moment_the_next_run_puts_it_right(site: Site, task: str) -> None:
    chance = random.Random(task)
    for _ in range(25):
        if task != "install":
            copied(site.base / "opt.saved", site.prefix)
        if task == "adopt":
            legacy(site)
        words = ["--uninstall"] if task == "uninstall" else []
        patience = {"install": 0.8, "uninstall": 0.12, "adopt": 0.3}[task]
        cut_short(site, site.new.words(*words), chance.uniform(0.0, patience))
        if task == "adopt":
            assert site.new.says() in ("litellm 1.0", "litellm 2.0")
        if task != "uninstall":
            site.new.good()
            assert site.new.says() == "litellm 2.0"
        done = site.new.run("--uninstall")
        assert done.returncode == 0 or "no installation" in done.stderr, done.stderr
        if site.prefix.exists():
            assert list(site.prefix.iterdir()) == []
            site.prefix.rmdir()


@pytest.mark.slow
@root_only
def test_a_full_disk_at_any_point_leaves_the_old_version_whole(site: Site) -> None:
    site.prefix.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=755", "none", str(site.prefix)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    ends = set()
    try:
        site.old.good()
        before = tree(site.prefix)
        for spare in range(0, 200, 8):
            filler = site.docs.parent / "opt" / "filler"
            room = os.statvfs(site.prefix)
            with filler.open("wb") as file:
                file.write(b"x" * max(0, room.f_bavail * room.f_frsize - spare * 1024))
            done = site.new.run()
            ends.add(done.returncode)
            assert site.new.says() == f"litellm {'1.0' if done.returncode else '2.0'}"
            filler.unlink()
            if done.returncode:
                assert tree(site.prefix) == before
            else:
                break
    finally:
        subprocess.run(["umount", str(site.prefix)], check=True)
    assert ends == {0, 1}
