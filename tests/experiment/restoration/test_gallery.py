"""The page of a folder: every image beside its result, small, without scripts, and names only where links need them."""

from __future__ import annotations

import os
import re
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote

import numpy as np
import pytest
import tifffile
from PIL import Image

from srexp.evaluation.figures.image_cards import thumbnail
from srexp.experiment.restoration import gallery
from srexp.experiment.restoration.folder_enhancement import FolderEnhancement
from srexp.experiment.restoration.gallery import FEW, LARGE, MOST, SMALL, write_gallery
from srexp.experiment.restoration.jobs import find_jobs
from srexp.system.masking.pseudonyms import pseudonym

NASTY = "javascript:alert(1) <script>&é'\".png"


class Reader(HTMLParser):
    """Collects links, pictures and text."""

    def __init__(self, page):
        super().__init__()
        self.links, self.pictures, self.tags, self.text = [], [], set(), ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag == "a":
            self.links.append(dict(attrs)["href"])
        if tag == "img":
            self.pictures.append(dict(attrs))

    def handle_data(self, data):
        self.text += data


@pytest.fixture
def asked(tmp_path):
    (tmp_path / "in" / "deep").mkdir(parents=True)
    image = np.arange(96, dtype=np.uint8).reshape(8, 12)
    for name in ("patient7.png", f"deep/{NASTY}"):
        Image.fromarray(image).save(tmp_path / "in" / name)
    tifffile.imwrite(tmp_path / "in" / "stack.tif", np.stack([image] * 3), photometric="minisblack")
    (tmp_path / "in" / "broken.png").write_text("no image")
    return SimpleNamespace(
        input=str(tmp_path / "in"),
        output=tmp_path / "out",
        format="same",
        overwrite=False,
        compare=False,
        spread=False,
        check=True,
        check_levels=1.0,
        check_percent=6.0,
        intensity=None,
        names=False,
        self_ensemble=False,
    )


def made(asked, identity):
    jobs, outcome = find_jobs(asked)
    enhancement = FolderEnhancement(asked, identity)
    enhancement.run(jobs, outcome, lambda *_: None)
    page, warning = write_gallery(asked, jobs, outcome, enhancement.manifest)
    return page and page.read_text(), warning


def test_every_image_stands_beside_its_result(asked, identity):
    page, warning = made(asked, identity)
    assert warning == ""
    read = Reader(page)
    assert len(read.pictures) == 6
    assert all(each["src"].startswith("data:image/webp;base64,") and each["alt"] for each in read.pictures)
    assert "input, 8 x 12" in read.text
    assert "restored, 16 x 24" in read.text
    assert re.search(r"grey levels from the input, \d+\.\d % at the worst place", read.text)
    assert not {"script", "iframe", "object", "form"} & read.tags
    assert not re.search(r"https?://|@import|url\(", page)


def test_links_lead_to_the_files(asked, identity):
    page, _ = made(asked, identity)
    links = Reader(page).links
    assert len(links) == 6
    assert all((asked.output / unquote(link)).is_file() for link in links)
    assert not any(":" in link for link in links)


@pytest.mark.parametrize("names", [False, True])
def test_names_are_shown_only_where_that_was_asked(asked, identity, names):
    asked.names = names
    page, _ = made(asked, identity)
    read = Reader(page)
    shown = read.text + " ".join(each["alt"] for each in read.pictures)
    for name in ("patient7.png", f"deep/{NASTY}", "broken.png"):
        assert (name in shown) == names
        assert (pseudonym(name) in shown) != names


def test_files_of_an_earlier_run_are_shown_as_well(asked, identity):
    first, _ = made(asked, identity)
    again, _ = made(asked, identity)
    assert again == first


def test_no_more_people_may_read_the_page_than_the_images(asked, identity):
    Path(asked.input, "patient7.png").chmod(0o600)
    made(asked, identity)
    assert (asked.output / gallery.NAME).stat().st_mode & 0o077 == 0


def test_a_page_of_somebody_else_is_left_alone(asked, identity):
    asked.output.mkdir()
    (asked.output / gallery.NAME).write_text("mine")
    page, warning = made(asked, identity)
    assert (page, (asked.output / gallery.NAME).read_text()) == (None, "mine")
    assert "left as it was" in warning
    asked.overwrite = True
    assert "<article>" in made(asked, identity)[0]


def test_a_restored_image_of_that_name_is_left_alone(asked, identity):
    """A pattern takes files by their content, whatever they are called."""
    Path(asked.input, "patient7.png").rename(Path(asked.input, gallery.NAME))
    asked.input, asked.overwrite = f"{asked.input}/*", True
    _, warning = made(asked, identity)
    assert "left as it was" in warning
    assert (asked.output / gallery.NAME).read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("put", "reason"),
    [
        (Path.mkdir, "Is a directory"),
        (os.mkfifo, "it is a pipe"),
        (lambda page: page.symlink_to("../elsewhere.html"), "it is a link"),
    ],
)
def test_a_page_that_cannot_be_written_harms_nothing(asked, identity, put, reason):
    asked.output.mkdir()
    (asked.output / ".." / "elsewhere.html").write_text(gallery._MARK.decode())
    put(asked.output / gallery.NAME)
    page, warning = made(asked, identity)
    assert page is None
    assert warning == f"{gallery.NAME} can't be written: {reason}"
    assert (asked.output / "patient7.png").exists()


def test_a_single_file_has_no_page(asked, identity):
    asked.input = str(Path(asked.input, "patient7.png"))
    assert made(asked, identity) == (None, "")


def test_a_large_folder_has_small_pictures_and_so_many_of_them(asked, identity, monkeypatch):
    monkeypatch.setattr(gallery, "MOST", 2)
    page, _ = made(asked, identity)
    assert len(Reader(page).pictures) == 4
    assert "1 file without pictures" in page


@pytest.mark.parametrize(("count", "side"), [(FEW, LARGE), (MOST, SMALL)])
def test_even_pure_noise_stays_a_page_that_opens(count, side):
    noise = np.random.default_rng(0).random((640, 640, 1), dtype=np.float32)
    size = 2 * count * len(thumbnail(noise, side, "noise").address)
    assert size < 16e6


def test_what_was_removed_or_damaged_meanwhile_is_left_out(tmp_path):
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "a.png")
    config = SimpleNamespace(output=str(tmp_path), intensity=None, names=True)
    job = SimpleNamespace(name="a.png", path=tmp_path / "a.png", frames=[0], images=["gone.png"], spread=None)
    assert gallery._images(config, job) == []
    (tmp_path / "damaged.png").write_bytes((tmp_path / "a.png").read_bytes()[:40])
    sound, damaged = ((tmp_path / f"{name}.png", 0, "bits") for name in ("a", "damaged"))
    assert gallery._exhibit(config, job, [sound, damaged], None, 64) is None
    assert gallery._map("a.png", damaged, tmp_path, (8, 8, 1), 64) is None
