"""The page clicked through in a headless Chromium, at a desktop's and a phone's width.

axe-core looks for what keeps people out at each step, and one step goes by keys alone.

RECURRA_SCREENSHOTS=FOLDER keeps what was seen.
"""

import os
import shutil
from pathlib import Path

import answer_models
import pytest
import served_models

pytest.importorskip("gradio")
sync_api = pytest.importorskip("playwright.sync_api")
axe = pytest.importorskip("axe_playwright_python.sync_playwright")

from recurra.apps.answers.pages import make_pages  # noqa: E402

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
if CHROMIUM is None:
    pytest.skip("no Chromium is installed", allow_module_level=True)

SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
MILLISECONDS = 60_000
# Of WCAG 2.1, levels A and AA.
AXE_RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}


@pytest.fixture(scope="module")
def url(serving, tmp_path_factory):
    folder = tmp_path_factory.mktemp("browsed")
    answer_models.write_labels(folder / "labels" / "1")
    answer_models.write_forecast(folder / "forecast" / "1")
    answer_models.write_text(folder / "text" / "1")
    answer_models.write_continuation(folder / "stories" / "1")
    served_models.write_kinds(folder / "kinds" / "1")
    with serving(folder, make_pages, ui=True) as running:
        yield running.url


@pytest.fixture(scope="module")
def chromium():
    with sync_api.sync_playwright() as playwright:
        # Sandboxes within containers are not allowed.
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"]
        )
        yield browser
        browser.close()


class Tab:
    """The page in a browser."""

    def __init__(self, browser, url, size, screenshots):
        width, height = SIZES[size]
        self.page = browser.new_page(viewport={"width": width, "height": height})
        self.page.set_default_timeout(MILLISECONDS)
        self.asked, self.failures = set(), []
        self.violations = {}
        self.page.on("request", lambda request: self.asked.add(request.url))
        self.page.on("pageerror", lambda error: self.failures.append(str(error)))
        self._screenshots = screenshots
        self._size = size
        self.page.goto(f"{url}/ui/?model=labels")

    def choose(self, label, option):
        self.page.get_by_label(label).click()
        self.page.get_by_role("option", name=option).click()

    def press(self, button):
        self.page.get_by_role("button", name=button, exact=True).click()

    def go_to(self, button):
        """Moves the focus there by the keyboard."""
        for _ in range(10):
            self.page.keyboard.press("Tab")
            focused = self.page.evaluate("document.activeElement.innerText")
            if (focused or "").strip() == button:
                return
        raise AssertionError(f"no way to {button} by the keyboard")

    def see(self, selector, text, name):
        """Waits for what is to be seen, and keeps a picture of it."""
        self.page.locator(selector).filter(has_text=text).first.wait_for()
        wide = self.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= SIZES[self._size][0], f"{name}: the page is scrolled sideways"
        path = self._screenshots / f"{self._size}-{name}.png"
        self.page.screenshot(path=path, full_page=True)
        found = axe.Axe().run(self.page, options=AXE_RULES).response["violations"]
        for violation in found:
            nodes = [node["html"][:200] for node in violation["nodes"]]
            self.violations[f"{name}: {violation['id']}"] = nodes


@pytest.mark.parametrize("size", SIZES)
def test_each_kind_of_answer_is_clicked_through(chromium, url, size, tmp_path):
    screenshots = Path(os.environ.get("RECURRA_SCREENSHOTS", tmp_path))
    screenshots.mkdir(parents=True, exist_ok=True)
    tab = Tab(chromium, url, size, screenshots)
    page = tab.page

    tab.press("Classify")
    tab.see(".answer", "good with a calibrated confidence of 75.0 %", "labels")
    assert page.locator(".tokens mark").all_inner_texts() == ["a", "good", "one"]
    page.get_by_label("Text", exact=True).fill(" ")
    tab.press("Classify")
    tab.see(".refusal", "Write a text first.", "no-text")

    page.get_by_label("Text", exact=True).focus()
    page.keyboard.press("Control+A")
    page.keyboard.type("a good one")
    tab.go_to("Classify")
    page.keyboard.press("Enter")
    tab.see(".answer", "good with a calibrated confidence of 75.0 %", "by-keys")

    tab.choose("Model", "forecast")
    tab.press("Use the sample")
    tab.see(".answer", "From 2020-06-30 12:00", "forecast")
    assert page.locator(".panels img").count() == 1
    with page.expect_download() as download:
        page.get_by_text("Download the forecast").click()
    assert Path(download.value.path()).read_text().startswith("station,time,")
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("time,T (degC)\n2020-01-01 00:00,3\n2020-01-01 01:00,3\n")
    page.locator("input[type=file]").set_input_files(wrong)
    page.locator(".file-preview").filter(has_text="wrong").wait_for()
    tab.press("Forecast")
    tab.see(
        ".refusal", "wrong.csv: the model needs the columns rain (mm)", "wrong-file"
    )

    tab.choose("Model", "text")
    page.get_by_label("Text", exact=True).fill(" ".join(["a dog runs"] * 12))
    tab.press("Answer")
    tab.see(".ranked", "A DOG RUNS!!", "text")
    drawn = page.locator("img[alt^=Attention]").bounding_box()
    assert drawn["x"] >= 0
    assert drawn["x"] + drawn["width"] <= SIZES[size][0]

    tab.choose("Model", "stories")
    tab.see(".note", "____ in the text is a word to be found", "stories")
    page.get_by_label("Text", exact=True).fill("The ____ man counts:")
    page.get_by_label("Seed").fill("-2000000000")
    tab.press("Write")
    # More than anybody waits for, until it is stopped.
    tab.see(".written", "-1999999990", "written")
    tab.press("Stop")
    tab.press("Fill in the blanks")
    tab.see(".bar.chosen", "old", "filled")
    assert page.locator(".written mark").all_inner_texts() == ["old"]

    tab.choose("Model", "kinds")
    tab.press("Run")
    tab.see(".cm-content", '"y": [[0.0, 0.0]]', "form")
    page.get_by_label("x: float32 [-1,2]").fill("[1, oops")
    tab.press("Run")
    tab.see(".refusal", "x: this is not JSON", "wrong-json")
    tab.choose("Signature", "several")
    page.get_by_label("tag: string [-1]").wait_for()

    assert not tab.failures
    assert not tab.violations
    elsewhere = {each for each in tab.asked if not each.startswith((url, "data:"))}
    assert not elsewhere
    page.close()
