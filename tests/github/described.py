"""GitHub's own description of its answers, where it lies beside the project: each answer is held against it."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

DESCRIPTION = Path(__file__).parents[3] / "shared" / "fixtures" / "github-releases.openapi.json"
_REPOSITORY = r"(?:/api/v3|/api/uploads)?/(?:repos/[^/]+/[^/]+|repositories/\d+)"


@cache
def _described() -> Any:
    return _plain(json.loads(DESCRIPTION.read_text()))


@cache
def operations() -> dict[str, tuple[str, str]]:
    """Every operation but reactions: its name -> method, and pattern of its path."""
    found = {}
    for path, methods in _described()["paths"].items():
        pattern = re.escape(path.removeprefix("/repos/{owner}/{repo}"))
        for name, part in (("ref", "((?:heads|tags)/.+)"), ("tag", "(.+)")):
            pattern = pattern.replace(rf"\{{{name}\}}", part)
        pattern = re.sub(r"\\{\w+\\}", r"\\d+", pattern)
        for method, described in methods.items():
            if "reactions" not in path:
                found[described["operationId"]] = (method.upper(), _REPOSITORY + pattern)
    return found


def operation_of(method: str, path: str) -> str | None:
    """The name of the operation that a request asks for, if it is described."""
    for name, (its_method, pattern) in operations().items():
        if its_method == method and re.fullmatch(pattern, unquote(path)):
            return name
    return None


def hold(method: str, path: str, status: int, content: bytes) -> str | None:
    """Hold an answer against the description; return the operation's name. Raises ValidationError, AssertionError."""
    name = operation_of(method, path) if DESCRIPTION.is_file() else None
    if name is None:
        return None
    described = _responses(name).get(str(status), {})
    if "$ref" in described:
        described = _described()["components"]["responses"][described["$ref"].rpartition("/")[2]]
    schema = described.get("content", {}).get("application/json", {}).get("schema")
    if schema is None and (status >= 400 or status in (301, 307)):
        schema = {"$ref": "#/components/schemas/basic-error"}
    if schema is None:
        assert not content, f"{name} answers {status} without a body"
        assert str(status) in _responses(name), f"{name} never answers {status}"
        return name
    if status == 422 and b'"errors"' not in content:
        schema = {"$ref": "#/components/schemas/basic-error"}
    whole = schema | {"components": _described()["components"]}
    from jsonschema import Draft202012Validator  # large: loaded where answers are judged

    Draft202012Validator(whole).validate(json.loads(content))
    return name


def _responses(name: str) -> Any:
    paths = _described()["paths"].values()
    return next(each["responses"] for methods in paths for each in methods.values() if each["operationId"] == name)


def _plain(described: Any) -> Any:
    """OpenAPI 3.0 as JSON Schema: `nullable` is one more type; and `starter`, a state that the description forgets."""
    if isinstance(described, list):
        return [_plain(each) for each in described]
    if not isinstance(described, dict):
        return described
    plain = {name: _plain(each) for name, each in described.items()}
    if plain.get("enum") == ["uploaded", "open"]:
        plain["enum"] = ["uploaded", "open", "starter"]
    if plain.pop("nullable", None) is True and "type" in plain:
        plain["type"] = [plain["type"], "null"]
    return plain
