"""What a component's program is called, and how it is rehearsed: `program:` and `rehearsal:` in a manifest.

A program that does its work and ends:

    program: demo
    rehearsal:
      files: {page.txt: "hello"}
      run:
        - {arguments: [--upper, "{folder}/page.txt"], output: HELLO}

One that serves HTTP:

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

`rehearsal:` says how an archive is tried, not what is in it: no lock and no archive depends on it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, TypeAlias

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from bundler.kinds.question import AnswerText, HttpPath, PlainWord, Question
from bundler.model.manifest_values import MANIFEST_CONFIG, distinct
from bundler.words import PlainPath

_MOST_FILES, _LONGEST_FILE = 10, 4096
_MOST_WORDS, _LONGEST_WORD = 50, 300
_MOST_ADDRESSES = 10
_MOST_RUNS = 10
PORT, _FOLDER = "{port}", "{folder}"


def filled_in(*places: str) -> Callable[[str], str]:
    """What checks that nothing but `places` stands in the braces of a text."""

    def check(value: str) -> str:
        rest = value
        for place in places:
            rest = rest.replace(place, "")
        if {"{", "}"} & set(rest):
            raise ValueError(f"only {' and '.join(places)} may stand in braces")
        return value

    return check


def one_line(value: str) -> str:
    """Raise ValueError for an argument that no command line could show."""
    if not value.isprintable():
        raise ValueError("an argument is one line of printable characters")
    return value


def told_where(words: tuple[str, ...]) -> tuple[str, ...]:
    """Raise ValueError for the arguments of a program that serves, if none is the port."""
    if not any(PORT in word for word in words):
        raise ValueError(f"{PORT} is missing: the program has to be told where to listen")
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
    AfterValidator(one_line),
    AfterValidator(filled_in(PORT, _FOLDER)),
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


def _no_port(words: tuple[str, ...]) -> tuple[str, ...]:
    if any(PORT in word for word in words):
        raise ValueError(f"{PORT} is for a program that serves (start); this one ends")
    return words


@dataclass(frozen=True)
class Trial:
    """A run of the program to its end, which must be a good one (exit code 0); `{folder}` is filled in."""

    __pydantic_config__: ClassVar[ConfigDict] = MANIFEST_CONFIG
    arguments: Annotated[
        tuple[Argument, ...],
        Field(max_length=_MOST_WORDS, description="The program's arguments. {folder} is the folder that it runs in."),
        AfterValidator(_no_port),
    ] = ()
    output: Annotated[AnswerText | None, Field(description="What it writes must hold this text.")] = None

    def words(self, folder: str) -> tuple[str, ...]:
        """The program's arguments, with the folder in its place."""
        return tuple(word.replace(_FOLDER, folder) for word in self.arguments)


# What `__post_init__` checks, for editors.
_PLAN_CONFIG = ConfigDict(
    **MANIFEST_CONFIG,
    json_schema_extra={
        "minProperties": 1,
        "dependentRequired": {"start": ["ready"], "ready": ["start"], "ask": ["start"], "postgresql": ["start"]},
        "examples": [{"run": [{"arguments": ["--version"]}]}],
    },
)


@dataclass(frozen=True)
class RehearsalPlan:
    """How a program is tried where there is no network, and what shows that it works.

    `files` are written to the working folder first. `run` is what it does and ends, `start` how it serves HTTP;
    `{port}` and `{folder}` are filled in.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _PLAN_CONFIG
    start: Annotated[
        tuple[Argument, ...],
        Field(
            min_length=1,
            max_length=_MOST_WORDS,
            description="The arguments of a program that serves HTTP. {port} is where it is to listen on 127.0.0.1, "
            "{folder} its folder.",
        ),
        AfterValidator(told_where),
    ] = ()
    ready: Annotated[
        tuple[HttpPath, ...],
        Field(
            min_length=1,
            max_length=_MOST_ADDRESSES,
            description="What it answers with 200 once it is ready: each is asked until it does, in this order.",
        ),
        AfterValidator(distinct),
    ] = ()
    run: Annotated[
        tuple[Trial, ...],
        Field(
            min_length=1,
            max_length=_MOST_RUNS,
            description="Runs of the program to its end, in this order: each must end with exit code 0.",
        ),
    ] = ()
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

    def __post_init__(self) -> None:
        """Raise ValueError for a plan that tries nothing, or serves by half."""
        serves = bool(self.start or self.ready or self.ask or self.postgresql)
        if not (serves or self.run):
            raise ValueError("`run` of a program that ends is wanted, or `start` and `ready` of one that serves")
        if lacking := next((key for key in ("start", "ready") if serves and not getattr(self, key)), ""):
            raise ValueError(f"{lacking}: is missing; `start` and `ready` are wanted of a program that serves")

    def arguments(self, port: int, folder: str) -> tuple[str, ...]:
        """The program's arguments, with the port and the folder in their places."""
        return tuple(word.replace(PORT, str(port)).replace(_FOLDER, folder) for word in self.start)


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
