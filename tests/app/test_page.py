"""The page, in a real Chromium: on a phone, on a desk, with a keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from tests.app.conftest import FIRST
from tests.app.models import finish, promote, publish
from tests.app.service import Running, serving
from tests.tools import needs

PHONE = {"width": 375, "height": 667}
DESK = {"width": 1280, "height": 900}

LUMINANCE = """
([selector]) => {
  const parse = (css) => css.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const over = ([r, g, b, a = 1], below) => [r, g, b].map((v, i) => v * a + below[i] * (1 - a));
  const ground = (node) => {
    if (!node) return [255, 255, 255];
    return over(parse(getComputedStyle(node).backgroundColor), ground(node.parentElement));
  };
  return [...document.querySelectorAll(selector)].filter((node) => node.offsetParent).map((node) => {
    const [a, b] = [light(parse(getComputedStyle(node).color)), light(ground(node))].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05);
  });
}
"""


# However busy the machine is.
expect.set_options(timeout=60_000)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    path = needs("chromium")
    with sync_playwright() as playwright:
        # Without its own sandbox: Chromium refuses to start as root with one.
        launched = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(params=[(PHONE, "light"), (PHONE, "dark"), (DESK, "light")], ids=["phone", "dark", "desk"])
def page(browser: Browser, shared: Running, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The page, open; at the end it must have complained of nothing and asked nobody else."""
    viewport, scheme = request.param
    context = browser.new_context(viewport=viewport, color_scheme=scheme, reduced_motion="reduce")
    opened = context.new_page()
    complaints: list[str] = []
    elsewhere: list[str] = []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    opened.on(
        "request",
        lambda sent: elsewhere.append(sent.url) if not sent.url.startswith(shared.url) else None,
    )
    opened.goto(shared.url)
    yield opened
    context.close()
    # That a request failed, as a test wanted, Chromium says by itself.
    assert [each for each in complaints if not each.startswith("Failed to load resource")] == []
    assert elsewhere == []


def write(page: Page, text: str) -> None:
    """Type a review and ask."""
    page.get_by_label("Your review").fill(text)
    page.get_by_role("button", name="Read it").click()


def test_verdict_and_words(page: Page) -> None:
    """A review gets a verdict, how sure the model is, and the words that mattered, marked and named."""
    write(page, "A wonderful film, if a little dull.")
    expect(page.get_by_role("heading", name="Positive")).to_be_visible()
    expect(page.get_by_text("81.8% sure")).to_be_visible()
    expect(page.get_by_text("For positive: “wonderful”. Against positive: “dull”.")).to_be_visible()
    assert page.locator("#words").text_content() == "A wonderful film, if a little dull."
    assert page.locator("#words .for").all_text_contents() == ["wonderful"]
    assert page.locator("#words .against").all_text_contents() == ["dull."]
    assert page.locator("#fill").evaluate("(e) => e.style.width") == "81.7574%"
    expect(page.get_by_role("link", name=FIRST)).to_be_visible()


def test_no_verdict_beside_another_text(page: Page) -> None:
    """A verdict goes once its text is changed, replaced or refused, and a late answer does not bring it."""
    verdict = page.get_by_role("heading", level=2)
    write(page, "good")
    expect(verdict).to_have_text("Positive")
    page.get_by_label("Your review").fill("good, no: awful")
    expect(verdict).to_be_hidden()
    busy = {"code": "overloaded", "detail": "", "requestId": "r"}
    write(page, "good")
    expect(verdict).to_be_visible()
    page.route("**/predict", lambda route: route.fulfill(status=503, json=busy))
    page.get_by_role("button", name="Read it").click()
    expect(page.get_by_role("alert")).to_contain_text("Many people")
    expect(verdict).to_be_hidden()
    page.unroute("**/predict")
    held: list[Route] = []
    page.route("**/predict", lambda route: held.append(route))
    with page.expect_request("**/predict"):
        write(page, "wonderful")
    page.get_by_label("Your review").fill("awful")
    with page.expect_response("**/predict"):
        held[0].continue_()
    expect(page.get_by_role("button", name="Read it")).to_have_attribute("aria-disabled", "false")
    expect(verdict).to_be_hidden()


def test_each_phrase_once(page: Page) -> None:
    """A word that comes again is named once."""
    write(page, "Dull. The plot is dull, and the acting dull.")
    expect(page.get_by_text("For negative:")).to_be_visible()
    assert (page.locator("#summary").text_content() or "").lower() == "for negative: “dull”."


def test_longer_than_the_model_reads(page: Page) -> None:
    """The page says when the end of a review did not count."""
    write(page, "good " * 300)
    expect(page.get_by_text("its end did not count")).to_be_visible()
    write(page, "good")
    expect(page.get_by_role("heading", name="Positive")).to_be_visible()
    expect(page.get_by_text("its end did not count")).to_be_hidden()


def test_no_known_word(page: Page) -> None:
    """The page says that a verdict is a guess where the model knows no word of the review."""
    write(page, "Ein wunderbarer Abend im Kino")
    expect(page.get_by_text("The model knows no word of this review")).to_be_visible()
    write(page, "good, im Kino")
    expect(page.locator("#summary")).to_contain_text("good")
    expect(page.get_by_text("The model knows no word of this review")).to_be_hidden()


LABELS = (
    "billing",
    "a label as long as a sentence, which has to be broken somewhere" + "!" * 60,
    "<b>spam</b>",
)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_any_labels(browser: Browser, tmp_path: Path, activation: str) -> None:
    """Of other labels than the example's the page speaks in general, shows each, and fits a phone."""
    store = tmp_path / "store"
    folder = publish(store, FIRST, labels=LABELS)
    finish(folder, labels=LABELS, activation=activation, data={"source": "synthetic"})
    promote(store, FIRST)
    with serving(store, tmp_path) as running:
        context = browser.new_context(viewport=PHONE, color_scheme="dark")
        page = context.new_page()
        page.goto(running.url)
        expect(page.get_by_role("heading", level=1)).to_have_text("Which label fits?")
        expect(page.locator(".lead")).to_contain_text("“billing”")
        expect(page.get_by_text("made-up data")).to_be_visible()
        assert page.get_by_role("group", name="Examples").count() == 0
        page.get_by_label("Your text").fill("awful")
        page.get_by_role("button", name="Read it").click()
        title = "Billing" if activation == "softmax" else "Billing, <b>spam</b>"
        expect(page.get_by_role("heading", level=2)).to_have_text(title)
        others = page.locator("#others li").all_text_contents()
        assert [each.rpartition(": ")[0] for each in others] == ["<b>spam</b>", LABELS[1].capitalize()]
        expect(page.locator("#summary")).to_contain_text("awful")
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
        context.close()


def test_made_up_data_is_no_secret(page: Page) -> None:
    """Only a model that learnt from made-up data is said to have."""
    expect(page.get_by_text("made-up data")).to_be_hidden()


def test_fits_the_screen(page: Page) -> None:
    """Nothing is cut off at the side, before or after a verdict, whatever is written."""
    sideways = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(sideways) == 0
    write(page, "wonderful" * 60 + " dull " + "http://example.org/" + "a" * 200)
    expect(page.locator("#summary")).not_to_be_empty()
    assert page.evaluate(sideways) == 0
    for button in page.get_by_role("button").all():
        box = button.bounding_box()
        assert box and box["height"] >= 44


def test_contrast(page: Page) -> None:
    """All text can be told from its ground (WCAG 2.2, 1.4.3)."""
    write(page, "A wonderful film, if a little dull, and good, and awful.")
    expect(page.locator("#summary")).not_to_be_empty()
    ratios = page.evaluate(LUMINANCE, ["h1, h2, h3, p, label, button, textarea, a, .word, .hint, .note"])
    assert len(ratios) > 15
    assert min(ratios) >= 4.5


def test_keyboard_alone(page: Page) -> None:
    """Everything can be reached and used without a pointer."""
    page.keyboard.press("Tab")
    expect(page.get_by_label("Your review")).to_be_focused()
    page.keyboard.type("awful")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("heading", name="Negative")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Read it")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Positive")).to_be_visible()


def test_nothing_written(page: Page) -> None:
    """An empty review is answered at once, next to the field, and told to a screen reader."""
    write(page, "   ")
    expect(page.get_by_role("alert")).to_have_text("Write a review first.")
    expect(page.get_by_label("Your review")).to_be_focused()
    expect(page.get_by_label("Your review")).to_have_attribute("aria-invalid", "true")
    page.keyboard.type("good")
    expect(page.get_by_role("alert")).to_be_hidden()


def test_markup_stays_text(page: Page) -> None:
    """What a user writes is never run."""
    text = "<img src=x onerror=alert(1)> <script>alert(1)</script> good"
    write(page, text)
    expect(page.locator("#summary")).not_to_be_empty()
    assert page.locator("#words").text_content() == text
    assert page.locator("#words img, #words script").count() == 0


def test_service_busy_or_gone(page: Page) -> None:
    """A busy service and a lost connection are told apart, and the page can be used again afterwards."""
    busy = {"code": "overloaded", "detail": "", "requestId": "r"}
    page.route("**/predict", lambda route: route.fulfill(status=503, json=busy))
    write(page, "good")
    expect(page.get_by_role("alert")).to_have_text("Many people are asking right now. Try again in a moment.")
    page.unroute("**/predict")
    page.context.set_offline(True)
    page.get_by_role("button", name="Read it").click()
    expect(page.get_by_role("alert")).to_contain_text("The service cannot be reached.")
    page.context.set_offline(False)
    page.get_by_role("button", name="Read it").click()
    expect(page.get_by_role("heading", name="Positive")).to_be_visible()
    expect(page.get_by_role("alert")).to_be_hidden()


def test_names_for_everything(page: Page) -> None:
    """The page has a language, one main heading, and a name for each control."""
    assert page.locator("html").get_attribute("lang") == "en"
    assert page.get_by_role("heading", level=1).count() == 1
    for control in page.locator("button, textarea, a").all():
        assert control.evaluate("(e) => e.innerText || e.labels?.[0]?.innerText")
