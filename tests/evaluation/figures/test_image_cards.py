"""Pictures of a report: one scale for all error maps, details where models differ, nothing lost on the way."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from srexp.evaluation.figures.error_maps import coloured
from srexp.evaluation.figures.image_cards import DETAIL, ENLARGED, MAP_SIDE, SLIDER, card, disagreement, scale_bar
from srexp.types import Sample


def decoded(picture):
    kind, _, content = picture.address.partition(",")
    assert kind == "data:image/webp;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content))).convert("RGB"))


def card_of(errors, *, height=200, width=150, scale=2, top=8.0):
    """Models that miss a constant image by so many grey levels."""
    high = np.full((height, width, 1), 0.5, np.float32)
    sample = Sample("a.png", "secret", 8, high[::scale, ::scale], high)
    restored = {name: high + np.float32(error / 255) for name, error in errors.items()}
    return card(sample, restored, dict.fromkeys(restored, 40.0), scale=scale, max_grey_levels=top)


def test_equal_errors_of_two_models_look_equal_on_the_page():
    made = card_of({"bicubic": 5.0, "srcnn": 2.05, "vdsr": 2.05})
    bicubic, srcnn, vdsr = (decoded(picture) for picture in made.rows[1][1:])
    assert np.array_equal(srcnn, vdsr)
    assert np.array_equal(decoded(made.rows[3][2]), decoded(made.rows[3][3]))
    expected = coloured(np.array([[2.05]], np.float32), 8.0)[0, 0]
    assert (srcnn == expected).all()  # what was drawn arrives, to the last bit
    assert (decoded(made.rows[3][2]) == expected).all()
    assert bicubic.mean() > srcnn.mean()


def test_rows_stand_below_each_other():
    made = card_of({"bicubic": 5.0, "srcnn": 2.0, "vdsr": 1.0})
    assert [[picture.caption for picture in row] for row in made.rows] == [
        ["target", "bicubic", "srcnn", "vdsr"],
        ["input, 100 x 75", "bicubic: error", "srcnn: error", "vdsr: error"],
        ["target: detail", "bicubic: detail", "srcnn: detail", "vdsr: detail"],
        ["input: detail", "bicubic: error", "srcnn: error", "vdsr: error"],
    ]
    assert [picture.figure for picture in made.rows[1][1:]] == ["mean 5.00", "mean 2.00", "mean 1.00"]
    assert made.rows[2][0].width == made.rows[3][0].width == DETAIL * ENLARGED
    assert "secret" not in str(made)
    assert made.bytes == sum(len(picture.address) for row in (*made.rows, made.slider) for picture in row)


@pytest.mark.parametrize(("height", "width", "channels", "scale"), [(40, 30, 1, 2), (17, 900, 3, 1), (1000, 800, 1, 4)])
def test_images_of_all_sizes_have_a_card(height, width, channels, scale):
    rng = np.random.default_rng(0)
    high = rng.random((height // scale * scale, width // scale * scale, channels), dtype=np.float32)
    sample = Sample("a.png", "p", 16, high[::scale, ::scale], high)
    made = card(
        sample, {"bicubic": high, "srcnn": high * 0.9}, {"bicubic": 1, "srcnn": 2}, scale=scale, max_grey_levels=8
    )
    assert max(made.rows[1][1].width, made.rows[1][1].height) <= MAP_SIDE
    left, top, wide, tall = made.rows[0][0].frame
    assert left >= 0 <= top
    assert left + wide <= 100 >= top + tall


def test_the_detail_lies_where_models_differ_most():
    base = np.full((300, 300, 1), 0.5, np.float32)
    one, two, bicubic = base.copy(), base.copy(), base.copy()
    bicubic[80:120, 80:120] = 1  # far from both, but no difference between the models
    one[200:208, 230:238] += 0.2
    two[200:208, 230:238] -= 0.2
    rows, columns = disagreement({"bicubic": bicubic, "one": one, "two": two}, base, (0, 1), scale=2)
    assert (rows.start <= 200, rows.stop >= 208) == (True, True)
    assert (columns.start <= 230, columns.stop >= 238) == (True, True)
    assert rows.start % 2 == columns.start % 2 == 0
    alone = disagreement({"bicubic": bicubic, "one": base}, base, (0, 1), scale=2)
    assert alone[0].start < 120


def test_the_detail_lies_where_it_is_asked_for():
    rng = np.random.default_rng(0)
    high = rng.random((300, 200, 1), dtype=np.float32)
    sample = Sample("a.png", "p", 8, high[::2, ::2], high)
    images, psnr = {"bicubic": high, "srcnn": high * 0.9}, {"bicubic": 1, "srcnn": 2}
    made = card(sample, images, psnr, scale=2, max_grey_levels=8, place=(150, 60))
    left, top, wide, tall = made.rows[0][0].frame
    assert (left + wide / 2, top + tall / 2) == pytest.approx((30, 50), abs=1)


def test_the_slider_shows_bicubic_and_the_first_model_around_the_detail():
    made = card_of({"bicubic": 5.0, "srcnn": 2.0, "vdsr": 1.0})
    assert [picture.caption for picture in made.slider] == ["bicubic", "srcnn"]
    assert {decoded(picture).shape[:2] for picture in made.slider} == {(SLIDER, SLIDER)}
    assert all(picture.sharp for picture in made.slider)


def test_the_scale_bar_has_the_colours_of_the_maps():
    assert np.array_equal(decoded(scale_bar(4.0))[0], coloured(np.arange(64)[np.newaxis] / 16, 4.0)[0])
