"""The page: everything in it, nothing from outside, and names that are text whatever they hold."""

import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from srexp.evaluation.comparison.elsewhere import Elsewhere, Gain
from srexp.evaluation.comparison.report import Report, render
from srexp.evaluation.comparison.standings import BASELINE, Contender, standings
from srexp.evaluation.figures.image_cards import Picture, card, scale_bar
from srexp.metrics.table import METRICS
from srexp.types import Sample

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

NASTY = "<script>alert('x')</script> \"><img src=x onerror=alert(1)> {{ 7*7 }} &amp; é 肺.png"


class Reader(HTMLParser):
    """Collects elements and text, and whether elements are closed in order."""

    VOID = frozenset({"meta", "link", "img", "br", "input"})

    def __init__(self):
        super().__init__()
        self.elements, self.open, self.text, self.crossed = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.crossed.append(tag)

    def handle_data(self, data):
        self.text.append(data)


def report_of(name, key):
    found = standings(
        [key, "b.png"],
        [
            Contender(name=name, values={"psnr": [31.0, 33.0], "ssim": [0.91, 0.93], "mae": [1.0, 2.0]}),
            Contender(name=BASELINE, values={"psnr": [30.0, 31.0], "ssim": [0.9, 0.9], "mae": [1.5, 2.5]}),
        ],
    )
    high = np.random.default_rng(0).random((40, 40, 1), dtype=np.float32)
    sample = Sample(key, "secret patient", 8, high[::2, ::2], high)
    restored = {BASELINE: high * 0.9, name: high * 0.95}
    made = card(sample, restored, {BASELINE: 30.0, name: 31.0}, scale=2, max_grey_levels=8)
    return Report(
        title=name,
        subtitle=name,
        found=found,
        elsewhere=[Elsewhere(name, 6, "whole", {name: Gain(0.5, (0.1, 0.9), 2)})],
        notes=[name],
        alarms=[name],
        hues={name: "#c2410c", BASELINE: "#7a7a7a"},
        drawings={kind: Picture("data:,", 10, 10, name) for kind in ("gains", "times", "curves", "quality")},
        cards=[made],
        scale_bar=scale_bar(8.0),
        max_grey_levels=8.0,
        card_notes=[name],
        findings={name: [], "some": [name]},
        protocol={name: name},
        models=[name],
        differences={name: [name]},
        data={name: name},
        origins={name: [name]},
        made=name,
    )


@pytest.fixture
def page():
    reader = Reader()
    reader.feed(render(report_of(NASTY, NASTY)))
    return reader


def test_names_stay_text(page):
    assert not {"script", "iframe", "object", "form"} & {tag for tag, _ in page.elements}
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert {attributes["src"].partition(":")[0] for tag, attributes in page.elements if tag == "img"} == {"data"}
    assert sum(NASTY in text for text in page.text) > 20
    assert "49" not in {text.strip() for text in page.text}
    assert any(NASTY in attributes["alt"] for tag, attributes in page.elements if tag == "img")


def test_the_page_is_well_formed(page):
    assert page.crossed == []
    assert page.open == []
    identifiers = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    links = [attributes["href"] for tag, attributes in page.elements if tag == "a"]
    assert len(set(identifiers)) == len(identifiers)
    assert [link.removeprefix("#") for link in links] == identifiers  # the contents name every section, in its order


def test_the_page_needs_nothing_else(page):
    addresses = [
        value for tag, attributes in page.elements for name, value in attributes.items() if name in ("src", "href")
    ]
    assert all(address.startswith(("data:", "#")) for address in addresses)
    style = "".join(page.text)
    assert not re.search(r"https?://|@import|url\(", style)


def test_pictures_are_described_and_sized(page):
    for tag, attributes in page.elements:
        if tag == "img":
            assert attributes["alt"]
            assert int(attributes["width"]) > 0 < int(attributes["height"])


def test_no_patient_is_named(page):
    assert "secret" not in "".join(page.text)


def test_what_is_missing_has_no_section():
    import dataclasses

    quick = [Contender(name=name, values={"psnr": [31.0], "ssim": [0.9]}) for name in ("srcnn", BASELINE)]
    bare = dataclasses.replace(
        report_of("srcnn", "a.png"), found=standings(["a.png"], quick), drawings={}, cards=[], card_notes=[],
        findings={}, differences={}, alarms=[],
    )  # fmt: skip
    text = render(bare)
    assert "Further metrics" not in text
    for section in ("gains", "images", "times", "curves", "quality"):
        assert f'id="{section}"' not in text
        assert f'href="#{section}"' not in text
    assert "found nothing" in text
    assert 'role="alert"' not in text


def test_the_slider_and_large_pictures_need_no_script(page):
    inputs = [attributes for tag, attributes in page.elements if tag == "input"]
    stops = [each for each in inputs if each["type"] == "radio"]
    assert {each["name"] for each in stops} == {"slider-1"}
    assert sum("checked" in each for each in stops) == 1
    assert all(each["aria-label"] for each in inputs)
    style = render(report_of("srcnn", "a.png")).partition("</style>")[0]
    assert f"input:nth-of-type({len(stops)}):checked" in style
    assert f"input:nth-of-type({len(stops) + 1})" not in style
    large = [each for each in inputs if each["type"] == "checkbox"]
    assert len(large) == len([tag for tag, _ in page.elements if tag == "figure"]) - 1  # all but the scale of the maps


def test_the_best_values_are_bold():
    text = render(report_of("srcnn", "a.png"))
    assert "<strong>32.00</strong>" in text
    assert "<strong>30.50</strong>" not in text
    assert "<strong>1.500</strong>" in text  # the mean error, of which less is better


@pytest.mark.skipif(BROWSER is None, reason="no chromium on this machine; .ci/run installs it")
def test_all_metrics_are_in_sight_at_1400_pixels(tmp_path):
    """Where a table is wider than the page, its last columns are found by who scrolls."""
    values = {name: [54.1234, 64.1234] for name in METRICS if name != "lpips"}
    rows = [Contender(name=name, values=values) for name in ("srcnn", BASELINE)]
    page = tmp_path / "report.html"
    measure = "[...document.querySelectorAll('.wide')].map(each => each.scrollWidth - each.clientWidth)"
    report = replace(report_of("srcnn", "a.png"), found=standings(["a.png", "b.png"], rows))
    told = render(report).replace("default-src 'none'", "script-src 'unsafe-inline'")
    page.write_text(f"{told}<script>document.title = 'hidden ' + {measure}</script>", encoding="utf-8")
    command = [BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1400,1000", "--dump-dom"]
    done = subprocess.run([*command, page.as_uri()], capture_output=True, text=True, timeout=60, check=True)
    hidden = re.search(r"<title>hidden ([\d,]+)</title>", done.stdout)[1].split(",")
    assert len(hidden) >= 4
    assert set(hidden) == {"0"}
