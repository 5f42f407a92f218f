"""How a package is rehearsed beyond what every package has: `rehearsal:` in its manifest.

    rehearsal:
      environment: {PLAYBOOK_DIR: "${ROOT}/repos/playbooks"}
      files: {/root/.vault_password: "no secret"}
      runs:
        - name: the proxy
          command: [ansible-playbook, -i, "localhost,", -c, local, "${ROOT}/repos/playbooks/proxy.yaml"]
          changes: 1
      services:
        - {unit: proxy, port: 4000, ask: [{path: /health, answer: alive}]}

It says how a package is tried, not what is in it: no lock and no package depends on it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, TypeAlias

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from bundler.kinds.question import Question
from bundler.model.manifest_values import MANIFEST_CONFIG, distinct
from bundler.model.variables import NAME_PATTERN

_MOST_RUNS, _MOST_SERVICES, _MOST_WORDS, _MOST_FILES, _MOST_ASKED = 50, 20, 100, 20, 20
_LONGEST_WORD, _LONGEST_FILE = 4000, 8192
_ROOT = "${ROOT}"


def _line(value: str) -> str:
    if not value.isprintable():
        raise ValueError("one line of printable characters is wanted")
    return value


def _absolute(value: str) -> str:
    if ".." in value.split("/"):
        raise ValueError("a path that does not climb is wanted")
    return value


Word: TypeAlias = Annotated[
    str,
    StringConstraints(min_length=1, max_length=_LONGEST_WORD),
    AfterValidator(_line),
    Field(title="a word of a command; ${ROOT} is the unpacked package", examples=["${ROOT}/repos/demo/site.yaml"]),
]
Title: TypeAlias = Annotated[
    str,
    StringConstraints(min_length=1, max_length=80),
    AfterValidator(_line),
    Field(title="a name", examples=["the proxy"]),
]
Unit: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.@-]*$", max_length=100),
    Field(title="the name of a unit of systemd", examples=["demo.service"]),
]
HostPath: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=r"^(/[A-Za-z0-9._@+-]+)+$", max_length=300),
    AfterValidator(_absolute),
    Field(title="a path of the host", examples=["/root/.demo"]),
]
HostText: TypeAlias = Annotated[
    str, StringConstraints(max_length=_LONGEST_FILE), Field(title="a file's text", examples=["a token"])
]
Variable: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=NAME_PATTERN, max_length=64),
    Field(title="a variable of capital letters, digits and underscores", examples=["DEMO_FOLDER"]),
]


@dataclass(frozen=True)
class Run:
    """A way of consumers into a host: a command that is run as they run it, and then once more, to change nothing."""

    __pydantic_config__: ClassVar[ConfigDict] = MANIFEST_CONFIG
    name: Annotated[Title, Field(description="What the report calls it.")]
    command: Annotated[
        tuple[Word, ...],
        Field(
            min_length=1,
            max_length=_MOST_WORDS,
            description="The program and its arguments, run as root in the package; ${ROOT} is filled in.",
        ),
    ]
    changes: Annotated[
        int,
        Field(ge=0, le=1000, description="How many tasks of a playbook say the second time that they changed things."),
    ] = 0


@dataclass(frozen=True)
class ServiceCheck:
    """A service that must run in the end, and after a restart: a unit of systemd, and what it is asked."""

    __pydantic_config__: ClassVar[ConfigDict] = MANIFEST_CONFIG
    unit: Annotated[Unit, Field(description="The unit of systemd.")]
    port: Annotated[int | None, Field(ge=1, le=65535, description="Where it serves HTTP on 127.0.0.1.")] = None
    ask: Annotated[
        tuple[Question, ...],
        Field(max_length=_MOST_ASKED, description="What it is asked: the first until it answers so, the others once."),
    ] = ()


def _served(services: tuple[ServiceCheck, ...]) -> tuple[ServiceCheck, ...]:
    if silent := [one.unit for one in services if one.ask and one.port is None]:
        raise ValueError(f"{silent[0]}: who is asked needs a port")
    distinct(tuple(one.unit for one in services))
    return services


@dataclass(frozen=True)
class PackageRehearsal:
    """What consumers run of the package, in order, and the services that must then be healthy."""

    __pydantic_config__: ClassVar[ConfigDict] = MANIFEST_CONFIG
    runs: Annotated[
        tuple[Run, ...],
        Field(max_length=_MOST_RUNS, description="What is run: all in this order, then all once more."),
    ] = ()
    services: Annotated[
        tuple[ServiceCheck, ...],
        Field(max_length=_MOST_SERVICES, description="What must run then, and after it was restarted."),
        AfterValidator(_served),
    ] = ()
    environment: Annotated[
        dict[Variable, Word],
        Field(
            default_factory=dict,
            max_length=_MOST_FILES,
            description="Variables that the installer exports besides; ${ROOT} is filled in; no secret.",
        ),
    ] = field(default_factory=dict)
    files: Annotated[
        dict[HostPath, HostText],
        Field(
            default_factory=dict,
            max_length=_MOST_FILES,
            description="What an operator has put on the host before, by path; no secret.",
        ),
    ] = field(default_factory=dict)


def filled(word: str, root: str) -> str:
    """A word of the manifest for a package that is unpacked at `root`."""
    return word.replace(_ROOT, root)
