"""What a program imports as it starts, as its modules' text tells."""

from __future__ import annotations

from pathlib import Path

import pytest

from bundler.kinds.wheelhouse.members.install_imports import imported

MODULES = {
    "top.py": "import os\n",
    "other/__init__.py": "",
    "other/deep/__init__.py": "from . import near\nfrom .. import far as f\nfrom ...beyond import nothing\n",
    "other/deep/near.py": "from .next import (\n    one,  # a name\n    two,\n)\nfrom . import (last)\n",
    "other/deep/next.py": "import other.deep.near, top as t\n",
    "other/deep/last.py": "",
    "other/far.py": "",
    "other/unused.py": "import lonely\n",
    "space/one.py": "try:\n    import tried\nexcept ImportError:\n    from caught import thing\n",
    "tried.py": "",
    "caught.py": "",
    "lonely.py": "",
    "late.py": "",
    "mixed.py": (
        "if TYPE_CHECKING:\n    import late\nif typing.TYPE_CHECKING:\n    import late\n"
        "def function(\n    one,\n):\n    import late\n\n    # more\n    from late import x\n"
        "async def more():\n    import late\nclass Name:\n    import late\n"
        "import caught # import late\n"
    ),
}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    for name, text in MODULES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("program", "found"),
    [
        ("import top\n", {"top.py"}),
        ("from top import main\n", {"top.py"}),
        ("import absent\n", set()),
        (
            "import other.deep\n",
            {f"other/{name}.py" for name in ("__init__", "deep/__init__", "far")}
            | {f"other/deep/{name}.py" for name in ("near", "next", "last")}
            | {"top.py"},
        ),
        ("from space.one import main\n", {"space/one.py", "tried.py", "caught.py"}),
        ("from space import one\n", {"space/one.py", "tried.py", "caught.py"}),
        ("import mixed\n", {"mixed.py", "caught.py"}),
        ("\xff = 'import top'\nfrom \xff import b\n", set()),
    ],
)
def test_what_is_imported_is_found_and_what_functions_import_is_not(site: Path, program: str, found: set[str]) -> None:
    (site / "program").write_text(program, encoding="latin-1")
    assert imported(site / "program", site, [*MODULES, "data.txt"]) == found


def test_of_a_program_that_is_not_there_nothing_is_known(site: Path) -> None:
    assert imported(site / "program", site, MODULES) == set()
