"""How a component runs as a service of its host: `service:` in a manifest, and of that name in manifest.json.

    service:
      description: a demo
      start: [--port, "{port}", --config, "{config}/config.yaml"]
      ready: /health
      alive: /health
      port: 4000
      internal-port: 4001
      files: {config.yaml: "greeting: hello"}
      secrets: {DEMO_TOKEN: "demo-{random}", DATABASE_URL: ""}
      trial: {DEMO_MIGRATE: "no"}

What is true of one component stands here; what is true of every service is in `members/systemd`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, ClassVar, TypeAlias

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, TypeAdapter

from bundler.kinds.question import HttpPath, PlainWord
from bundler.kinds.wheelhouse.program import PORT, FileText, VariableName, filled_in, one_line, told_where
from bundler.model.manifest_values import MANIFEST_CONFIG
from bundler.words import PlainPath

CONFIG, RANDOM = "{config}", "{random}"
# What useradd(8) takes; the service's user is called as the component.
LONGEST_USER = 31
_MOST, _MOST_WORDS, _LONGEST_WORD = 20, 50, 300
# A file of the operator's own, which install.sh makes.
SECRETS = "secrets.env"


def _own_files(files: dict[str, str]) -> dict[str, str]:
    if nested := next((path for path in files if "/" in path), None):
        raise ValueError(f"{nested}: files stand side by side")
    if SECRETS in files:
        raise ValueError(f"{SECRETS} is made of `secrets`")
    return files


Argument: TypeAlias = Annotated[
    str,
    StringConstraints(min_length=1, max_length=_LONGEST_WORD),
    AfterValidator(one_line),
    AfterValidator(filled_in(PORT, CONFIG)),
    Field(title="an argument", examples=["--port={port}"]),
]
Title: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ,.()'/-]{0,99}$"),
    Field(title="some words", examples=["a demo"]),
]
Port: TypeAlias = Annotated[int, Field(ge=1024, le=65535, strict=True)]
Seconds: TypeAlias = Annotated[int, Field(ge=1, le=3600, strict=True)]
UnitName: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\.(service|target|socket)$", max_length=100),
    Field(title="a unit of systemd", examples=["postgresql.service"]),
]
SecretText: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9._+=:/@{}-]*$", max_length=_LONGEST_WORD),
    AfterValidator(filled_in(RANDOM)),
    Field(title="a value in which {random} is filled in, or nothing", examples=["demo-{random}"]),
]


@dataclass(frozen=True)
class ServicePlan:
    """How the component runs as a service of its host, if somebody asks install.sh for one."""

    __pydantic_config__: ClassVar[ConfigDict] = MANIFEST_CONFIG
    description: Annotated[Title, Field(description="What it is, as `systemctl status` says.")]
    start: Annotated[
        tuple[Argument, ...],
        Field(
            min_length=1,
            max_length=_MOST_WORDS,
            description="The program's arguments. {port} is where it is to listen on 127.0.0.1, {config} the folder of "
            "its configuration, /etc/COMPONENT.",
        ),
        AfterValidator(told_where),
    ]
    ready: Annotated[
        HttpPath, Field(description="What it answers with 200 when requests can be served: it has started then.")
    ]
    alive: Annotated[
        HttpPath,
        Field(
            description="What it answers with 200 while it runs, whatever else is wrong on the host: if it does not, a "
            "timer restarts it."
        ),
    ]
    port: Annotated[
        Port,
        Field(description="Where on 127.0.0.1 it is asked; requests wait there while it restarts.", examples=[4000]),
    ]
    internal_port: Annotated[
        Port, Field(description="Where on 127.0.0.1 the program itself listens, another port.", examples=[4001])
    ]
    files: Annotated[
        dict[PlainPath, FileText],
        Field(
            default_factory=dict,
            max_length=_MOST,
            description="Its first configuration: files in /etc/COMPONENT, written only where they are not there.",
        ),
        AfterValidator(_own_files),
    ] = field(default_factory=dict)
    secrets: Annotated[
        dict[VariableName, SecretText],
        Field(
            default_factory=dict,
            max_length=_MOST,
            description="Variables of /etc/COMPONENT/secrets.env. {random} is filled in with 32 random hexadecimal "
            "digits; one without a value is there as a comment.",
        ),
    ] = field(default_factory=dict)
    trial: Annotated[
        dict[VariableName, PlainWord],
        Field(
            default_factory=dict,
            max_length=_MOST,
            description="Variables of the trial start before an upgrade, while the version before still runs: what "
            "keeps two from migrating the same data.",
        ),
    ] = field(default_factory=dict)
    after: Annotated[
        tuple[UnitName, ...],
        Field(max_length=_MOST, description="Units that it starts after, where the host has them."),
    ] = ()
    start_seconds: Annotated[Seconds, Field(description="How long it may take until it is ready.")] = 300
    stop_seconds: Annotated[Seconds, Field(description="How long requests may take to end when it is stopped.")] = 60

    def __post_init__(self) -> None:
        if self.port == self.internal_port:
            raise ValueError("port and internal-port are two: the socket's, and the program's own")

    def words(self) -> Mapping[str, object]:
        """The object of manifest.json."""
        dumped: dict[str, object] = _adapter().dump_python(self, mode="json", by_alias=True)
        return dumped


@cache
def _adapter() -> TypeAdapter[ServicePlan]:
    return TypeAdapter(ServicePlan)
