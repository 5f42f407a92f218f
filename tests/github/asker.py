"""Somebody who asks the server, for its own tests; each answer is held against GitHub's description."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.github.described import hold
from tests.github.repository import GitHub


@dataclass(frozen=True)
class Asker:
    """Asks with a token, or without one; `held` are the operations whose answers were as described."""

    hub: GitHub
    client: httpx.Client
    held: set[str | None] = field(default_factory=set)

    def __call__(self, method: str, path: str = "", **sent: Any) -> httpx.Response:
        """Ask for an address, or a path below the repository."""
        address = path if "://" in path else f"{self.hub.api}/repos/{self.hub.repo}{path}"
        answer = self.client.request(method, address, **sent)
        if answer.request.url.port == httpx.URL(self.hub.objects).port:
            return answer
        self.held.add(hold(method, answer.request.url.path, answer.status_code, answer.content))
        return answer

    def create(self, tag: str, **fields: object) -> dict[str, Any]:
        """Make a release."""
        answer = self("POST", "/releases", json={"tag_name": tag, **fields})
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def upload(self, release: dict[str, Any], name: str, content: bytes = b"bytes", **sent: Any) -> httpx.Response:
        """Upload an asset."""
        address = str(release["upload_url"]).removesuffix("{?name,label}")
        return self("POST", address, params={"name": name}, content=content, **sent)

    def edit(self, thing: dict[str, Any], **fields: object) -> httpx.Response:
        """Change a release or an asset."""
        return self("PATCH", thing["url"], json=fields)

    def tags(self, **query: object) -> list[str]:
        """The tags of the releases that are listed."""
        return [one["tag_name"] for one in self("GET", "/releases", params=query).json()]


@contextmanager
def asking(hub: GitHub, token: str) -> Iterator[Asker]:
    """Somebody with a token, or "" for none."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    # Nothing here is asked over TLS, and loading the authorities takes time.
    with httpx.Client(headers=headers, trust_env=False, verify=False) as client:
        yield Asker(hub, client)


def refusal(answer: httpx.Response) -> tuple[int, list[tuple[str, str]]]:
    """The status, and the code and field of each reason."""
    return answer.status_code, [(each["code"], each.get("field", "")) for each in answer.json().get("errors", [])]
