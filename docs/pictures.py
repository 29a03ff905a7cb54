"""`make pictures`: takes the pictures of README and the tutorial anew, of runs on the embedded images alone.

What was trained before is not trained again: the runs lie in build/pictures. A headless Chromium with its driver draws
the report. The curves of docs/results/ are those of the runs that stand beside them, and aren't taken here.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PICTURES, RUNS = ROOT / "docs" / "pictures", ROOT / "build" / "pictures"
#: As wide as the page with its list of contents beside four pictures, and high enough for a whole image's.
WINDOW = "1220,2400"
#: The selector of each picture of the report; what is taken stands off its edges.
PARTS = {"report_scores": ".wide:has([aria-label=Scores])", "report_panels": ".card"}
MARGIN = "document.head.insertAdjacentHTML('beforeend', '<style>.wide, .card { padding: 14px }</style>')"


def take() -> None:
    """Train as `make run` and the tutorial do, compare, and keep what is shown of it."""
    first, tutorial = RUNS / "start", RUNS / "tutorial"
    _srexp("-m", "model=srcnn", f"paths.root={first}")
    (panel,) = first.glob("artifacts/*/artifacts/panels/01.png")
    shutil.copyfile(panel, PICTURES / "panel.png")
    _srexp("-m", "model=srcnn,hybrid", "trainer.epochs=2", f"paths.root={tutorial}")
    _srexp("compare", f"paths.root={tutorial}", f"hydra.run.dir={RUNS}")
    _photograph(RUNS / "report.html")


def _srexp(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "srexp", *words], check=True, cwd=ROOT)


def _photograph(page: Path) -> None:
    """Take the pictures of the report."""
    from selenium import webdriver
    from selenium.webdriver.common.by import By

    options = webdriver.ChromeOptions()
    for option in ("--headless=new", "--no-sandbox", "--hide-scrollbars", f"--window-size={WINDOW}"):
        options.add_argument(option)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        driver.get(page.as_uri())
        driver.execute_script(MARGIN)
        for name, selector in PARTS.items():
            driver.find_element(By.CSS_SELECTOR, selector).screenshot(str(PICTURES / f"{name}.png"))
    finally:
        driver.quit()


if __name__ == "__main__":
    take()
