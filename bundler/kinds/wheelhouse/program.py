"""What a component's program is called, and how it is rehearsed: `program:` and `rehearsal:` in a manifest.

    program: demo
    rehearsal:
      files: {config.yaml: "greeting: hello"}
      start: [--port, "{port}", --config, "{folder}/config.yaml"]
      ready: [/health]
      ask: {path: /greet, body: {name: nobody}, answer: hello}
      postgresql:
        variable: DATABASE_URL
        environment: {DEMO_TOKEN: a-token}
        ask: [{path: /things, bearer: a-token, answer: thing}]

They say how an archive is tried, not what is in it: no lock and no archive depends on them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, TypeAlias

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from bundler.kinds.question import HttpPath, PlainWord, Question
from bundler.model.manifest_values import MANIFEST_CONFIG, distinct
from bundler.words import PlainPath

_MOST_FILES, _LONGEST_FILE = 10, 4096
_MOST_WORDS, _LONGEST_WORD = 50, 300
_MOST_ADDRESSES = 10
_PORT, _FOLDER = "{port}", "{folder}"


def _word(value: str) -> str:
    if not value.isprintable():
        raise ValueError("an argument is one line of printable characters")
    if {"{", "}"} & set(value.replace(_PORT, "").replace(_FOLDER, "")):
        raise ValueError(f"only {_PORT} and {_FOLDER} may stand in braces")
    return value


def _told_where(words: tuple[str, ...]) -> tuple[str, ...]:
    if not any(_PORT in word for word in words):
        raise ValueError(f"{_PORT} is missing: the program has to be told where to listen")
    return words


def _apart(files: dict[str, str]) -> dict[str, str]:
    if both := [path for path in files if any(other.startswith(f"{path}/") for other in files)]:
        raise ValueError(f"{both[0]} cannot be a file and a folder")
    return files


ProgramName: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*$", max_length=100),
    Field(title="a program's name of letters, digits and ._-, no path", examples=["demo"]),
]
FileText: TypeAlias = Annotated[
    str, StringConstraints(max_length=_LONGEST_FILE), Field(title="a file's text", examples=["greeting: hello"])
]
Argument: TypeAlias = Annotated[
    str,
    StringConstraints(min_length=1, max_length=_LONGEST_WORD),
    AfterValidator(_word),
    Field(title="an argument", examples=["--port={port}"]),
]


# What systemd's EnvironmentFile= takes as it stands (systemd.exec(5)).
VariableName: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*$", max_length=100),
    Field(title="a variable's name in capitals", examples=["DATABASE_URL"]),
]


@dataclass(frozen=True)
class PostgresPlan:
    """How the program runs with a PostgreSQL of the rehearsal's own, where archive and root have what that takes."""

    __pydantic_config__: ClassVar[ConfigDict] = MANIFEST_CONFIG
    variable: Annotated[VariableName, Field(description="The variable that tells it the address (postgresql://…).")]
    ask: Annotated[
        tuple[Question, ...],
        Field(max_length=_MOST_ADDRESSES, description="What it is asked then, in place of `ask`, in this order."),
    ] = ()
    environment: Annotated[
        dict[VariableName, PlainWord],
        Field(
            default_factory=dict,
            max_length=_MOST_FILES,
            description="What it runs with besides, such as the token that it is to take; no secret.",
        ),
    ] = field(default_factory=dict)


@dataclass(frozen=True)
class RehearsalPlan:
    """How a program that serves HTTP is started where there is no network, and what shows that it works.

    `files` are written to the working folder first; `{port}` and `{folder}` in `start` are filled in.
    """

    __pydantic_config__: ClassVar[ConfigDict] = MANIFEST_CONFIG
    start: Annotated[
        tuple[Argument, ...],
        Field(
            min_length=1,
            max_length=_MOST_WORDS,
            description="The program's arguments. {port} is where it is to listen on 127.0.0.1, {folder} its folder.",
        ),
        AfterValidator(_told_where),
    ]
    ready: Annotated[
        tuple[HttpPath, ...],
        Field(
            min_length=1,
            max_length=_MOST_ADDRESSES,
            description="What it answers with 200 once it is ready: each is asked until it does, in this order.",
        ),
        AfterValidator(distinct),
    ]
    ask: Annotated[Question | None, Field(description="What is asked once it is ready, and the answer.")] = None
    files: Annotated[
        dict[PlainPath, FileText],
        Field(
            default_factory=dict,
            max_length=_MOST_FILES,
            description="Files that the program needs, by path below its folder: written before it starts.",
        ),
        AfterValidator(_apart),
    ] = field(default_factory=dict)
    postgresql: Annotated[
        PostgresPlan | None, Field(description="How it runs with PostgreSQL, as a service on a root that boots.")
    ] = None

    def arguments(self, port: int, folder: str) -> tuple[str, ...]:
        """The program's arguments, with the port and the folder in their places."""
        return tuple(word.replace(_PORT, str(port)).replace(_FOLDER, folder) for word in self.start)


@dataclass(frozen=True)
class Description:
    """What a manifest says of a component's program: its name and how to try it.

    `manifest` is the file's name; "" if there is none, then the program is called as the component. `note` says why it
    is only asked for its version.
    """

    program: str
    plan: RehearsalPlan | None = None
    manifest: str = ""
    note: str = ""
