"""install.py, which archives carry: what it makes of wheels, and what it takes from the version before."""

from __future__ import annotations

import csv
import ensurepip
import hashlib
import importlib.util
import io
import marshal
import os
import shutil
import subprocess
import sys
import types
import zipfile
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from bundler.kinds.wheelhouse.members import install
from bundler.kinds.wheelhouse.members.install_version import Task, UnfitError, Version, digest_of
from bundler.kinds.wheelhouse.members.install_wheels import Wheel, clash, read_wheels, rows_of
from bundler.kinds.wheelhouse.members.texts import PROGRAMS, program

pytestmark = pytest.mark.slow  # each begins with pip

PIP = next((Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl"))
MINOR = f"python{sys.version_info[0]}.{sys.version_info[1]}"
FILES = {
    "demo/run.sh": "#!/bin/sh\n",
    "demo/empty.txt": "",
    'demo/a, b "c" ä.txt': "a name",
    "demo/deep/er/file.txt": "deeper",
    "single.py": "SINGLE = 1\n",
    "demo.pth": "# a path\n",
    "demo-1.0.dist-info/licenses/LICENSE": "words",
}
DEMO = {
    **FILES,
    "demo/__init__.py": "NAME = 'demo'\ndef main():\n    print(NAME)\n",
    "demo/odd.py": "this is no Python\n",
    "demo/data.txt": "text",
    "demo-1.0.data/scripts/demo-script": "#!python\nprint('script')\n",
    "demo-1.0.data/data/share/demo/manual": "read me",
    "demo-1.0.data/headers/demo.h": "int demo;",
    "demo-1.0.data/platlib/demo/more.txt": "more",
    "demo-1.0.dist-info/entry_points.txt": "[console_scripts]\ndemo = demo:main\n",
}
MORE = {"more/__init__.py": "MORE = 1\n", "more/same.py": "SAME = 1\n", "space/one.py": "ONE = 1\n"}
UNLISTED = "demo/unlisted.txt"
OTHER = {"space/two.py": "TWO = 2\n"}


def wheel(folder: Path, project: str, version: str, files: Mapping[str, str]) -> Path:
    info = f"{project}-{version}.dist-info"
    said = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = io.StringIO()
    path = folder / f"{project}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as file:
        for name, text in said.items():
            member = zipfile.ZipInfo(name)
            member.external_attr = (0o100755 if "/scripts/" in name or name.endswith(".sh") else 0o100644) << 16
            file.writestr(member, text)
            digest = urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            if name != UNLISTED:
                csv.writer(record, lineterminator="\n").writerow((name, f"sha256={digest}", len(text.encode())))
        file.writestr(zipfile.ZipInfo(f"{info}/RECORD"), f"{record.getvalue()}{info}/RECORD,,\n")
    return path


def newer_pip(path: Path) -> None:
    """A pip that lists its programs as newer ones do: pip3.11, which it makes all the same, is not among them."""
    info = f"pip-{PIP.name.split('-')[1]}.dist-info"
    points = "[console_scripts]\npip = pip._internal.cli.main:main\npip3 = pip._internal.cli.main:main\n"
    digest = digest_of(points.encode())
    with zipfile.ZipFile(PIP) as old, zipfile.ZipFile(path, "w") as new:
        said = {name: old.read(name) for name in old.namelist()}
        lines = said[f"{info}/RECORD"].decode().splitlines(keepends=True)
        kept = [line for line in lines if not line.startswith(f"{info}/entry_points.txt,")]
        said[f"{info}/entry_points.txt"] = points.encode()
        said[f"{info}/RECORD"] = "".join([*kept, f"{info}/entry_points.txt,sha256={digest},{len(points)}\n"]).encode()
        for name, content in said.items():
            new.writestr(zipfile.ZipInfo(name), content)


def archive(folder: Path, *wheels: tuple[str, str, Mapping[str, str]], with_pip: bool = False) -> Path:
    """An unpacked archive of these, and of a pip that may be to be installed, as far as install.py looks at it."""
    pip = folder / "packages" / "pip"
    (folder / "metadata").mkdir(parents=True)
    pip.mkdir(parents=True)
    newer_pip(pip / PIP.name) if with_pip else shutil.copy(PIP, pip)
    paths = [pip / PIP.name, *(wheel(pip, *one) for one in wheels)]
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
    listed = [f"{digest}  packages/pip/{path.name}\n" for path, digest in zip(paths, digests, strict=True)]
    (folder / "metadata" / "files.sha256").write_text("".join(listed))
    named = zip(wheels, digests[1:], strict=True)
    lines = [f"{name}=={version} --hash=sha256:{digest}\n" for (name, version, _), digest in named]
    lines += [f"pip=={PIP.name.split('-')[1]} --hash=sha256:{digests[0]}\n"] if with_pip else []
    (folder / "metadata" / "requirements.txt").write_text("".join(lines))
    for name in PROGRAMS:
        (folder / "metadata" / name).write_bytes(program(name))
    return folder


@dataclass(frozen=True)
class Made:
    """A version that was made, and what install.py said."""

    folder: Path
    said: str

    @property
    def site(self) -> Path:
        return self.folder / "venv" / "lib" / MINOR / "site-packages"

    def runs(self, name: str) -> str:
        return subprocess.run([self.folder / "venv" / "bin" / name], check=True, capture_output=True, text=True).stdout


def make(archive: Path, folder: Path, before: Made | None = None) -> Made:
    """Do as install.sh does."""
    venv = folder / "venv"
    subprocess.run([sys.executable, "-I", "-B", "-m", "venv", "--without-pip", venv], check=True)
    python = [str(venv / "bin" / "python"), "-I", "-B"]
    programs = archive / "metadata"
    words: list[str | Path] = [*python, programs / "install.py", archive, folder, "demo"]
    words += [before.folder] if before else []
    done = subprocess.run(words, capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin"})
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    late, listed, site = folder / "late", folder / "compiled", folder / "venv" / "lib" / MINOR / "site-packages"
    subprocess.run([*python, programs / "install_share.py", late, site, listed], check=True)
    for path in folder.glob("late*"):
        path.unlink()
    shutil.copy(archive / "metadata" / "requirements.txt", folder / "requirements")
    return Made(folder, done.stdout)


def contents(made: Made) -> dict[str, object]:
    """Every file of an environment: its mode, and its bytes with the version's own path taken out."""
    found: dict[str, object] = {}
    for path in sorted((made.folder / "venv").rglob("*")):
        if path.is_dir() or path.is_symlink() or path.name == "pyvenv.cfg":
            continue
        data: object = path.read_bytes().replace(os.fsencode(made.folder), b"HERE")
        if path.suffix == ".pyc":
            data = code(path)
        elif path.name == "RECORD":  # digests of programs follow from the path
            data = [
                line.partition(",")[0] if line.startswith("../") else line for line in path.read_text().splitlines()
            ]
        found[str(path.relative_to(made.folder))] = (path.stat().st_mode, data)
    return found


def code(pyc: Path) -> object:
    """What a compiled file holds, once it is seen that Python believes it."""
    data = pyc.read_bytes()
    source = Path(importlib.util.source_from_cache(str(pyc))).stat()
    stamp = int(source.st_mtime).to_bytes(4, "little") + source.st_size.to_bytes(4, "little")
    assert data[:16] == importlib.util.MAGIC_NUMBER + bytes(4) + stamp, pyc
    module = marshal.loads(data[16:])
    assert isinstance(module, types.CodeType)
    return module, module.co_filename


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Made:
    base = tmp_path_factory.mktemp("first")
    return make(
        archive(base / "a", ("demo", "1.0", DEMO), ("more", "1.0", MORE), ("other", "1.0", OTHER)), base / "v.1"
    )


@pytest.fixture
def before(first: Made, tmp_path: Path) -> Made:
    """The first version, to be changed: at another place of the same length, so its programs are of no use."""
    shutil.copytree(first.folder, tmp_path / "v.1", symlinks=True)
    return Made(tmp_path / "v.1", first.said)


NEWER = {**MORE, "more/__init__.py": "MORE = 2\n"}
UPGRADE = (("demo", "1.0", DEMO), ("more", "1.1", NEWER))


def by_pip(source: Path, folder: Path) -> Made:
    """The same by pip alone."""
    venv = folder / "venv"
    subprocess.run([sys.executable, "-I", "-m", "venv", "--without-pip", venv], check=True)
    words = ["--isolated", "install", "-q", "--no-index", "--no-deps", "--disable-pip-version-check", "--no-compile"]
    words += [
        "--find-links",
        str(source / "packages" / "pip"),
        "--require-hashes",
        "-r",
        str(source / "metadata" / "requirements.txt"),
    ]
    subprocess.run([venv / "bin" / "python", "-I", "-B", f"{PIP}/pip", *words], check=True)
    return Made(folder, "")


def test_what_it_installs_is_what_pip_installs(first: Made, tmp_path: Path) -> None:
    expected, found = contents(by_pip(first.folder.parent / "a", tmp_path)), contents(first)
    assert {name: one for name, one in found.items() if not name.endswith(".pyc")} == expected
    modules = {name for name in expected if "site-packages" in name and name.endswith(".py")}
    compiled = {importlib.util.source_from_cache(name) for name in found if name.endswith(".pyc")}
    assert modules - compiled == {f"venv/lib/{MINOR}/site-packages/demo/odd.py"}
    assert (first.runs("demo"), first.runs("demo-script")) == ("demo\n", "script\n")
    assert {f"venv/lib/{MINOR}/site-packages/{name}" for name in FILES} <= found.keys()


@pytest.mark.parametrize("name", [UNLISTED, "DEMO/Data.txt"])
def test_what_is_odd_is_installed_as_pip_does(name: str, tmp_path: Path) -> None:
    """A file that RECORD does not list, and one that is another's on some systems."""
    source = archive(tmp_path / "a", ("demo", "1.0", {**DEMO, name: "text"}))
    assert bool(clash(read_wheels(source))) == (name != UNLISTED)
    found = contents(make(source, tmp_path / "v.1"))
    assert {name: one for name, one in found.items() if not name.endswith(".pyc")} == contents(by_pip(source, tmp_path))


def test_an_upgrade_is_what_a_first_installation_is_and_shares_no_file(first: Made, tmp_path: Path) -> None:
    old = contents(first)
    new = archive(tmp_path / "a", *UPGRADE)
    upgraded = make(new, tmp_path / "v.10", first)
    assert upgraded.said == "1 of 2 packages are those of the version before, and copied\n"
    fresh = make(new, tmp_path / "v.11")
    assert contents(upgraded) == contents(fresh)
    names = {path.name for path in upgraded.folder.iterdir()}
    assert names == {path.name for path in fresh.folder.iterdir()} == {"venv", "requirements", "compiled"}
    assert (upgraded.runs("demo"), upgraded.runs("demo-script")) == ("demo\n", "script\n")
    assert Version(upgraded.folder).compiled[1].keys() == Version(fresh.folder).compiled[1].keys()
    for info in upgraded.site.glob("*.dist-info"):  # RECORD's digests are those of the programs that are there
        for name, (digest, size) in rows_of((info / "RECORD").read_text()).items():
            if digest:
                content = (upgraded.site / name).read_bytes()
                assert (digest, size) == (f"sha256={digest_of(content)}", str(len(content)))
    pyc = importlib.util.cache_from_source("more/same.py")
    assert (upgraded.site / pyc).read_bytes() == (first.site / pyc).read_bytes(), "same text, so not compiled anew"
    for path in (path for path in upgraded.site.rglob("*") if path.is_file()):
        assert path.stat().st_nlink == 1
        path.write_bytes(b"changed")
    assert contents(first) == old


def test_pip_and_the_programs_that_it_makes_for_itself_are_copied(tmp_path: Path) -> None:
    first = make(archive(tmp_path / "a", ("demo", "1.0", DEMO), with_pip=True), tmp_path / "v.1")
    upgraded = make(archive(tmp_path / "b", ("demo", "1.0", DEMO), with_pip=True), tmp_path / "v.2", first)
    assert upgraded.said == "2 of 2 packages are those of the version before, and copied\n"
    assert contents(upgraded) == contents(first)
    programs = {path.name for path in (upgraded.folder / "venv" / "bin").iterdir()}
    assert {"pip", "pip3", f"pip{MINOR[6:]}", "demo"} <= programs


def doing(now: Version) -> Callable[[Sequence[Wheel], Sequence[Task]], None]:
    """What does the tasks alone, and installs nothing."""

    def fill(_: Sequence[Wheel], tasks: Sequence[Task]) -> None:
        install.spread(tasks, now.site)

    return fill


LEADS_OUT = "../../../../../out,sha256=x,1\n"


def planted(made: Made, name: str) -> None:
    """A file that a package's RECORD tells of as if it were its own."""
    path = made.site / name
    path.write_text("import os\n")
    row = f"{name},sha256={digest_of(path.read_bytes())},10\n"
    append(made.site / "demo-1.0.dist-info/RECORD", row)


def as_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def enlarge(path: Path) -> None:
    """So that reading it, and even more writing it, would take long."""
    os.truncate(path, 1 << 40)


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)


CHANGED: dict[str, tuple[Callable[[Made], object], str]] = {
    "a file": (lambda m: (m.site / "demo" / "data.txt").write_text("TEXT"), "not as it was installed: "),
    "a file is gone": (lambda m: (m.site / "demo" / "__init__.py").unlink(), "not as it was installed: "),
    "a program": (lambda m: (m.folder / "venv/bin/demo").write_text("#!/bin/sh\n"), "demo is not as it was installed"),
    "what was compiled": (
        lambda m: (m.site / importlib.util.cache_from_source("demo/__init__.py")).write_bytes(b"\0" * 64),
        "not as it was installed: ",
    ),
    "a record": (lambda m: (m.site / "demo-1.0.dist-info/RECORD").write_text("demo/data.txt,,\n"), "RECORD is not"),
    "a record leads out": (lambda m: append(m.site / "demo-1.0.dist-info/RECORD", LEADS_OUT), "RECORD is not"),
    "a package was added": (lambda m: (m.site / "extra-1.0.dist-info").mkdir(), "added to it or removed: extra"),
    "a package is gone": (lambda m: shutil.rmtree(m.site / "demo-1.0.dist-info"), "added to it or removed: demo"),
    "a record tells of a planted file": (lambda m: planted(m, "demo.pth"), "RECORD is not"),
    "a record tells of a planted program": (lambda m: planted(m, "../../../bin/more"), "RECORD is not"),
    "a pipe in the place of a file": (lambda m: as_pipe(m.site / "demo" / "data.txt"), "not as it was installed: "),
    "a pipe in the place of a program": (lambda m: as_pipe(m.folder / "venv/bin/demo"), "is no regular file"),
    "a pipe in the place of a record": (lambda m: as_pipe(m.site / "demo-1.0.dist-info/RECORD"), "no regular file"),
    "a pipe in the place of a list": (lambda m: as_pipe(m.folder / "requirements"), "is no regular file"),
    "a huge file": (lambda m: enlarge(m.site / "demo" / "data.txt"), "not as it was installed: "),
    "another Python": (
        lambda m: None,
        "it was made with another Python",
    ),
    "no list of what it was made from": (lambda m: (m.folder / "requirements").unlink(), "it cannot be read"),
}


@pytest.mark.parametrize("name", CHANGED)
def test_of_a_version_that_was_changed_nothing_is_taken(
    before: Made, tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    change, said = CHANGED[name]
    change(before)
    source = archive(tmp_path / "a", ("demo", "1.0", DEMO))
    (tmp_path / "v.2" / "venv" / "bin").mkdir(parents=True)
    versions = Version(before.folder), Version(tmp_path / "v.2")
    told = ["python 1", "pip 1"] if name == "another Python" else versions[0].compiled[0]
    with pytest.raises(UnfitError) as raised:
        install.take(read_wheels(source), *versions, told, doing(versions[1]))
    assert said in f"{raised.value}{capfd.readouterr().out}"
    assert not (tmp_path / "out").exists()


def test_if_nothing_is_taken_all_is_installed(before: Made, tmp_path: Path) -> None:
    (before.site / "demo" / "data.txt").write_text("TEXT")
    (before.folder / "venv" / "share" / "demo" / "manual").write_text("TEXT")
    made = make(archive(tmp_path / "a", ("demo", "1.0", DEMO)), tmp_path / "v.2", before)
    assert "nothing of the version before is used: some of its files are not as they were installed\n" in made.said
    assert {path.name for path in made.site.iterdir()} >= {"demo", "demo-1.0.dist-info"}
    assert not {"more", "space"} & {path.name for path in made.site.iterdir()}
    assert (made.site / "demo" / "data.txt").read_text() == "text"
    assert made.runs("demo") == "demo\n"


def test_what_its_program_changed_as_it_started_is_installed_anew_and_all_else_copied(
    before: Made, tmp_path: Path
) -> None:
    (before.site / "demo" / "data.txt").unlink()
    (before.folder / "changed").write_text("-  demo/data.txt\n")
    new = archive(tmp_path / "a", ("demo", "1.0", DEMO), ("more", "1.0", MORE), ("other", "1.0", OTHER))
    made = make(new, tmp_path / "v.2", before)
    assert made.said == "2 of 3 packages are those of the version before, and copied\n"
    assert contents(made) == contents(make(new, tmp_path / "v.3"))


def test_modes_are_those_of_a_first_installation(first: Made, tmp_path: Path) -> None:
    odd = Made(tmp_path / "v.1", "")
    shutil.copytree(first.folder, odd.folder, symlinks=True)
    for path in (odd.site / "demo" / "data.txt", odd.folder / "venv/bin/demo", odd.site / "demo" / "__init__.py"):
        path.chmod(0o4777)
    new = archive(tmp_path / "a", *UPGRADE)
    versions = Version(odd.folder), Version(tmp_path / "v.2")
    (versions[1].venv / "bin").mkdir(parents=True)
    assert install.take(read_wheels(new), *versions, versions[0].compiled[0], doing(versions[1]))
    for path in (one for one in versions[1].venv.rglob("*") if one.is_file()):
        assert path.stat().st_mode & 0o7777 == (
            0o755 if path.parent.name == "bin" or path.suffix == ".sh" else 0o644
        ), path


def test_where_two_wheels_write_one_file_one_pip_installs_and_nothing_is_taken(first: Made, tmp_path: Path) -> None:
    twice = archive(tmp_path / "a", ("demo", "1.0", DEMO), ("extra", "1.0", {"demo/data.txt": "text"}))
    made = make(twice, tmp_path / "v.2", first)
    assert (
        made.said
        == f"nothing of the version before is used: two packages write lib/{MINOR}/site-packages/demo/data.txt\n"
    )


def test_with_another_pip_programs_are_written_anew(before: Made, tmp_path: Path) -> None:
    lines = (before.folder / "compiled").read_text().splitlines(keepends=True)
    (before.folder / "compiled").write_text("".join([lines[0], "pip 0\n", *lines[2:]]))
    made = make(archive(tmp_path / "a", ("demo", "1.0", DEMO), ("other", "1.0", OTHER)), tmp_path / "v.2", before)
    assert made.said == "1 of 2 packages are those of the version before, and copied\n"
    assert made.runs("demo") == "demo\n"


def test_what_pip_refuses_is_not_installed(tmp_path: Path) -> None:
    source = archive(tmp_path / "a", ("demo", "1.0", DEMO))
    other = source / "packages" / "pip" / "demo-1.0-cp27-none-any.whl"
    (source / "packages" / "pip" / "demo-1.0-py3-none-any.whl").rename(other)
    files = source / "metadata" / "files.sha256"
    files.write_text(files.read_text().replace("demo-1.0-py3-none-any.whl", other.name))
    with pytest.raises(AssertionError, match="pip does not install the archive's packages"):
        make(source, tmp_path / "v.1")


def damaged(source: Path, project: str) -> None:
    """Put other content into a wheel, whose RECORD stays as it was."""
    path = source / "packages" / "pip" / f"{project}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path) as old:
        said = {name: old.read(name) for name in old.namelist()}
    with zipfile.ZipFile(path, "w") as new:
        for name, content in said.items():
            new.writestr(name, content.replace(b"MORE = 1", b"MORE = 9"))
    digest, files = hashlib.sha256(path.read_bytes()).hexdigest(), source / "metadata" / "files.sha256"
    lines = files.read_text().splitlines(keepends=True)
    old_digest = next(line[:64] for line in lines if line.endswith(f"{path.name}\n"))
    for listed in (files, source / "metadata" / "requirements.txt"):
        listed.write_text(listed.read_text().replace(old_digest, digest))


@pytest.mark.parametrize("upgrade", [False, True])
def test_a_wheel_that_is_not_what_its_record_says_is_not_installed(first: Made, tmp_path: Path, upgrade: bool) -> None:
    source = archive(tmp_path / "a", ("demo", "1.0", DEMO), ("more", "1.0", MORE))
    damaged(source, "more")
    with pytest.raises(AssertionError) as raised:
        make(source, tmp_path / "v.1", first if upgrade else None)
    assert "not as its RECORD says: more-1.0-py3-none-any.whl, more/__init__.py\n" in str(raised.value)
    assert "install.sh: the archive's packages cannot be installed\n" in str(raised.value)


def test_what_may_wait_is_what_the_program_does_not_import(tmp_path: Path) -> None:
    now, program = Version(tmp_path), tmp_path / "demo"
    program.write_text("#!python\nfrom small.b import main\n")
    sizes = {"large": (10_000_000, 200), "kept": (300, 200), "small": (5, 6)}
    for project, (one, two) in sizes.items():
        info = now.site / f"{project}-1.dist-info"
        info.mkdir(parents=True)
        rows = [f"{project}/a.py,sha256=,{one}\n", f"{project}/b.py,sha256=,{two}\n", "../../../bin/x.py,sha256=,7\n"]
        (info / "RECORD").write_text("".join([*rows, f"{project}/c.so,sha256=,9000\n", f"{info.name}/RECORD,,\n"]))
    (now.site / "small").mkdir()
    (now.site / "small" / "b.py").write_text("import large\n")
    known, site = {"large/b.py": ("old.pyc", "digest")}, str(now.site)
    soon, late = install.to_compile(now, ["kept-1.dist-info"], program, known)
    assert late == [("compile", f"{site}/large/a.py", "", "", ""), ("compile", f"{site}/small/a.py", "", "", "")]
    assert soon == [
        ("compile", f"{site}/large/b.py", "old.pyc", "digest", ""),
        ("compile", f"{site}/small/b.py", "", "", ""),
    ]
    program.write_text("#!/bin/sh\n")
    soon, late = install.to_compile(now, ["kept-1.dist-info"], program, known)
    assert (len(soon), late) == (4, []), "where it cannot be told, nothing waits"
    program.write_text("import small.b\n")
    (now.site / "large-1.dist-info" / "RECORD").write_text("large/a.py,sha256=,9000000\n")
    soon, late = install.to_compile(Version(tmp_path), ["kept-1.dist-info"], program, known)
    assert (len(soon), late) == (3, []), "nor where it is not worth looking for"
