"""What a file of compiled code tells of itself, in words that every format of such files can be put in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bundler.words import Arch

# In bytes of memory, about: the numbers that are told of a file, and an object with a name.
_FOR_A_FILE, _FOR_A_NAME = 1024, 128
# What may be told of all files of an archive: 680 files of 19 large wheels, Qt's among them, take 1.7 MB.
MOST_MEMORY = 16 << 20

# Bytes of a file: from an offset, so many; fewer where it ends.
Read = Callable[[int, int], bytes]


class MalformedError(ValueError):
    """A file is not what its first bytes promise; the text says in what, and is fit to follow the file's name."""


@dataclass(frozen=True, slots=True)
class Library:
    """A library that is loaded with the code, by the name that is looked for; one that is `weak` may be missing."""

    name: str
    weak: bool = False


@dataclass(frozen=True, slots=True)
class Slice:
    """The code for one architecture.

    `program`: it is run, not loaded. `system` is the number of the system that it is for, as its format counts them,
    and `minimum` the oldest version of that which runs it; None if it does not say. `places` are where libraries are
    looked for. `signature` is what is wrong with its signature, "" if nothing is; `signed` says whether it has one.
    """

    arch: Arch
    program: bool
    system: int | None
    minimum: tuple[int, int, int] | None
    libraries: tuple[Library, ...] = ()
    places: tuple[str, ...] = ()
    signed: bool = False
    signature: str = ""


@dataclass(frozen=True, slots=True)
class Code:
    """A file of compiled code: a slice for each architecture that is known here, or the fault that hides them."""

    slices: tuple[Slice, ...] = ()
    fault: str = ""

    def memory(self) -> int:
        """About how many bytes of memory it takes."""
        names = [name for one in self.slices for name in (*(library.name for library in one.libraries), *one.places)]
        return _FOR_A_FILE + len(self.fault) + sum(map(len, names)) + _FOR_A_NAME * len(names)


@dataclass(frozen=True)
class Tree:
    """Files of code below one folder, by their paths in it, and the symbolic links there, as `readlink` tells them."""

    code: Mapping[str, Code]
    links: Mapping[str, str]
