"""Several modules as the text of one program."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from bundler.model.one_program import one_program

FIRST = '"""First."""\n\nfrom __future__ import annotations\n\nimport os\n\nNAME = os.sep\n'
SECOND = (
    '"""Second."""\n\nfrom bundler.first import (\n    NAME,\n)\nfrom bundler.model import first\n\nSAID = NAME * 2\n'
)


def test_modules_are_one_program_without_their_imports_of_each_other() -> None:
    text = one_program([FIRST, SECOND])
    assert "bundler" not in text and text.count("__future__") == 1
    space: dict[str, object] = {}
    exec(compile(text, "program", "exec"), space)
    assert space["SAID"] == "//"


def test_several_threads_may_put_programs_together() -> None:
    """`ast` fails in one of a few runs: archives are made by several threads."""
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: one_program([FIRST * 200, SECOND * 200]), range(64)))) == 1
