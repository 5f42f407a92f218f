"""Which files of a wheel Python runs whenever it starts: as `site` of a real Python does, and as we say."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from bundler.model.closure import Wheel
from bundler.model.metadata import read_wheel
from bundler.model.startup import startup_faults
from tests.wheels import DATA, NAME, wheel

RUN = {
    "some.pth": ("some.pth", "import sys; sys.stderr.write('ran')\n"),
    f"{DATA}/purelib/some.pth": ("some.pth", "import sys; sys.stderr.write('ran')\n"),
    f"{DATA}/platlib/some.pth": ("some.pth", "import sys; sys.stderr.write('ran')\n"),
    "sitecustomize.py": ("sitecustomize.py", "import sys; sys.stderr.write('ran')\n"),
    "usercustomize.py": ("usercustomize.py", "import sys; sys.stderr.write('ran')\n"),
    "sitecustomize/__init__.py": ("sitecustomize/__init__.py", "import sys; sys.stderr.write('ran')\n"),
    f"{DATA}/platlib/sitecustomize.py": ("sitecustomize.py", "import sys; sys.stderr.write('ran')\n"),
}
NEVER_RUN = (
    "some_app/some.pth",
    "some_app/sitecustomize.py",
    "some_app/usercustomize.py",
    "sitecustomized.py",
    "some.pth.txt",
    f"{DATA}/data/share/some.pth",
    f"{DATA}/scripts/some.pth",
)


@pytest.mark.parametrize("path", RUN)
def test_what_python_runs_when_it_starts_is_told_with_its_place_in_site_packages(path: str) -> None:
    place, code = RUN[path]
    assert read_wheel(io.BytesIO(wheel({path: code})), NAME).startup == (place,)


@pytest.mark.parametrize("path", NEVER_RUN)
def test_what_python_does_not_run_when_it_starts_is_not_told(path: str) -> None:
    assert read_wheel(io.BytesIO(wheel({path: "x"})), NAME).startup == ()


@pytest.mark.slow
@pytest.mark.parametrize("path", [*RUN, *NEVER_RUN])
def test_a_real_python_runs_what_we_say_it_does(path: str, tmp_path: Path) -> None:
    file, venv = tmp_path / NAME, tmp_path / "venv"
    file.write_bytes(wheel({path: "import sys; sys.stderr.write('ran')\n"}))
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    python = str(venv / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "-q", "--no-deps", "--no-index", str(file)], check=True)
    # User sites are off in a virtual environment, but usercustomize is imported where they are on.
    code = "import site; site.ENABLE_USER_SITE = True; site.execusercustomize()"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    assert ("ran" in done.stderr) is (path in RUN)


def test_very_many_are_told_by_the_first() -> None:
    files = {f"{number:03}.pth": "x" for number in range(300)}
    assert len(read_wheel(io.BytesIO(wheel(files)), NAME).startup) == 10


def test_a_wheel_is_allowed_by_its_project_and_the_next_step_is_told() -> None:
    wheels = [
        Wheel("Some_App-1.0-py3-none-any.whl", startup=("a.pth", "sitecustomize.py")),
        Wheel("b-1-py3-none-any.whl"),
    ]
    assert list(startup_faults(wheels, ["some-app"])) == []
    (fault,) = startup_faults(wheels, ["setuptools"])
    assert fault == (
        "Some_App-1.0-py3-none-any.whl: Python would run its a.pth, sitecustomize.py at every start; look into it, and "
        "only if it is meant, allow it in the manifest: `startup-files: [setuptools, some-app]`"
    )
