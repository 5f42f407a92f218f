"""What a program that serves HTTP is asked in a rehearsal, and the answer that shows that it works.

ask: {path: /greet, body: {name: nobody}, answer: hello}
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, ClassVar, TypeAlias

from pydantic import AfterValidator, ConfigDict, Field, JsonValue, StringConstraints, WithJsonSchema

from bundler.model.manifest_values import MANIFEST_CONFIG

_LONGEST_ADDRESS, _LONGEST_WORD = 300, 300
_LARGEST_BODY = 16 << 10
_LONGEST_ANSWER = 300


def _plain_json(body: dict[str, JsonValue] | None) -> dict[str, JsonValue] | None:
    try:
        size = len(json.dumps(body, allow_nan=False).encode())
    except ValueError as error:
        raise ValueError("JSON has no numbers that are infinite or none at all") from error
    if size > _LARGEST_BODY:
        raise ValueError(f"a body of at most {_LARGEST_BODY} bytes is wanted; here are {size}")
    return body


# The path and query of RFC 3986, 3.3 and 3.4.
HttpPath: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=r"^/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*$", max_length=_LONGEST_ADDRESS),
    Field(title="a path on the server, a slash first", examples=["/health"]),
]
AnswerText: TypeAlias = Annotated[
    str,
    StringConstraints(min_length=1, max_length=_LONGEST_ANSWER),
    Field(title="some text that the answer holds", examples=["hello"]),
]
PlainWord: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+=-]*$", max_length=_LONGEST_WORD),
    Field(title="letters, digits and ._+=-, a letter or digit first", examples=["a-token"]),
]


@dataclass(frozen=True)
class Question:
    """What a program is asked once it is ready: the answer must have status 200 and hold a certain text."""

    __pydantic_config__: ClassVar[ConfigDict] = MANIFEST_CONFIG
    path: Annotated[HttpPath, Field(description="Where on the server it is asked.")]
    answer: Annotated[AnswerText, Field(description="The answer must have status 200 and hold this text.")]
    body: Annotated[
        dict[str, JsonValue] | None,
        AfterValidator(_plain_json),
        WithJsonSchema(
            {
                "type": "object",
                "description": "What is sent, as JSON, by POST; without it, it is asked by GET.",
                "examples": [{"name": "a"}],
            }
        ),
    ] = None
    bearer: Annotated[
        PlainWord | None, Field(description="The token that it is asked with (Authorization: Bearer); no secret.")
    ] = None
