from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.model.advisories import Advisories
from bundler.model.advisory import parse_advisory
from bundler.model.comparison import Advisories as Known
from bundler.model.comparison import Comparison, compare
from bundler.model.holding import Holding
from bundler.model.inventory import Inventory, Item
from bundler.pages.archive import Subject, archive_page
from bundler.pages.delivery import delivery_page
from bundler.pages.differences import differences_page
from bundler.release.record import (
    DeliveredAsset,
    DeliveryRecord,
    Judged,
    Reason,
    RehearsalRecord,
    RehearsedStep,
    Verification,
    VerifiedRelease,
)
from tests.model.samples import COSTLY_PROPERTY
from tests.modules import ROOT, faults, text_of
from tests.pages.test_markup import HOSTILE, Read

ADVISORY = b"""{"id": "GHSA-1", "modified": "2026-10-01T00:00:00Z", "summary": "<b>loud</b>", "affected": [
 {"package": {"ecosystem": "PyPI", "name": "deep"}, "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"},
 {"fixed": "3"}]}]}]}"""
SCRIPT = (ROOT / "pages" / "page.js").read_text(encoding="utf-8")


def wheel(name: str, size: int, *needs: str, version: str = "1.0", licence: str = "MIT") -> Item:
    wants = tuple(f"pkg:pypi/{one}" for one in needs)
    return Item(f"pkg:pypi/{name}", "wheel", name, version, "", size, "", (licence,) if licence else (), wants)


def inventory(*items: Item, roots: tuple[str, ...] = ("app",)) -> Inventory:
    return Inventory(
        "app", "1.0", "debian 12 amd64", "3.11.2", roots=tuple(f"pkg:pypi/{one}" for one in roots), items=items
    )


def held() -> Inventory:
    small = [wheel(f"small-{number}", 1000 + number) for number in range(20)]
    many = [wheel("app", 2_000_000, "mid", *(item.name for item in small)), wheel("mid", 900_000, "deep")]
    return inventory(*many, wheel("deep", 5_000_000, version="2.0", licence=""), *small)


def subject(**changes: object) -> Subject:
    known = Advisories.of_records([parse_advisory(ADVISORY)], "a list")
    found = Subject("app-debian-12-amd64.tar.gz", 8_000_000, (("host", "debian 12"),), held(), known)
    return replace(found, **changes)  # type: ignore[arg-type]


def comparison() -> Comparison:
    new = inventory(wheel("app", 2_500_000, "new", version="1.1"), wheel("new", 700_000), wheel("mid", 900_000))
    known = Known(lambda _: [(held().items[2], "GHSA-1")])
    return compare([Holding(held(), 9_000_000)], [Holding(new, 5_000_000)], known)


def record(word: str = "fine") -> DeliveryRecord:
    steps = (RehearsedStep("install", True, 4.0), RehearsedStep(word, False, 1.5, ({"host": word},)))
    release = VerifiedRelease("o/r", "t", False, "", "javascript:alert(1)", (word,), (Judged(word, False, (word,)),))
    return DeliveryRecord(
        repository="o/r",
        tag="app-1.0",
        commit=word,
        run="https://example.org/runs/1",
        attempt="1",
        assets=(
            DeliveredAsset("app.tar.gz", 9_000_000, "a" * 64, "app", "1.0", "debian 12 amd64", "b" * 64),
            DeliveredAsset("SHA256SUMS", 200, "c" * 64),
        ),
        findings=(word,),
        verifications=(Verification(False, releases=(release,), errors=(Reason(word),), folders=(word,)),),
        rehearsals=(RehearsalRecord(f"/x/{word}", False, versions={"Python": word}, steps=steps),),
        unverified={word: word},
        unrehearsed={word: word},
    )


PAGES = {
    "archive": archive_page(subject()),
    "differences": differences_page("a/old", "a/new", comparison(), {("wheel", "new"): ("app", "new")}),
    "delivery": delivery_page(record()),
}


@pytest.fixture(params=sorted(PAGES))
def text(request: pytest.FixtureRequest) -> str:
    return PAGES[request.param]


def test_the_policy_lets_in_nothing_but_the_pages_own_style_and_script(text: str) -> None:
    (policy,) = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', text)
    for name, words in (("style", re.findall("<style>(.*?)</style>", text, re.S)), ("script", [SCRIPT])):
        (content,) = words
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert text.index("Content-Security-Policy") < text.index("<style>")


def test_what_a_page_refers_to_is_in_it(text: str) -> None:
    elements = Read(text).elements
    ids = [told["id"] for _, told in elements if "id" in told]
    assert len(ids) == len(set(ids))
    for _, told in elements:
        assert not {"style", "src", "srcset"} & told.keys()
        href = told.get("href") or ""
        if href.startswith("#"):
            assert href[1:] in ids, href
        else:
            assert href.partition(":")[0] in ("", "https", "data")
    assert [name for name, _ in elements if name in ("script", "style")] == ["style", "script"]


def test_a_table_tells_what_its_cells_are(text: str) -> None:
    elements = [name for name, _ in Read(text).elements]
    assert elements.count("table") == elements.count("caption") == elements.count("thead") > 0
    assert all(told.get("scope") in ("col", "row") for name, told in Read(text).elements if name == "th")


def test_a_page_is_the_same_every_time() -> None:
    assert archive_page(subject()) == PAGES["archive"]
    assert delivery_page(record()) == PAGES["delivery"]


def test_an_archive_is_told_with_the_way_to_each_package() -> None:
    said = " ".join(Read(PAGES["archive"]).said.split())
    assert "deep 2.0" in said
    assert "app › mid" in said
    assert "5.9" in said  # what mid brings: itself, and deep
    assert "GHSA-1" in said
    assert "<b>loud</b>" in said
    assert "As known on 2026-10-01, from a list." in said
    assert "Nobody was asked" in archive_page(subject(known=None))


def test_what_is_too_small_for_the_map_is_on_another() -> None:
    found = [
        told for name, told in Read(PAGES["archive"]).elements if name == "a" and "tile" in (told.get("class") or "")
    ]
    assert [told["title"] for told in found][:4] == [
        "deep 2.0: 5.0 MB, 63.1 %",
        "app 1.0: 2.0 MB, 25.3 %",
        "mid 1.0: 0.9 MB, 11.4 %",
        "20 smaller ones, 0.020 MB",
    ]
    assert len(found) == 4 + 20


def test_a_comparison_tells_gains_changes_and_what_brought_them() -> None:
    said = " ".join(Read(PAGES["differences"]).said.split())
    assert "old → new" in said
    assert "-5.0" in said
    assert "advisory closed" in said
    assert "added" in said


def test_a_record_tells_what_failed() -> None:
    said = " ".join(Read(PAGES["delivery"]).said.split())
    assert "0 of 2" in said
    assert "NOT ok" in said
    assert "not rehearsed" in said
    assert "javascript" not in PAGES["delivery"].replace(SCRIPT, "")


@COSTLY_PROPERTY
@given(HOSTILE, HOSTILE)
def test_nothing_that_others_wrote_is_markup(name: str, version: str) -> None:
    name, version = name or "x", version or "y"
    items = (Item("pkg:pypi/app", "wheel", name, version, "", 5, "", (name,), ("pkg:pypi/b",)), wheel("b", 3))
    old, new = inventory(items[1]), inventory(*items)
    told = Subject(name, 9, ((name, version),), new)
    plain = Subject(
        "n", 9, (("n", "v"),), inventory(replace(items[0], name="n", version="v", licences=("n",)), items[1])
    )
    assert _shape(archive_page(told)) == _shape(archive_page(plain))
    found = compare([Holding(old)], [Holding(new)])
    named = differences_page(name, version, found, {("wheel", name): (name, name)})
    assert _shape(named)[:3] == ["html", "head", "meta"]
    assert "script" not in _shape(named)[:-1]
    assert "script" not in _shape(delivery_page(record(name)))[:-1]


def _shape(text: str) -> list[str]:
    return [name for name, _ in Read(text).elements]


def test_pages_know_only_values() -> None:
    def others(path: Path) -> list[str]:
        found = re.findall(r"^from bundler\.([a-z_.]+) import", text_of(path), re.M)
        return [one for one in found if not one.startswith(("model.", "pages.", "terminal", "release.record"))]

    modules = sorted((ROOT / "pages").glob("*.py"))
    assert faults(others, modules) == {}


def _luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_text_can_be_read_on_its_ground_light_and_dark() -> None:
    """WCAG 2.2, 1.4.3: a contrast of 4.5 to 1."""
    style = (ROOT / "pages" / "page.css").read_text(encoding="utf-8")
    light, dark = (dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6})", block)) for block in style.split("@media")[:2])
    pairs = [(ink, ground) for ink in ("ink", "faint", "accent", "bad", "good") for ground in ("ground", "raised")]
    pairs += [(ink, f"{ink}-ground") for ink in ("bad", "good", "caution")] + [("ink", "neutral-ground")]
    pairs += [(f"{one}-ink", one) for one in ("step0", "step1", "step2", "step3", "others")]
    shown = [(light[one], light[other]) for one, other in pairs] + [(dark[one], dark[other]) for one, other in pairs]
    shown += [("#111111", colour) for colour in re.findall(r"\.kind[0-9] \{ background: (#[0-9a-f]{6})", style)]
    for ink, ground in shown:
        darker, lighter = sorted((_luminance(ink), _luminance(ground)))
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5, (ink, ground)


@COSTLY_PROPERTY
@given(st.lists(st.integers(0, 10**9), max_size=30))
def test_any_sizes_are_drawn(sizes: list[int]) -> None:
    items = tuple(wheel(f"p{number}", size) for number, size in enumerate(sizes))
    text = archive_page(Subject("n", 1, (), inventory(*items, roots=())))
    shown = {told["href"] for name, told in Read(text).elements if name == "a" and "tile" in (told.get("class") or "")}
    assert len([href for href in shown if href and href.startswith("#p")]) >= min(1, sum(size > 0 for size in sizes))
