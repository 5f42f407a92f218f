"""`source:` of a wheelhouse, in manifests, requests and targets' locks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bundler.errors import LockError, ManifestError
from bundler.kinds.manifests import Manifests
from bundler.kinds.wheelhouse.lock import Lock, facts_for
from bundler.kinds.wheelhouse.manifest import SourceArchive
from bundler.model.locked_wheel import LockedWheel, Source
from tests.model.samples import REQUEST, WHEEL, request_of
from tests.world import PYTHON, TARGETS, WHEELHOUSE

ADDRESS = "https://example.org/x.zip"
ARCHIVE = SourceArchive(ADDRESS, "a" * 40, "b" * 64)
PIN = f"source:\n  address: {ADDRESS}\n  commit: {'a' * 40}\n  sha256: {'b' * 64}\n"
OVERRIDE = "overrides:\n- targets: [debian-13]\n  requirement: litellm==2.0\n"
BUILT = replace(WHEEL, source=Source(ARCHIVE.commit, ARCHIVE.sha256))


def parse(more: str) -> Manifests:
    return Manifests.parse({"targets.yaml": TARGETS, "python.yaml": PYTHON, "litellm.yaml": WHEELHOUSE + more})


def problems(more: str) -> list[str]:
    with pytest.raises(ManifestError) as caught:
        parse(more)
    return [str(problem) for problem in caught.value.problems]


def sources(more: str) -> set[SourceArchive | None]:
    manifests = parse(more)
    return {request_of(manifests, "litellm", target).source for target in manifests.targets}


def test_the_default_is_the_index() -> None:
    assert sources("") == sources("source: index\n") == {None}
    assert sources(PIN) == {ARCHIVE}


def test_an_override_may_take_the_index() -> None:
    assert sources(f"{PIN}{OVERRIDE}  source: index\n") == {ARCHIVE, None}


def test_an_override_for_another_version_must() -> None:
    (said,) = problems(PIN + OVERRIDE)
    assert said.startswith("litellm.yaml:14:16: overrides.0: the source is for litellm==1.0; add `source: index`")
    parse(PIN + OVERRIDE.replace("litellm==2.0", "litellm[other]==1.0"))
    parse(OVERRIDE)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("a" * 40, "main", "litellm.yaml:10:11: source.commit:"),
        (f"{'b' * 64}", "bbbb", "litellm.yaml:11:11: source.sha256:"),
        ("https:", "http:", "litellm.yaml:9:12: source.address:"),
        ("https:", "file:", "litellm.yaml:9:12: source.address:"),
        ("  commit:", "  branch: x\n  commit:", "source.branch: unknown key"),
        (PIN, "source: here\n", "litellm.yaml:8:9: source:"),
    ],
)
def test_every_part_is_checked_and_named_with_its_place(old: str, new: str, said: str) -> None:
    assert any(said in problem for problem in problems(PIN.replace(old, new)))
    assert len(problems(PIN.replace(old, new))) == 1


def test_where_the_archive_is_does_not_decide_what_a_lock_is_made_for() -> None:
    one = replace(REQUEST, source=ARCHIVE)
    assert one.digest() == replace(one, source=replace(ARCHIVE, address="https://example.org/y.zip")).digest()
    assert len({one.digest(), REQUEST.digest(), replace(one, source=replace(ARCHIVE, sha256="c" * 64)).digest()}) == 3


def lock(wheel: LockedWheel, source: SourceArchive | None) -> Lock:
    return Lock(facts_for(replace(REQUEST, source=source), "uv 0.9", "2026-11-24T00:00:00Z", {}), (wheel,))


def test_a_built_wheel_is_marked_and_read_again() -> None:
    made = lock(BUILT, ARCHIVE)
    assert Lock.parse(made.render(), "x") == made
    assert made.source == BUILT.source and made.built == BUILT
    assert made.staleness(replace(REQUEST, source=ARCHIVE)) is None
    assert lock(WHEEL, None).source is None


def test_a_lock_for_another_source_is_stale_and_says_what_changed() -> None:
    assert "source was commit aaaaaaaaaaaa (sha256 bbbbbbbbbbbb), is the index" in str(
        lock(BUILT, ARCHIVE).staleness(REQUEST)
    )
    assert "source was the index, is commit aaaaaaaaaaaa" in str(
        lock(WHEEL, None).staleness(replace(REQUEST, source=ARCHIVE))
    )


def test_a_mark_that_was_taken_away_or_added_by_hand_is_noticed() -> None:
    request = replace(REQUEST, source=ARCHIVE)
    for wheel, asked in ((WHEEL, request), (replace(BUILT, source=Source("0" * 40, "b" * 64)), request)):
        assert "were changed" in str(lock(wheel, ARCHIVE).staleness(asked))
    assert "were changed" in str(lock(BUILT, None).staleness(REQUEST))


@pytest.mark.parametrize(("old", "new"), [("a" * 40, "latest"), ("b" * 64, "b"), ("commit =", "branch =")])
def test_a_mark_that_makes_no_sense_is_refused(old: str, new: str) -> None:
    text = lock(BUILT, ARCHIVE).render()
    with pytest.raises(LockError, match="not a lock"):
        Lock.parse(text.replace(old, new), "x")
