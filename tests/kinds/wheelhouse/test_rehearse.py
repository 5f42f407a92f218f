"""A rehearsal whose programs say anything and leave anything: it goes on, or a step fails in words."""

from __future__ import annotations

import hashlib
from typing import cast

import pytest

from bundler.adapters.sandbox import Attempt, Finished, Sandbox, Size
from bundler.kinds.wheelhouse.rehearse import Rehearsal, Rehearsing
from tests.kinds.wheelhouse.members.test_archive_manifest import FACTS

NOTHING = Size(0, 0, hashlib.sha256().hexdigest())
FOLDER_LEFT = Size(0, 0, hashlib.sha256(b"./folder").hexdigest())


class Saying:
    """A sandbox in which every program ends well and says `text`, and every folder is `size`."""

    def __init__(self, text: str, size: Size) -> None:
        self._text, self._size = text, size

    def run(self, *_: object) -> Finished:
        return Finished(0, self._text, 0.1)

    def look(self, _: str) -> Size:
        return self._size

    def attempts(self) -> tuple[Attempt, ...]:
        return ()

    def ask(self, *_: object) -> tuple[int, str]:
        return 200, "rehearsed"

    def start(self, *_: object) -> int:
        return 1

    def extract(self, _: str) -> None: ...

    def write(self, *_: str) -> None: ...

    def stop(self, _: int) -> None: ...


def rehearsed(text: str, size: Size = NOTHING) -> Rehearsal:
    sandbox = cast(Sandbox, Saying(text, size))
    return Rehearsing(sandbox, FACTS, "litellm-runtime", lambda step: None).rehearse()


def test_what_goes_well_is_good() -> None:
    done = rehearsed("pip 26.0 from here")
    assert done.good
    assert done.measures.versions["pip"] == "26.0"


@pytest.mark.parametrize("text", ["", " \n\n", "pip", "v " + "9" * 101])
def test_a_program_that_says_no_version_fails_its_step(text: str) -> None:
    last = rehearsed(text).steps[-1]
    assert not last.good
    assert last.detail.startswith("says no version")


def test_a_folder_that_an_uninstallation_leaves_fails_it() -> None:
    last = rehearsed("pip 26.0", FOLDER_LEFT).steps[-1]
    assert (last.name, last.good) == ("install.sh: uninstall leaves nothing", False)
