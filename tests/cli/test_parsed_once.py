"""Each command parses each manifest once, whatever it is asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from bundler.model.document import Document, parse_yaml
from tests.cli.releasing import Releasing
from tests.world import Ran, World


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each manifest was parsed."""
    count: Counter[str] = Counter()

    def counted(text: str, name: str) -> Document:
        count[name] += 1
        return parse_yaml(text, name)

    monkeypatch.setattr("bundler.kinds.manifests.parse_yaml", counted)
    return count


def once(parsed: Counter[str], run: Callable[[], Ran]) -> None:
    parsed.clear()
    done = run()
    assert done.code == 0, done.err
    assert parsed == {"litellm.yaml": 1, "python.yaml": 1, "targets.yaml": 1}


@pytest.mark.parametrize(
    "words",
    [
        ("build", "debian-12-amd64"),
        ("build", "debian-12-amd64", "--offline", "--force"),
        ("lock",),
        ("lock", "--check"),
        ("lock", "debian-12-amd64", "--upgrade"),
        ("check",),
        ("targets",),
        ("cache", "prune"),
    ],
    ids=" ".join,
)
@pytest.mark.slow
def test_manifests_are_parsed_once_a_run(locked: World, parsed: Counter[str], words: tuple[str, ...]) -> None:
    if "--offline" in words:
        assert locked.run("build", "debian-12-amd64").code == 0
    once(parsed, lambda: locked.run(*words))


@pytest.mark.slow
def test_publish_parses_manifests_once(ready: Releasing, parsed: Counter[str]) -> None:
    once(parsed, lambda: ready.publish("--dry-run", "--channel", "latest-runtime"))
    once(parsed, lambda: ready.publish("--channel", "latest-runtime"))
