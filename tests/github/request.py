"""A request and an answer, as the routes see them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, TypeVar

from tests.github.faults import Fault, Seen
from tests.github.repository import ApiError, GitHub, Who, missing

T = TypeVar("T", str, bool)


@dataclass(frozen=True)
class Request:
    """A request whose body, if any, is JSON; `who` asks."""

    hub: GitHub
    seen: Seen
    fault: Fault
    body: bytes = b""

    @property
    def who(self) -> Who:
        """Whose token it carries. Raises ApiError for a token that is none."""
        kind, _, token = self.seen.headers.get("authorization", "").partition(" ")
        if not token:
            return "nobody"
        if kind.lower() in ("bearer", "token") and token == self.hub.token:
            return "writer"
        if kind.lower() in ("bearer", "token") and token == self.hub.reader_token:
            return "reader"
        raise ApiError(401, "Bad credentials")

    @property
    def below(self) -> str:
        """The path below the repository, which also goes by its number. Raises ApiError for another's."""
        for prefix in (f"/repos/{self.hub.repo}", f"/repositories/{self.hub.number}"):
            if self.seen.path == prefix or self.seen.path.startswith(f"{prefix}/"):
                return self.seen.path.removeprefix(prefix)
        raise missing()

    def check_token(self) -> None:
        """Raises ApiError for a token that is none."""
        _ = self.who

    def demand_writer(self) -> None:
        """Raises ApiError, as GitHub words it, unless the token may write."""
        if self.who == "nobody":
            raise ApiError(401, "Requires authentication")
        if self.who == "reader":
            raise (
                ApiError(403, "Resource not accessible by integration")
                if self.hub.app_token
                else ApiError(404, "Not Found")
            )

    def fields(self) -> Mapping[str, object]:
        """The body's fields. Raises ApiError."""
        try:
            found = json.loads(self.body or b"{}")
        except ValueError as error:
            raise ApiError(400, "Problems parsing JSON") from error
        if not isinstance(found, dict):
            raise ApiError(400, "Body should be a JSON object")
        return found

    def text(self, name: str) -> str | None:
        """A field that is text, if it is there. Raises ApiError."""
        return self._field(name, str, "a string")

    def flag(self, name: str) -> bool | None:
        """A field that is a boolean, if it is there. Raises ApiError."""
        return self._field(name, bool, "a boolean")

    def required(self, name: str) -> str:
        """A field that must be there. Raises ApiError."""
        found = self.text(name)
        if found is None:
            raise ApiError(422, f'Invalid request.\n\n"{name}" wasn\'t supplied.')
        return found

    def number(self, name: str, default: int) -> int:
        """A positive number in the query; whatever else is there counts as the default."""
        text = self.seen.query.get(name, "")
        return int(text) if re.fullmatch(r"[1-9][0-9]{0,8}", text) else default

    def _field(self, name: str, kind: type[T], called: str) -> T | None:
        found = self.fields().get(name)
        if found is None or isinstance(found, kind):
            return found
        raise ApiError(422, f"Invalid request.\n\nFor 'properties/{name}', {json.dumps(found)} is not {called}.")


@dataclass(frozen=True)
class Stored:
    """An open file's bytes from `start` up to `end`: who is answered gets them, even if the asset is deleted now."""

    file: BinaryIO
    start: int
    end: int


@dataclass(frozen=True)
class Answer:
    """What is sent back: JSON, or text as it is, or a file."""

    status: int = 200
    content: object = None
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    stored: Stored | None = None
