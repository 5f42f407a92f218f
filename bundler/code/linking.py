"""Which libraries code asks for that are not there, by the rules of dyld(1): @loader_path, @executable_path, @rpath.

Run paths are those of the file itself and of whatever in the same tree loads it. Of a library that another one may have
loaded before, under the same name, nothing is known: whoever relies on that relies on an order of imports.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Mapping

from bundler.code.values import Slice, Tree

_LOADER, _EXECUTABLE, _RPATH = "@loader_path/", "@executable_path/", "@rpath/"
# Links after one another; folders of programs in a tree, for what is loaded by any of them.
_MOST_LINKS, _MOST_FOLDERS = 8, 16
# Places times libraries, of all files: real trees take a few thousand steps, and four rounds.
_MOST_STEPS, _MOST_ROUNDS = 200_000, 16

IsSystems = Callable[[str], bool]


def missing_libraries(tree: Tree, slices: Mapping[str, Slice], is_systems: IsSystems) -> Iterator[tuple[str, str]]:
    """Yield file and library for what `slices`, by paths in the tree, ask for and neither it nor the system has.

    `is_systems` says whether the system has a library, by its whole path. A weak one may be missing. What takes too
    many steps to look for counts as missing.
    """
    search = _Search(tree, slices, is_systems)
    for _ in range(_MOST_ROUNDS):
        if not search.inherit():
            break
    for path, one in sorted(slices.items()):
        for library in one.libraries:
            if not library.weak and search.find(path, library.name) is None:
                yield path, library.name


class _Search:
    """Looks for libraries; what loads what becomes known round by round."""

    def __init__(self, tree: Tree, slices: Mapping[str, Slice], is_systems: IsSystems) -> None:
        self._tree, self._slices, self._is_systems = tree, slices, is_systems
        self._programs = sorted({posixpath.dirname(path) for path, one in slices.items() if one.program})[
            :_MOST_FOLDERS
        ]
        self._places = {path: self._own_places(path, one) for path, one in slices.items()}
        self._steps = _MOST_STEPS

    def inherit(self) -> bool:
        """Give what is loaded the run paths of its loader; say whether that was news to any."""
        before = sum(map(len, self._places.values()))
        for path, one in self._slices.items():
            for library in one.libraries:
                found = self.find(path, library.name)
                if found in self._places:
                    self._places[found].update(self._places[path])
                    self._steps -= len(self._places[path])
        return sum(map(len, self._places.values())) > before and self._steps > 0

    def find(self, path: str, name: str) -> str | None:
        """Where the library is that a file asks for, in the tree or on the system; None if nowhere."""
        for candidate in self._candidates(path, name):
            self._steps -= 1
            if self._steps < 0:
                return None
            if candidate.startswith("/"):
                if self._is_systems(posixpath.normpath(candidate)):
                    return candidate
            elif (landed := self._landed(candidate)) in self._tree.code:
                return landed
        return None

    def _candidates(self, path: str, name: str) -> Iterator[str]:
        """The places where dyld looks, in the tree, or from `/` on."""
        if name.startswith(_RPATH):
            inner = name.removeprefix(_RPATH)
            yield from (_joined(place, inner) for place in self._places[path])
        elif name.startswith(("/", "@")):
            yield from self._expanded(path, name)

    def _own_places(self, path: str, one: Slice) -> dict[str, None]:
        """Its run paths, in their order."""
        return {place: None for text in one.places for place in self._expanded(path, f"{text}/")}

    def _expanded(self, path: str, name: str) -> Iterator[str]:
        if name.startswith(_LOADER):
            yield _joined(posixpath.dirname(path), name.removeprefix(_LOADER))
        elif name.startswith(_EXECUTABLE):
            own = self._slices[path].program
            folders = [posixpath.dirname(path)] if own else self._programs
            yield from (_joined(folder, name.removeprefix(_EXECUTABLE)) for folder in folders)
        elif name.startswith("/"):
            yield name

    def _landed(self, path: str) -> str:
        """A path in normal form, with links of the tree followed."""
        path = posixpath.normpath(path)
        for _ in range(_MOST_LINKS):
            target = self._tree.links.get(path)
            if target is None:
                break
            path = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
        return path


def _joined(folder: str, path: str) -> str:
    """A path below a folder, however many slashes stand between them: `@loader_path/` as a run path has two."""
    return posixpath.join(folder, path.lstrip("/"))
