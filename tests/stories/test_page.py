"""The page of `serve` as a user meets it: files are dropped on it in a browser that reaches no other server.

With SREXP_PICTURES=FOLDER, the picture of the documentation is written there.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import time
from collections.abc import Iterator
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image

from srexp.data.degradation.degradations import reduced
from srexp.data.degradation.imresize import resize
from srexp.data.formats.registry import read_image
from srexp.enhance.serving.turns import Turns
from srexp.experiment.restoration.request_restoration import request_restoration
from srexp.experiment.restoration.request_score import request_score
from srexp.experiment.restoration.request_view import request_view
from tests.enhance.serving.served import answering
from tests.experiment.restoration.sharpening import sharpening

ROOT = Path(__file__).parent.parent.parent
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
AXE = ROOT / "build" / "axe" / "node_modules" / "axe-core" / "axe.min.js"
PIXELS, MOST = 10**7, 2**24
SIZES = [(390, 844), (900, 1000), (1600, 1000)]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (BROWSER and DRIVER), reason="no chromium with its driver here; .ci/run installs them"),
]


@pytest.fixture(scope="module")
def turns() -> Turns:
    return Turns(1)


@pytest.fixture(scope="module")
def port(turns: Turns) -> Iterator[int]:
    """A server of two models, of which one takes its time."""

    def slowly(batch):
        time.sleep(0.2)
        return batch

    models = {
        "sharpening": sharpening(2, on_tiles=turns.expect, taking=turns.taking(lambda batch: batch)),
        "slow": sharpening(3, name="slow", on_tiles=turns.expect, taking=turns.taking(slowly)),
    }
    looks = {
        "/restore": request_restoration(models, PIXELS),
        "/view": request_view(PIXELS),
        "/score": request_score(models, PIXELS),
    }
    served = [{"model": name, "scale": each.opened.scale, "intensity": "bits"} for name, each in models.items()]
    told = {"/models": {"models": served, "max_bytes": MOST, "max_pixels": PIXELS}}
    with answering(looks, told, turns=turns, max_bytes=MOST, spool_bytes=8 * MOST, image_seconds=600) as number:
        yield number


class Page:
    """The page in a browser."""

    def __init__(self, driver, downloads: Path) -> None:
        self.driver, self.downloads = driver, downloads

    def js(self, script: str, *given):
        return self.driver.execute_script(script, *given)

    def wait(self, condition: str, seconds: float = 240) -> None:
        until = time.monotonic() + seconds
        while not self.js(f"return Boolean({condition})"):
            assert time.monotonic() < until, (condition, self.js("return document.body.innerText"))
            time.sleep(0.1)

    def text(self, name: str) -> str:
        return self.js(f"return document.getElementById('{name}').textContent")

    def drop(self, name: str, path: Path) -> None:
        """Drop a file, as the browser does once it is over an element."""
        self.js("const i = document.createElement('input'); i.type = 'file'; i.id = 'carrier'; document.body.append(i)")
        self.driver.find_element("id", "carrier").send_keys(str(path))
        self.js(
            "const i = document.getElementById('carrier'), t = new DataTransfer(); t.items.add(i.files[0]); i.remove();"
            "document.getElementById(arguments[0]).dispatchEvent("
            "new DragEvent('drop', {dataTransfer: t, bubbles: true, cancelable: true}))",
            name,
        )

    def restored(self) -> str:
        self.wait("!document.getElementById('download-row').hidden || document.getElementById('error').textContent")
        assert self.text("error") == ""
        return self.text("status")

    def pixels(self) -> np.ndarray:
        """What the stage shows, (h, w, 4), once it is drawn."""
        self.driver.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
        url = self.js("return document.getElementById('canvas').toDataURL()")
        shown = self.downloads / "shown.png"
        shown.write_bytes(base64.b64decode(url.partition(",")[2]))
        with Image.open(shown) as image:
            return np.asarray(image.convert("RGBA")).astype(int)

    def set(self, name: str, value: object) -> None:
        self.js(
            "const e = document.getElementById(arguments[0]); e.value = arguments[1];"
            "for (const kind of ['input', 'change']) e.dispatchEvent(new Event(kind, {bubbles: true}))",
            name,
            value,
        )

    def looks(self, width: int, height: int, *, dark: bool) -> None:
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        scheme = {"features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", scheme)


@pytest.fixture
def page(port: int, tmp_path: Path) -> Iterator[Page]:
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for option in (
        *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1600,1000"),
        *("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", f"--user-data-dir={tmp_path / 'profile'}"),
    ):
        options.add_argument(option)
    options.add_experimental_option("prefs", {"download.default_directory": str(tmp_path)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    try:
        driver.get(f"http://127.0.0.1:{port}/")
        opened = Page(driver, tmp_path)
        opened.wait("document.getElementById('model').options.length")
        yield opened
        assert driver.get_log("browser") == []
        messages = [json.loads(each["message"])["message"] for each in driver.get_log("performance")]
        asked = {each["params"]["request"]["url"] for each in messages if each["method"] == "Network.requestWillBeSent"}
        own = (f"http://127.0.0.1:{port}/", "blob:", "data:", "chrome:")  # the last of its own empty page
        assert {url for url in asked if not url.startswith(own)} == set()
    finally:
        driver.quit()


@pytest.fixture
def scan(samples_dir: Path) -> Path:
    """A DICOM file of 12 bits, 64 x 64, with ten frames."""
    return samples_dir / "emri_small.dcm"


def test_a_scan_is_compared_windowed_measured_and_downloaded(page: Page, scan: Path, tmp_path: Path) -> None:
    page.drop("drop", scan)
    assert page.restored() == "64 x 64 pixels became 128 x 128, 12 bits."
    assert 0 < float(page.text("distance")) < 20
    assert 0 < float(page.text("worst-place")) < 50
    assert page.driver.find_element("id", "fidelity").is_displayed()
    assert "Not for diagnosis" in page.driver.find_element("css selector", "header").text
    before = page.pixels()

    page.set("slider", 90)
    moved = page.pixels()
    middle = slice(before.shape[1] // 2 + 20, int(0.88 * before.shape[1]))
    assert (moved[:, middle] != before[:, middle]).any()
    page.set("level", 4095)
    assert page.pixels()[..., :3].mean() < moved[..., :3].mean() / 2

    high = np.clip(resize(read_image(scan).to_float(), scale=2), 0, 1)
    Image.fromarray(np.round(high[..., 0] * 65535).astype(np.uint16)).save(tmp_path / "target.png")
    page.drop("target-drop", tmp_path / "target.png")
    page.wait("!document.getElementById('score').hidden || document.getElementById('error').textContent")
    cells = (
        "return [...document.querySelectorAll('#metrics tr')].map((row) => [...row.children].map((c) => c.textContent))"
    )
    psnr, ssim = page.js(cells)
    assert (psnr[0], ssim[0]) == ("PSNR dB", "SSIM")
    assert float(psnr[1]) < float(psnr[2])  # the target is what bicubic interpolation makes
    assert "Wang 2004" in page.text("protocol")
    grey = page.pixels()
    page.driver.find_element("css selector", "[value=error]").click()
    assert np.ptp(page.pixels()[..., :3], axis=-1).max() > 50 > np.ptp(grey[..., :3], axis=-1).max()

    page.driver.find_element("id", "download").click()
    file = tmp_path / "emri_small-frame1-x2.dcm"
    until = time.monotonic() + 60
    while not file.exists():
        assert time.monotonic() < until
        time.sleep(0.1)
    made = pydicom.dcmread(file)
    assert (made.Rows, made.Columns, made.BitsStored, made.ImageType[0]) == (128, 128, 12, "DERIVED")
    assert made.pixel_array.max() > 255


def test_frames_models_and_refusals(page: Page, scan: Path, tmp_path: Path) -> None:
    page.drop("drop", scan)
    page.restored()
    first = page.pixels()
    page.set("frame", 5)
    page.wait("document.getElementById('download-row').hidden")
    page.restored()
    assert (page.pixels() != first).any()
    assert page.js("return document.getElementById('download').download") == "emri_small-frame5-x2.dcm"

    page.set("model", "slow")
    page.wait("/Restoring: \\d of 3 tiles/.test(document.getElementById('step').textContent)")
    assert "192 x 192" in page.restored()

    (tmp_path / "notes.png").write_text("no image")
    (tmp_path / "large.png").write_bytes(bytes(MOST + 1))
    for name, said in (("notes.png", "the body is no image"), ("large.png", "at most 16.8 MB")):
        page.drop("drop", tmp_path / name)
        page.wait(f"document.getElementById('error').textContent.includes('{said}')")
    entries = page.driver.get_log("browser")  # which says of the refusal what the server answered
    assert [each["message"] for each in entries if "415" not in each["message"]] == []
    page.drop("drop", scan)
    page.restored()


def test_the_keyboard_is_enough(page: Page, scan: Path) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    page.driver.find_element("id", "file").send_keys(str(scan))
    page.restored()
    reached, active = set(), "return document.activeElement.id || document.activeElement.name"
    for _ in range(25):
        ActionChains(page.driver).send_keys(Keys.TAB).perform()
        reached.add(page.js(active))
    controls = {
        "file",
        "model",
        "download",
        "view",
        "zoom-in",
        "zoom-out",
        "fit",
        "actual",
        "canvas",
        "slider",
        "level",
    }
    assert controls <= reached

    canvas = page.driver.find_element("id", "canvas")
    seen = [page.pixels()]
    for key in ("+", Keys.ARROW_LEFT, ".", "0"):
        canvas.send_keys(key)
        seen.append(page.pixels())
    assert all((one != other).any() for one, other in pairwise(seen))


def test_it_fits_every_screen_and_assistive_technology(page: Page, samples_dir: Path, tmp_path: Path) -> None:
    slice_ = read_image(samples_dir / "MR-SIEMENS-DICOM-WithOverlays.dcm").to_float()
    low = np.clip(reduced(slice_, 2), 0, 1)
    Image.fromarray(np.round(low[..., 0] * 65535).astype(np.uint16)).save(tmp_path / "low.png")
    page.drop("drop", tmp_path / "low.png")
    page.restored()
    found = {}
    for (width, height), dark in product(SIZES, (True, False)):
        page.looks(width, height, dark=dark)
        page.pixels()
        assert page.js("return document.documentElement.scrollWidth") <= width
        page.js("scrollTo(0, 1e6)")
        assert page.js("return document.querySelector('.warning').getBoundingClientRect().top") >= 0
        if AXE.is_file():
            page.js(AXE.read_text())
            run = "axe.run().then((found) => arguments[0](found.violations), arguments[0])"
            found[width, dark] = page.driver.execute_async_script(run)
    if folder := os.environ.get("SREXP_PICTURES"):
        page.driver.save_screenshot(str(Path(folder) / "serve_page.png"))
    assert not any(found.values()), found
    if not found:
        pytest.skip("no axe-core in build/axe, without which contrast, names and roles are not looked at: see .ci/run")
