"""The MLflow UI as a user meets it: opened by the link that `ui` prints, looked at in a browser."""

from __future__ import annotations

import re
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
import requests

from tests.warm_start import Command

TASK = "samples-bicubic-x2"
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
pytestmark = [
    pytest.mark.system,
    pytest.mark.slow,
    pytest.mark.skipif(not (BROWSER and DRIVER), reason="no chromium with its driver here; .ci/run installs them"),
]


@pytest.fixture
def search(project) -> dict[str, str]:
    """A search's parent and two trials: name to run id; the last trial has a picture and a registered version."""
    from srexp.tracking.runs.tracking import Tracking

    tracking = Tracking(folder=project.root / "mlruns", system_metrics=False)
    ids = {}
    with tracking.run(TASK, name="search tiny") as parent:
        ids["search tiny"] = parent.id
        for number in range(2):
            with tracking.run(TASK, name=f"tiny {number}", parent=parent.id) as trial:
                ids[f"tiny {number}"] = trial.id
                for epoch in (1, 2, 3):
                    trial.log_metrics({"val_psnr": 30.0 + number - 1 / epoch}, step=epoch)
                if number:
                    trial.log_image(np.full((48, 64), 128, np.uint8), key="test/first", step=3)
        client = project.client()
        client.create_registered_model(TASK)
        client.create_model_version(TASK, f"{client.get_run(trial.id).info.artifact_uri}/model", trial.id)
    return ids


@pytest.fixture
def address(project, search) -> Iterator[str]:
    """The link that `ui` prints, once the server answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (project.root / "ui.log").open("wb") as log:
        served = project.start("ui", f"port={port}", cold=True, stdout=log, stderr=log)
    try:
        yield _printed(served, project.root / "ui.log", f"http://127.0.0.1:{port}")
    finally:
        started = psutil.Process(served.pid).children(recursive=True)
        served.terminate()
        served.wait(30)
        _, left = psutil.wait_procs(started, timeout=5)
        for each in left:
            each.kill()
    assert left == []


def _printed(served: Command, log: Path, server: str) -> str:
    until = time.monotonic() + 120
    while time.monotonic() < until and served.poll() is None:
        try:
            if requests.get(f"{server}/health", timeout=5).ok:
                return re.search(r"http://\S+", log.read_text())[0]
        except requests.ConnectionError:
            time.sleep(0.3)
    pytest.fail(f"the UI does not answer:\n{log.read_text()}")


@pytest.fixture
def browser(tmp_path) -> Iterator:
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    quiet = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1600,1000"]
    offline = ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", f"--user-data-dir={tmp_path / 'profile'}"]
    for option in (*quiet, *offline):
        options.add_argument(option)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    try:
        yield driver
    finally:
        driver.quit()


def test_a_search_is_found_with_its_trials_curves_pictures_and_models(browser, address, search, tmp_path) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    def wait(found):
        return WebDriverWait(browser, 60).until(found)

    def shown(selector: str):
        return wait(lambda _: next((one for one in browser.find_elements(By.CSS_SELECTOR, selector) if one.text), None))

    def run_link(name: str):
        return shown(f"a[href$='/runs/{search[name]}']")

    server = address.partition("/#/")[0]
    browser.get(address)
    parent = run_link("search tiny")
    # MLflow's assistant would take a third of the page, and run programs for whoever asks.
    assert not [each for each in browser.find_elements(By.CSS_SELECTOR, "[data-assistant-ui]") if each.is_displayed()]
    assert requests.get(f"{server}/ajax-api/3.0/mlflow/assistant/config", timeout=30).status_code == 404
    for each in browser.find_elements(By.CSS_SELECTOR, "[aria-label=Close]"):
        # What says that the columns are those of a view.
        browser.execute_script("arguments[0].click()", each)
    assert not browser.find_elements(By.CSS_SELECTOR, f"a[href$='/runs/{search['tiny 0']}']")
    cell = run_link("search tiny").find_element(By.XPATH, "ancestor::*[@role='gridcell']")
    cell.find_element(By.TAG_NAME, "button").click()
    trials = [run_link(name) for name in ("tiny 0", "tiny 1")]
    browser.save_screenshot(str(tmp_path / "runs.png"))
    assert [trial.text for trial in trials] == ["tiny 0", "tiny 1"]
    assert all(trial.location["x"] > parent.location["x"] for trial in trials)

    browser.get(f"{server}/#/experiments/1/runs/{search['tiny 1']}/model-metrics")
    curve = wait(lambda _: browser.find_elements(By.CSS_SELECTOR, "path.js-line"))
    assert curve[0].get_attribute("d").count("L") == 2  # three epochs
    picture = wait(lambda _: browser.find_elements(By.CSS_SELECTOR, "img[src*='images%2Ftest~first%2Bstep%2B3']"))
    wait(lambda _: picture[0].get_property("naturalWidth"))
    step = browser.find_elements(By.CSS_SELECTOR, "input[value='3']")
    browser.save_screenshot(str(tmp_path / "metrics.png"))
    assert step

    browser.get(f"{server}/#/models/{TASK}")
    version = shown(f"a[href$='/models/{TASK}/versions/1']")
    browser.save_screenshot(str(tmp_path / "model.png"))
    assert version.text == "Version 1"
