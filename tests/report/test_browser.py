"""The page in a real browser: no error, no request, every image there, the explorer answers."""

import shutil

import pytest

from finescale.report.tables import skill_table
from finescale.scores.table import lines

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser():
    path = next((p for p in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if p), None)
    if path is None:
        pytest.skip("no Chromium on this machine: install Debian's package `chromium`")
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="the Python package playwright drives the browser"
    )
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def address(written):
    return written[0].as_uri()


@pytest.fixture(params=[1280, 390])
def page(browser, address, request):
    context = browser.new_context(viewport={"width": request.param, "height": 900})
    tab = context.new_page()
    tab.complaints, tab.requests = [], []
    tab.on(
        "console",
        lambda message: tab.complaints.append(message.text) if message.type in ("error", "warning") else None,
    )
    tab.on("pageerror", lambda error: tab.complaints.append(str(error)))
    tab.on(
        "request", lambda made: tab.requests.append(made.url) if not made.url.startswith("data:") else None
    )
    tab.goto(address)
    until(tab, "document.getElementById('readout').textContent.length > 0")
    yield tab
    assert tab.complaints == []
    assert tab.requests == [address]
    context.close()


def until(page, condition, argument=None):
    """Wait for a condition; playwright's own way needs `eval`, which the page forbids."""
    for _ in range(300):
        if page.evaluate(condition, argument):
            return
        page.wait_for_timeout(50)
    raise AssertionError(condition)


def readout(page):
    return page.inner_text("#readout")


def pixels(page, panel):
    return page.evaluate(f"document.querySelector('canvas[data-panel=\"{panel}\"]').toDataURL()")


def changed(page, before):
    until(page, "(old) => document.getElementById('readout').textContent !== old", before)
    return readout(page)


def test_all_images_load_and_nothing_is_wider_than_the_window(page):
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    page.evaluate("Promise.all([...document.images].map((image) => image.decode()))")
    assert page.evaluate("[...document.images].every((image) => image.naturalWidth > 100)")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_the_explorer_opens_at_the_storm_and_shows_the_truth(page, case):
    text = readout(page)
    assert text.startswith("2003-01-08 11:00 UTC at ")
    lat, lon = (
        float(v) for v in text.split(" at ")[1].split(":")[0].replace("N, ", "").replace(" E", "").split()
    )
    value = float(case.truth["psl"].isel(time=83).sel(lat=lat, lon=lon, method="nearest")) / 100
    shown = float(text.split("truth ")[1].split(",")[0])
    assert shown == pytest.approx(value, abs=0.3)  # one byte over the range of the storm, four digits


def test_a_click_chooses_the_point_and_the_keys_move_it(page):
    before, maps = readout(page), pixels(page, "truth")
    page.click("canvas[data-panel='truth']", position={"x": 12, "y": 12})
    after = changed(page, before)
    assert "at 48.10 N, 6.00 E" in after or "at 48.00 N" in after
    assert pixels(page, "truth") != maps
    page.press("canvas[data-panel='truth']", "ArrowRight")
    assert "6.00 E" not in changed(page, after)


def test_hour_variable_and_member_can_be_chosen(page):
    text = readout(page)
    page.evaluate(
        "() => { const s = document.getElementById('hour'); s.value = 3; s.dispatchEvent(new Event('input')); }"
    )
    text = changed(page, text)
    page.select_option("select[name=variable]", "tas")
    text = changed(page, text)
    assert text.endswith("°C")
    third = pixels(page, "third")
    page.select_option("select[name=third]", "ours/spread")
    until(page, "(old) => document.querySelector('canvas[data-panel=\"third\"]').toDataURL() !== old", third)
    assert "spread of 5" in page.inner_text("figure:has(canvas[data-panel='third']) figcaption")
    assert page.locator("#chart path.member").count() == 5
    page.select_option("select[name=third]", "bilinear/0")
    changed(page, text)
    assert page.locator("#chart path.member").count() == 0


def test_the_storm_plays_and_stops(page):
    before = readout(page)
    page.click("#play")
    changed(page, before)
    assert page.get_attribute("#play", "aria-pressed") == "true"
    page.click("#play")
    assert page.get_attribute("#play", "aria-pressed") == "false"


def test_the_skill_table_follows_the_choice(page):
    assert "CRPS" in page.inner_text("#scores caption")
    page.select_option("#score-controls select[name=metric]", "spread_skill")
    assert "nearest to 1 is best" in page.inner_text("#scores caption")
    page.select_option("#score-controls select[name=region]", "coast")
    assert "coast" in page.inner_text("#scores caption")
    assert page.locator("#scores td.best").count() == 2


def test_the_page_marks_what_the_tables_mark(page, card, case):
    for metric in ("crps", "bias", "p99_bias", "coverage_90", "crps_behind"):
        page.select_option("#score-controls select[name=metric]", metric)
        found = page.locator("#scores td").evaluate_all("cells => cells.map((cell) => cell.className)")
        methods = page.locator("#scores tbody th").all_inner_texts()
        _, rows = skill_table(lines(card), case.name, methods=methods, metric=metric)
        assert found == [cell.mark for _, cells in rows for cell in cells]


def test_dark_and_light_can_be_turned(page):
    colour = "getComputedStyle(document.body).backgroundColor"
    before = page.evaluate(colour)
    page.click("#theme")
    assert page.evaluate(colour) != before


def test_the_keyboard_reaches_every_control(page):
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        found = page.evaluate(
            "(() => { const e = document.activeElement; return e.id || e.name || e.dataset.panel || e.tagName; })()"
        )
        reached.add(found)
    assert {
        "theme",
        "metric",
        "region",
        "hours",
        "case",
        "variable",
        "third",
        "fourth",
        "play",
        "hour",
        "truth",
    } <= reached
