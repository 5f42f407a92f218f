"""What an index tells of advisories: asked for exactly what is held, and never trusted."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from bundler.adapters.http import Http
from bundler.adapters.index_advisories import ask_index
from bundler.errors import IntegrityError, UnreachableError
from bundler.model.advisories import Advisories
from bundler.model.advisory import Package
from bundler.model.snapshot import compose, parse
from bundler.progress import Silent
from tests.server import Reply, Server, redirect

DAY = date(2026, 11, 29)
A, B = Package("PyPI", "a-b", "1.0"), Package("PyPI", "other", "2.0")
TOLD = {"id": "PYSEC-1", "aliases": ["CVE-1"], "fixed_in": ["2.0", "1.1"], "summary": "bad", "withdrawn": None}
JSON = {"Content-Type": "application/json"}


def answer(name: str = "a.b", version: str = "1.0.0", **more: Any) -> bytes:
    document = {"info": {"name": name, "version": version, "x": 1}, "urls": [], "vulnerabilities": [TOLD], **more}
    return json.dumps(document).encode()


def asked(http: Http, server: Server, *packages: Package, simple: str = "simple") -> Advisories:
    return ask_index(http, f"{server.address}/root/{simple}", packages, DAY, 4, Silent())


def script(server: Server, *replies: Reply, package: Package = A) -> None:
    server.script(f"/root/pypi/{package.name}/{package.version}/json", *replies)


@pytest.mark.parametrize("simple", ["simple", "+simple", "simple/"])
def test_an_index_is_asked_beside_its_pages(server: Server, http: Http, simple: str) -> None:
    script(server, Reply(answer(), headers=JSON))
    script(server, Reply(answer("other", "2.0", vulnerabilities=[]), headers=JSON), package=B)
    known = asked(http, server, A, B, Package("npm", "c", "1.0.0"), simple=simple)
    (issue,) = known.issues({A, B})
    assert issue.ids == ("PYSEC-1", "CVE-1") and issue.versions == {"1.0": ("1.1", "2.0")}
    assert known.asked == frozenset((A, B)) and known.made == DAY
    assert parse(compose(known)) == known


def test_what_it_does_not_know_is_not_among_what_was_asked(server: Server, http: Http) -> None:
    script(server, Reply(answer(), headers=JSON))
    known = asked(http, server, A, B)
    assert known.covers(A) and not known.covers(B)


def test_one_advisory_of_two_versions_is_one(server: Server, http: Http) -> None:
    later = Package("PyPI", "a-b", "1.5")
    script(server, Reply(answer(), headers=JSON))
    script(server, Reply(answer(version="1.5"), headers=JSON), package=later)
    known = asked(http, server, A, later)
    assert len(known.records) == 1
    assert known.issues({A, later})[0].versions == {"1.0": ("1.1", "2.0"), "1.5": ("2.0",)}


def test_a_withdrawn_one_does_not_count(server: Server, http: Http) -> None:
    script(server, Reply(answer(vulnerabilities=[TOLD | {"withdrawn": "2026-01-01T00:00:00Z"}]), headers=JSON))
    assert asked(http, server, A).records == ()


@pytest.mark.parametrize("body", [None, {"vulnerabilities": None}], ids=["404", "silent"])
def test_an_index_that_serves_none_is_told_with_what_to_do(
    server: Server, http: Http, body: dict[str, Any] | None
) -> None:
    script(server, Reply(b"", 404) if body is None else Reply(answer(**body), headers=JSON))
    with pytest.raises(UnreachableError, match="serves no advisories") as caught:
        asked(http, server, A)
    assert "--advisories FILE" in caught.value.hint
    with pytest.raises(UnreachableError, match="is not known"):
        asked(http, server, A, simple="elsewhere")


LIES: dict[str, Callable[[], Reply]] = {
    "another project": lambda: Reply(answer("b")),
    "another version": lambda: Reply(answer(version="1.0.1")),
    "no version": lambda: Reply(answer(version="?")),
    "no name": lambda: Reply(json.dumps({"info": {}, "vulnerabilities": []}).encode()),
    "no JSON": lambda: Reply(b"<html>"),
    "a list": lambda: Reply(b"[]"),
    "cut": lambda: Reply(answer()[:-2]),
    "advisories in words": lambda: Reply(answer(vulnerabilities="none")),
    "an id of lines": lambda: Reply(answer(vulnerabilities=[TOLD | {"id": "a\nb"}])),
    "versions in words": lambda: Reply(answer(vulnerabilities=[TOLD | {"fixed_in": "2.0"}])),
    "endless": lambda: Reply(answer(more="x" * (17 << 20))),
    "deep": lambda: Reply(b"[" * 400_000),
    "many": lambda: Reply(answer(vulnerabilities=[TOLD] * 2_001)),
    "values": lambda: Reply(answer(more=[1] * 600_000)),
}


@pytest.mark.parametrize("lie", LIES)
def test_an_answer_that_cannot_be_is_refused(server: Server, http: Http, lie: str) -> None:
    script(server, LIES[lie]())
    with pytest.raises(IntegrityError) as caught:
        asked(http, server, A)
    assert caught.value.exit_code == 3 and "\n" not in caught.value.message


def test_another_server_is_not_believed(server: Server, other: Server, http: Http) -> None:
    other.script("/json", Reply(answer(vulnerabilities=[])))
    script(server, redirect(f"{other.address}/json"))
    with pytest.raises(IntegrityError, match="leads to another server"):
        asked(http, server, A)


def test_a_server_that_breaks_off_or_answers_badly_is_unreachable(server: Server, impatient: Http) -> None:
    for reply in (Reply(answer(), drop_after=10), Reply(b"", 403), Reply(b"", 500)):
        script(server, reply)
        with pytest.raises(UnreachableError):
            asked(impatient, server, A)
