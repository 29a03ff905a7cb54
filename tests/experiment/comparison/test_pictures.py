"""What a comparison says where it shows no pictures, fewer, or others; whole pages are in `tests/stories`."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from srexp.data.sources.public_dataset import Downloadable
from srexp.errors import SrexpError
from srexp.evaluation.comparison.standings import BASELINE
from srexp.experiment.comparison import pictures
from srexp.metrics.protocol import Protocol
from srexp.system.masking.pseudonyms import TAG
from srexp.tracking.runs.tracking import Tracking
from srexp.types import Sample
from tests.experiment.comparison.test_runs import entry

KEYS = ("a.png", "b.png", "c.png")
CONFIG = SimpleNamespace(pictures=3, detail=None)


def standings(count=1):
    """Models that rank by their number, each better than bicubic by another gain on each image."""
    rows = [
        SimpleNamespace(name=name, contender=SimpleNamespace(values={"psnr": psnr}))
        for name, psnr in [
            *((f"m{number}", [31.0, 33.0, 32.0]) for number in range(count)),
            (BASELINE, [30.0, 30.0, 30.0]),
        ]
    ]
    return SimpleNamespace(
        keys=KEYS, rows=rows, models=rows[:-1], row=lambda name: next(row for row in rows if row.name == name)
    )


def sample(key="a.png"):
    high = np.random.default_rng(0).random((48, 40, 1)).astype(np.float32)
    return Sample(key, "p", 8, high[::2, ::2], high)


def task(**more):
    parts = SimpleNamespace(protocol=Protocol(channel="grey"))
    return SimpleNamespace(parts=parts, config=SimpleNamespace(scale=2), channels=1, **more)


def test_a_model_that_cannot_be_loaded_is_left_out_with_a_word(tmp_path):
    store = Tracking(folder=tmp_path / "mlruns", system_metrics=False).store
    lost = entry(1)
    lost.result["model_uri"] = "models:/gone/1"
    loaded, [note] = pictures.load_models(store, [lost])
    assert loaded == {}
    assert note.startswith("m1: ")
    assert note.endswith("its weights aren't counted and its pictures are missing.")


@pytest.fixture
def recorded(monkeypatch):
    """Prepare the data of an entry again, where it comes from the given source and has the fingerprint f00."""

    def recorded(found, source=None):
        monkeypatch.setattr(pictures, "recomposed", lambda *_: None)
        monkeypatch.setattr(pictures, "builders", lambda _: SimpleNamespace(source=source))
        prepared = SimpleNamespace(fingerprint="f00")
        monkeypatch.setattr(pictures, "Task", lambda *_, **__: SimpleNamespace(prepared=prepared))
        return pictures.recorded_task(CONFIG, found)

    return recorded


def test_images_that_are_not_those_that_were_scored_are_not_shown(recorded):
    class Away(Downloadable):
        def __init__(self):
            pass

        _pieces = None

        def missing(self):
            return "its images are not on this machine"

    assert recorded(entry(1)).prepared.fingerprint == "f00"
    with pytest.raises(SrexpError, match="not on this machine"):
        recorded(entry(1), Away())
    with pytest.raises(SrexpError, match="another fingerprint than when it was scored"):
        recorded(entry(1, fingerprint="f01"))
    theirs = entry(1)
    theirs = replace(theirs, run=replace(theirs.run, tags={**theirs.run.tags, TAG: "of another key"}))
    with pytest.raises(SrexpError, match="made with another key, which SREXP_PSEUDONYM_KEY can give"):
        recorded(theirs)


def test_a_reason_why_there_are_no_pictures_stands_in_the_page(monkeypatch):
    def away(*_):
        raise SrexpError("the folder is gone:")

    monkeypatch.setattr(pictures, "recorded_task", away)
    shown = pictures.exhibit(CONFIG, [entry(1)], {"m1": None}, standings(), 8.0)
    assert shown.cards == []
    assert shown.notes == ["No pictures: the test images can't be read again (the folder is gone)."]


def test_of_many_models_those_that_rank_highest_are_shown(monkeypatch):
    shown_of = []
    monkeypatch.setattr(pictures, "recorded_task", lambda *_: None)
    monkeypatch.setattr(pictures, "_restored", lambda *given, **_: shown_of.extend(given[3]) or pictures.Exhibits(8.0))
    found = standings(pictures.MOST_MODELS + 2)
    shown = pictures.exhibit(CONFIG, [entry(1)], {f"m{number}": None for number in reversed(range(7))}, found, 8.0)
    assert shown_of == [f"m{number}" for number in range(pictures.MOST_MODELS)]
    assert shown.notes == ["Pictures show the 5 models that rank highest."]


@pytest.mark.parametrize(
    ("room", "wanted", "cards", "said"),
    [
        (10**9, 3, ["a.png", "c.png", "b.png"], []),
        (10**9, 2, ["a.png", "b.png"], ["2 of 3 test images are shown, from the lowest to the highest gain"]),
        (1, 3, [], ["0 of 3 test images are shown: there is no room for more"]),
    ],
)
def test_images_go_from_the_lowest_to_the_highest_gain_as_long_as_there_is_room(monkeypatch, room, wanted, cards, said):
    monkeypatch.setattr(pictures, "MOST_BYTES", room)
    monkeypatch.setattr(pictures, "_samples", lambda _task, _split, keys: map(sample, keys))
    monkeypatch.setattr(pictures, "_unlike", lambda *_: "")
    doubled = dict.fromkeys((BASELINE, "m0"), lambda low: low.repeat(2, 0).repeat(2, 1))
    monkeypatch.setattr(pictures, "_restorers", lambda *_: doubled)
    config = SimpleNamespace(pictures=wanted, detail=None)
    shown = pictures._restored(config, task(), "test", {}, standings(), max_grey_levels=8.0)
    assert [each.key for each in shown.cards] == cards
    assert len(shown.notes) == len(said)
    assert all(part in note for part, note in zip(said, shown.notes, strict=True))


def test_a_detail_that_an_image_has_not_is_where_the_models_differ():
    shown, image = pictures.Exhibits(8.0), sample()
    assert pictures._place(SimpleNamespace(detail=(47, 39)), image, shown) == (47, 39)
    assert pictures._place(SimpleNamespace(detail=None), image, shown) is None
    assert shown.notes == []
    assert pictures._place(SimpleNamespace(detail=(48, 0)), image, shown) is None
    assert shown.notes == ["a.png ends before detail=[48,0]: it shows where the models differ most."]


def test_a_model_that_restores_an_image_otherwise_than_when_it_was_scored_is_named():
    image = sample()
    restored = {"m0": np.clip(image.high + np.float32(0.1), 0, 1)}
    [said] = [pictures._unlike(task(), image, restored, {"m0": 40.0})]
    assert said.startswith("m0 restores a.png with ")
    assert "and had 40" in said
    again = float(said.partition(" with ")[2].split()[0])
    assert pictures._unlike(task(), image, restored, {"m0": again}) == ""
