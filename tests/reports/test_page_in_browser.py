"""The report in a real browser: the case browser works by mouse and keyboard, offline, wide and narrow."""

import json
import shutil

import pytest

from passion_monai.reports.page.writing import write_report
from passion_monai.reports.run_folders import find_runs
from tests.reports.make_runs import make_run

pytestmark = pytest.mark.slow
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-dev-shm-usage",
]
FLAGS += ["--disable-component-update", "--disable-sync"]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for method, gain in (("baseline", 0.0), ("passion", 0.05)):
        make_run(folder / method, method, gain=gain)
    return write_report(find_runs([folder]), folder / "report.html").as_uri()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        pytest.skip("needs chromium and chromedriver (Debian: chromium, chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in [*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    started = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield started
    started.quit()


def resize(browser, width):
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def pixels(browser, canvas):
    """Everything that a canvas shows, as text."""
    return browser.execute_script("return document.getElementById(arguments[0]).toDataURL()", canvas)


def choose(browser, select, value):
    script = (
        "const s = document.getElementById(arguments[0]); s.value = arguments[1]; s.dispatchEvent(new Event('change'))"
    )
    browser.execute_script(script, select, value)


def test_the_case_browser(browser, page):
    resize(browser, 1400)
    browser.get(page)
    element = browser.find_element
    assert element("id", "case-browser").is_displayed()
    assert "slice 5 of 9" in element("id", "prediction").get_attribute("aria-label")
    assert element("id", "scores").text.startswith("Dice of the whole case [%]: WT ")
    before = pixels(browser, "prediction")
    choose(browser, "subset", "t1ce+t2")
    assert pixels(browser, "prediction") != before
    assert "from t1ce + t2" in element("id", "prediction-name").text
    pressed = browser.find_elements("css selector", "#thumbs button[aria-pressed=true]")
    assert [button.get_attribute("data-subset") for button in pressed] == ["t1ce+t2"]
    assert not element("id", "error-legend").is_displayed()
    choose(browser, "mode", "errors")
    assert element("id", "error-legend").is_displayed()
    element("css selector", "#thumbs button[data-subset=flair]").click()
    assert element("id", "subset").get_property("value") == "flair"
    reference = pixels(browser, "reference")
    choose(browser, "case", "1")
    assert pixels(browser, "reference") != reference
    assert json.loads(element("id", "case-data").get_property("textContent"))["cases"][1]["case"] in element(
        "id", "reference"
    ).get_attribute("aria-label")


def test_by_keyboard(browser, page):
    from selenium.webdriver.common.keys import Keys

    browser.get(page)
    slider, shown = browser.find_element("id", "slice"), pixels(browser, "image")
    slider.send_keys(Keys.ARROW_RIGHT)
    assert pixels(browser, "image") != shown
    assert "slice 6 of 9" in slider.get_attribute("aria-valuetext")
    browser.find_element("css selector", "button.show-case[data-case=case_1][data-run=passion]").send_keys(Keys.ENTER)
    assert browser.find_element("id", "run").get_property("value") == "passion"
    assert "case_1" in browser.find_element("id", "reference").get_attribute("aria-label")
    assert browser.switch_to.active_element.get_attribute("id") == "case"


def test_images_are_painted(browser, page):
    browser.get(page)
    script = """const c = document.getElementById(arguments[0]);
        return [...new Set(c.getContext('2d').getImageData(0, 0, c.width, c.height).data)].length"""
    assert browser.execute_script(script, "image") > 20
    sizes = browser.execute_script("return [...document.querySelectorAll('.plot img')].map((i) => i.naturalWidth)")
    assert len(sizes) >= 6
    assert min(sizes) > 100


@pytest.mark.parametrize("width", [390, 1400])
def test_nothing_runs_over_the_edge(browser, page, width):
    resize(browser, width)
    browser.get(page)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width


def test_dark_and_light(browser, page):
    found = []
    for scheme in ("light", "dark"):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        browser.get(page)
        found.append(browser.execute_script("return getComputedStyle(document.body).backgroundColor"))
    assert found == ["rgb(255, 255, 255)", "rgb(21, 23, 26)"]


def test_print_is_light_in_a_dark_browser(browser, page):
    features = [{"name": "prefers-color-scheme", "value": "dark"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print", "features": features})
    browser.get(page)
    shade = browser.execute_script("return getComputedStyle(document.querySelector('thead th')).backgroundColor")
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
    assert shade == "rgb(244, 246, 248)"


def test_no_error_and_no_network(browser, page):
    browser.get_log("browser"), browser.get_log("performance")
    browser.get(page)
    assert browser.get_log("browser") == []
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    sent = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    assert page in sent
    assert [url[:80] for url in sent if not url.startswith(("data:", page))] == []
