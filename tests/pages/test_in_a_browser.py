"""Pages in a headless Chromium: what they look like to it, what its script does, and that it asks nobody."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser import CHROMIUM, Browser, chromium
from tests.pages.test_pages import PAGES

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (apt install chromium)"),
]
PHONE, DESK = (390, 844), (1280, 900)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture
def at(tmp_path: Path) -> dict[str, str]:
    """The address of each page, by its name."""
    for name, text in PAGES.items():
        (tmp_path / f"{name}.html").write_text(text, encoding="utf-8")
    return {name: (tmp_path / f"{name}.html").as_uri() for name in PAGES}


def open_quietly(browser: Browser, address: str) -> None:
    """Open a page; fail if it asks for anything but itself, or the browser complains of it."""
    browser.open(address)
    asked = [told["request"]["url"] for told in browser.told("Network.requestWillBeSent")]
    assert [url for url in asked if not url.startswith("data:")] == [address.partition("#")[0]]
    complained(browser)


def complained(browser: Browser) -> None:
    told = browser.told("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled")
    assert told == []


@pytest.mark.parametrize("name", sorted(PAGES))
def test_no_page_asks_complains_or_is_wider_than_its_window(browser: Browser, at: dict[str, str], name: str) -> None:
    for width, height in (PHONE, DESK):
        browser.size(width, height, phone=width < 500)
        open_quietly(browser, at[name])
        wide = browser.ask("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert wide == [width, width]
        browser.ask("document.querySelectorAll('details').forEach(one => { one.open = true; })")
        assert browser.ask("document.documentElement.scrollWidth") == width
        assert browser.ask("document.compatMode") == "CSS1Compat"


def test_the_policy_holds(browser: Browser, at: dict[str, str]) -> None:
    """What a hostile wheel would want to do, were it not text, is refused by the browser."""
    open_quietly(browser, at["archive"])
    browser.ask(
        "document.body.insertAdjacentHTML('beforeend', "
        '\'<img src=x onerror="window.bad=1"><p style="color:red">x</p>\'); '
        "document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.bad = 1'})); 0"
    )
    refused = " ".join(told["entry"]["text"] for told in browser.told("Log.entryAdded"))
    assert refused.count("Content Security Policy") >= 3
    assert browser.ask("window.bad") is None
    assert "blocked" in browser.ask("fetch('https://localhost/').then(() => 'fetched', () => 'blocked')")


def test_a_package_is_told_with_its_ways(browser: Browser, at: dict[str, str]) -> None:
    browser.size(*DESK)
    open_quietly(browser, at["archive"])
    assert browser.ask("document.querySelector('#panel').hidden") is True
    browser.ask("document.querySelector('.tile').focus(); document.activeElement.click()")
    assert "deep" in browser.ask("document.querySelector('#panel h3').textContent")
    assert browser.ask("document.querySelector('#panel .chain').textContent") == "app › mid › deep"
    assert browser.ask("[...document.querySelectorAll('#panel .ways text')].map(one => one.textContent)") == [
        *("app", "mid", "deep"),
    ]
    assert browser.ask("document.querySelectorAll('#panel .ways path').length") == 2
    faded = browser.ask("[...document.querySelectorAll('.tile.faded')].map(one => one.textContent)")
    assert len(faded) == 20
    assert not [text for text in faded if text.startswith(("app ", "mid ", "deep "))]
    browser.ask("document.querySelector('#panel .ways a').dispatchEvent(new MouseEvent('click', {bubbles: true}))")
    assert browser.ask("document.querySelector('#panel .chain').textContent") == "asked for"
    browser.ask("history.back(), new Promise(done => addEventListener('popstate', () => setTimeout(done)))")
    assert browser.ask("document.querySelector('#panel .chain').textContent") == "app › mid › deep"
    browser.ask("document.dispatchEvent(new KeyboardEvent('keydown', {key: 'Escape'}))")
    assert browser.ask("document.querySelector('#panel').hidden") is True
    assert browser.ask("document.activeElement.className").startswith("tile")
    assert browser.ask("document.querySelectorAll('.faded').length") == 0
    complained(browser)


def test_a_page_opened_at_a_package_tells_of_it(browser: Browser, at: dict[str, str]) -> None:
    open_quietly(browser, f"{at['archive']}#p2")
    assert browser.ask("document.querySelector('#panel .chain').textContent") == "app › mid"


def shown(browser: Browser) -> list[str]:
    rows = "[...document.querySelectorAll('#packages tbody tr')].filter(one => one.checkVisibility())"
    found: list[str] = browser.ask(f"{rows}.map(one => one.querySelector('.name').textContent)")
    return found


def test_packages_are_searched_and_sorted(browser: Browser, at: dict[str, str]) -> None:
    browser.size(*DESK)
    open_quietly(browser, at["archive"])
    assert shown(browser)[:3] == ["deep", "app", "mid"]
    assert len(shown(browser)) == 23

    def search(words: str) -> None:
        browser.ask(
            f"Object.assign(document.querySelector('#search'), {{value: {json.dumps(words)}}})"
            ".dispatchEvent(new Event('input'))"
        )

    search("SMALL-1 mit")
    assert len(shown(browser)) == 11
    assert browser.ask("document.querySelector('#found').textContent") == "11 of 23"
    search("")
    assert len(shown(browser)) == 23
    by_name, by_size = (
        f"document.querySelector('#packages th:nth-child({number}) button').click()" for number in (1, 2)
    )
    browser.ask(by_name)
    assert shown(browser) == sorted(shown(browser))
    browser.ask(by_size)
    assert shown(browser)[:3] == ["deep", "app", "mid"]
    browser.ask(by_size)
    assert shown(browser)[-3:] == ["mid", "app", "deep"]
    assert browser.ask("document.querySelector('#packages [aria-sort]').ariaSort") == "ascending"
    complained(browser)


def test_the_map_is_inside_and_can_be_zoomed(browser: Browser, at: dict[str, str]) -> None:
    for width, height in (PHONE, DESK):
        browser.size(width, height, phone=width < 500)
        open_quietly(browser, at["archive"])
        browser.ask("document.querySelector('.tile.others').click()")
        assert browser.ask("document.querySelector('#map-1').open") is True
        rests = "(tile, of) => tile.left >= of.left - 1 && tile.right <= of.right + 1 && tile.top >= of.top - 1"
        inside = (
            f"[...document.querySelectorAll('.tile')].every(one => ({rests})"
            "(one.getBoundingClientRect(), one.closest('.map').getBoundingClientRect()))"
        )
        assert browser.ask(inside) is True
        areas = browser.ask(
            "[...document.querySelectorAll('.map')][0].querySelectorAll('.tile').values().take(2)"
            ".map(one => one.offsetWidth * one.offsetHeight).toArray()"
        )
        assert areas[0] / areas[1] == pytest.approx(5 / 2, rel=0.03)


def test_light_and_dark(browser: Browser, at: dict[str, str]) -> None:
    grounds = []
    for scheme in ("light", "dark"):
        browser.prefer(scheme)
        open_quietly(browser, at["archive"])
        colours = browser.ask(
            "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
        )
        grounds.append([sum(map(int, colour[4:-1].split(","))) for colour in colours])
    (light, dark_ink), (dark, light_ink) = grounds
    assert light > 700 > light_ink > 600
    assert dark < 100 > dark_ink


def test_all_is_there_without_a_script(browser: Browser, at: dict[str, str]) -> None:
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(at["archive"])
        assert browser.ask("document.querySelector('.search').hidden") is True
        assert browser.ask("document.querySelectorAll('button').length") == 0
        assert browser.ask("document.querySelector('#p0 .chain').textContent") == "app › mid"
        assert browser.ask("document.querySelector('.tile').hash") == "#p0"
        assert browser.ask("document.querySelector('.tile').offsetWidth") > 100
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)
