"""The pictures of a data set, looked at pixel by pixel."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from srexp.evaluation.figures import overview
from srexp.evaluation.figures.overview import (
    GAP,
    HEADING,
    LARGEST_CELL,
    MARGIN,
    TITLE,
    Shown,
    contact_sheet,
    histograms,
)


def drawn(figure) -> np.ndarray:
    file = io.BytesIO()
    figure.savefig(file)
    return np.asarray(Image.open(file).convert("RGB"))


def test_images_lie_where_they_belong_and_a_dark_one_is_stretched() -> None:
    half = np.zeros((64, 64))
    half[:, 32:] = 0.01
    sheet = drawn(contact_sheet({"train": [Shown("a.png", "", half)] * 2, "test": [Shown("b.png", "", half)]}, "t"))
    top = MARGIN + TITLE + HEADING
    for column in range(2):
        left = MARGIN + column * (LARGEST_CELL + GAP)
        cell = sheet[top + 5 : top + LARGEST_CELL - 5, left + 5 : left + LARGEST_CELL - 5]
        assert (cell[:, :60] == 0).all()
        assert (cell[:, -60:] == 255).all()
    assert (sheet[top : top + LARGEST_CELL, MARGIN + 2 * (LARGEST_CELL + GAP) :] == 255).all()


def test_no_column_is_empty_and_a_long_title_is_read_to_its_end() -> None:
    one = Shown("a.png", "", np.eye(9))
    widths = {count: drawn(contact_sheet({"all": [one] * count}, "word " * 30)).shape[1] for count in (1, 5, 8, 9)}
    assert widths[1] == LARGEST_CELL + 2 * MARGIN
    assert all(1300 < widths[count] <= 1346 for count in (5, 8, 9))
    tall, short = (contact_sheet({"all": [one]}, title).get_size_inches()[1] for title in ("word " * 30, "word"))
    assert tall > short


def test_constant_and_colour_and_tall_images_are_drawn() -> None:
    red = np.zeros((40, 10, 3))
    red[:20, :, 0] = 1
    sheet = drawn(contact_sheet({"all": [Shown("x" * 80, "", np.full((9, 9), 0.5)), Shown("c", "", red)]}, "t"))
    top, left = MARGIN + TITLE + HEADING, MARGIN + LARGEST_CELL + GAP
    assert np.abs(sheet[top + LARGEST_CELL // 2, MARGIN + LARGEST_CELL // 2] - 127.5).max() < 1
    assert sheet[top + LARGEST_CELL // 4, left + LARGEST_CELL // 2].tolist() == [255, 0, 0]
    assert sheet[top + 3 * LARGEST_CELL // 4, left + LARGEST_CELL // 2].tolist() == [0, 0, 0]
    assert sheet[top + LARGEST_CELL // 2, left + LARGEST_CELL // 8].tolist() == [255, 255, 255]


def test_a_histogram_leaves_white_what_is_not_used() -> None:
    counts = np.zeros(256, np.int64)
    counts[:128] = 10
    image = drawn(histograms({"train": counts, "test": counts[::-1]}, "values")).astype(int)
    coloured = (image[..., 0] - image[..., 2]) > 100
    first, second = np.array_split(coloured, 2)
    assert first[:, :520].sum() > 20 * first[:, 560:].sum()
    assert second[:, 560:].sum() > 20 * second[:, :500].sum()


@pytest.mark.parametrize("name", [r"$\frac$.png", "$_{$", "\u75c5.png", "\udcff\t\u202e.png"])
def test_names_are_drawn_as_they_are(name: str) -> None:
    picture = np.eye(9)
    for figure in (
        contact_sheet({name: [Shown(name, name, picture)]}, name),
        histograms({name: np.ones(4, np.int64)}, name),
        overview.details({name: picture}, name, ""),
    ):
        drawn(figure)
