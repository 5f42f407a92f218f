"""A copy of a file that passes, kept as long as it may be compiled code that a platform judges; and what all say."""

from __future__ import annotations

import tempfile
from types import TracebackType
from typing import IO

from bundler.code.values import MOST_MEMORY, Code
from bundler.errors import IntegrityError
from bundler.platforms import HEAD, is_code, read_code

_LARGEST_IN_MEMORY = 8 << 20


class CodeCopy:
    """Takes the bytes of a file of `size`, and reads the code from them; a context that ends when it was read."""

    def __init__(self, size: int) -> None:
        self._size, self._head = size, b""
        self._file: IO[bytes] | None = None
        self._other = False

    def __enter__(self) -> CodeCopy:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file:
            self._file.close()

    def take(self, data: bytes) -> None:
        """Take the next bytes; those of another kind of file are forgotten."""
        if self._file:
            self._file.write(data)
        elif not self._other:
            self._head += data
            if len(self._head) >= min(HEAD, self._size):
                self._begin()

    def code(self) -> Code | None:
        """What the file says, once all of it was taken; None if it is no such code."""
        if self._file is None:
            return None
        return read_code(self._head, self._read, self._size)

    def _begin(self) -> None:
        """Decide by the file's head whether it is kept."""
        begun, self._head = self._head, self._head[:HEAD]
        self._other = not is_code(self._head)
        if not self._other:
            self._file = tempfile.SpooledTemporaryFile(_LARGEST_IN_MEMORY)  # noqa: SIM115 - closed with the copy
            self._file.write(begun)

    def _read(self, offset: int, size: int) -> bytes:
        if self._file is None:
            return b""
        self._file.seek(offset)
        return self._file.read(size)


class CodeFound:
    """What the compiled code of an archive says of itself, by paths; no more of it than a real one has."""

    def __init__(self) -> None:
        self.files: dict[str, Code] = {}
        self._left = MOST_MEMORY

    def add(self, path: str, copy: CodeCopy, member: str) -> None:
        """Keep what a file says, if it is code. Raises IntegrityError, with the `member`, if all is too much."""
        if code := copy.code():
            self.files[path] = code
            self._left -= code.memory()
            if self._left < 0:
                raise IntegrityError(f"refused member {member!r}: the code before it asks for very many libraries")
