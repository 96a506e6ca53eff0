"""The page in a headless Chromium, which is driven through chromedriver's HTTP interface."""

import json
import re
import shutil
import subprocess
import urllib.request

import pytest

from weft.report.drawing import save_figure
from weft.report.figures import FIGURES
from weft.report.first_screen import first_figure
from weft.report.outputs import list_figures
from weft.report.page import EMBEDDED_FORMAT, render_page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
]
PHONE, SCREEN = (390, 844), (1440, 900)
SMALLEST_LETTERS = 7 / 72
"""Height of the smallest letters in a figure, in inches."""

pytestmark = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None, reason="chromium and chromedriver are not installed"
)


class Browser:
    """A session of chromedriver."""

    def __init__(self, port, profile):
        self.root = f"http://127.0.0.1:{port}/session"
        arguments = [*ARGUMENTS, f"--user-data-dir={profile}"]
        options = {
            "goog:chromeOptions": {"binary": CHROMIUM, "args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
        }
        session = self._post("", {"capabilities": {"alwaysMatch": options}})["sessionId"]
        self.root += f"/{session}"

    def open(self, path, size):
        """Load a page on a screen of a size in pixels."""
        metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": False}
        self.devtools("Emulation.setDeviceMetricsOverride", **metrics)
        self._post("/url", {"url": path.as_uri()})

    def run(self, script):
        """Return the value of an expression of JavaScript."""
        return self._post("/execute/sync", {"script": f"return {script}", "args": []})

    def box(self, selector):
        """Return position and size of the first element that a selector matches."""
        return self.run(f"document.querySelector({selector!r}).getBoundingClientRect().toJSON()")

    def messages(self):
        """Return the messages in the console since the last call."""
        return [entry["message"] for entry in self._post("/se/log", {"type": "browser"})]

    def devtools(self, command, **values):
        """Send a command of the DevTools protocol."""
        return self._post("/goog/cdp/execute", {"cmd": command, "params": values})

    def close(self):
        self._open(urllib.request.Request(self.root, method="DELETE"))

    def _post(self, place, content):
        return self._open(urllib.request.Request(self.root + place, json.dumps(content).encode()))

    @staticmethod
    def _open(request):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=120) as response:
            return json.load(response)["value"]


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with subprocess.Popen([DRIVER, "--port=0"], stdout=subprocess.PIPE, text=True) as process:
        try:
            port = next(found[1] for line in process.stdout if (found := re.search(r"on port (\d+)\.", line)))
            session = Browser(port, tmp_path_factory.mktemp("profile"))
            yield session
            session.close()
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def write_page(tmp_path_factory):
    """Write the page of an experiment, with its first figure in place of all figures."""

    def write(experiment, results, tables):
        folder = tmp_path_factory.mktemp("page")
        names = list_figures(experiment)
        save_figure(FIGURES[first_figure(names)](experiment, results), folder / "first")
        image = (folder / f"first.{EMBEDDED_FORMAT}").read_bytes()
        page = folder / "index.html"
        page.write_text(
            render_page(experiment, results, tables, dict.fromkeys(names, image)), encoding="utf-8"
        )
        return page

    return write


@pytest.fixture(scope="module")
def pages(write_page, small, several, three_sets, published):
    return [write_page(*results) for results in (small, several, three_sets, published)]


@pytest.mark.parametrize("size", [PHONE, SCREEN])
def test_the_page_is_as_wide_as_the_screen_and_the_console_is_empty(browser, pages, size):
    for page in pages:
        browser.open(page, size)
        assert browser.run("document.documentElement.scrollWidth") == size[0]
        assert browser.messages() == []


def test_the_first_screen_has_sentence_figure_and_table(browser, pages):
    for page in pages[:3]:
        browser.open(page, SCREEN)
        for selector in (".verdict", ".first figure img", ".first table"):
            box = browser.box(selector)
            assert box["width"] > 100
            assert 0 < box["top"] < box["bottom"] <= SCREEN[1], selector


def test_no_table_is_cut_on_a_large_screen(browser, pages):
    boxes = "[...document.querySelectorAll('.scroll')].filter(box => box.querySelector('table'))"
    for page in pages:
        browser.open(page, SCREEN)
        browser.run("document.querySelectorAll('details').forEach(box => box.open = true)")
        cut = browser.run(
            f"{boxes}.filter(box => box.scrollWidth > box.clientWidth).map(box => box.ariaLabel)"
        )
        assert cut == []


def test_letters_in_figures_are_legible_on_a_phone(browser, several, pages):
    experiment = several[0]
    browser.open(pages[1], PHONE)
    widths = browser.run(
        "[...document.querySelectorAll('figure img')].map(box => [box.width, box.naturalWidth])"
    )
    assert len(widths) == len(list_figures(experiment))
    dots_per_inch = {"png": 150, "svg": 96}[EMBEDDED_FORMAT]
    for shown, natural in widths:
        assert shown / (natural / dots_per_inch) * SMALLEST_LETTERS >= 10


def test_figures_are_dark_on_a_dark_page(browser, pages):
    browser.open(pages[0], SCREEN)
    style = "getComputedStyle(document.querySelector('figure img')).filter"
    assert browser.run(style) == "none"
    dark = {"name": "prefers-color-scheme", "value": "dark"}
    browser.devtools("Emulation.setEmulatedMedia", features=[dark])
    assert browser.run(style).startswith("invert(")
    browser.devtools("Emulation.setEmulatedMedia", media="print", features=[dark])
    assert browser.run(style) == "none"
    assert browser.run("getComputedStyle(document.querySelector('nav')).display") == "none"
    browser.devtools("Emulation.setEmulatedMedia", media="", features=[])


def test_the_keyboard_reaches_the_result_first(browser, pages):
    browser.open(pages[0], SCREEN)
    key = {"key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9}
    browser.devtools("Input.dispatchKeyEvent", type="rawKeyDown", **key)
    assert browser.run("document.activeElement.hash") == "#result"
    assert browser.box(".skip")["left"] == 0
