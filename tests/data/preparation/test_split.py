"""Whole patients, drawn by the seed alone, near the fractions."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srexp.data.preparation.split import draw_splits
from srexp.data.sources.source import SPLITS
from srexp.errors import RequestError

DEFAULT = (0.8, 0.1, 0.1)
IMAGES = st.dictionaries(st.text(min_size=1, max_size=6), st.integers(1, 9), min_size=3, max_size=40)
FRACTIONS = st.tuples(st.integers(1, 20), st.integers(1, 20), st.integers(1, 20)).map(
    lambda parts: tuple(part / sum(parts) for part in parts)
)


def patients_of(images: dict[str, int]) -> list[str]:
    return [patient for patient, count in images.items() for _ in range(count)]


@given(IMAGES, FRACTIONS, st.integers(0, 2**31))
def test_each_patient_has_one_split_and_each_split_a_patient(
    images: dict[str, int], fractions: tuple[float, float, float], seed: int
) -> None:
    drawn = draw_splits(patients_of(images), fractions, seed)
    assert drawn.keys() == images.keys()
    assert set(drawn.values()) == set(SPLITS)


@given(IMAGES, st.integers(0, 2**31), st.randoms())
def test_order_of_the_files_does_not_matter(images: dict[str, int], seed: int, shuffler: object) -> None:
    patients = patients_of(images)
    shuffled = list(patients)
    shuffler.shuffle(shuffled)
    assert draw_splits(patients, DEFAULT, seed) == draw_splits(shuffled, DEFAULT, seed)


@given(IMAGES, FRACTIONS, st.integers(0, 2**31))
def test_shares_come_near_the_fractions(
    images: dict[str, int], fractions: tuple[float, float, float], seed: int
) -> None:
    drawn = draw_splits(patients_of(images), fractions, seed)
    counts = Counter(drawn[patient] for patient in patients_of(images))
    largest, total = max(images.values()), sum(images.values())
    for split, fraction in zip(SPLITS, fractions, strict=True):
        # Every split must get a patient, so a small fraction may be overshot by one, and the others lack those.
        assert abs(counts[split] - fraction * total) <= 2 * largest


@pytest.mark.parametrize("patients", [10, 100, 150, 999])
def test_single_images_are_divided_exactly(patients: int) -> None:
    counts = Counter(draw_splits([str(number) for number in range(patients)], DEFAULT, seed=1).values())
    assert counts["train"] == pytest.approx(0.8 * patients, abs=1)
    assert counts["validation"] == pytest.approx(0.1 * patients, abs=1)
    assert counts["test"] == pytest.approx(0.1 * patients, abs=1)


@pytest.mark.parametrize("patients", [9, 90, 900])
def test_single_images_are_divided_exactly_where_test_is_fixed(patients: int) -> None:
    names = [str(number) for number in range(patients)]
    counts = Counter(draw_splits(names, DEFAULT, seed=1, among=("train", "validation")).values())
    assert counts["train"] == pytest.approx(8 / 9 * patients, abs=1)


def test_another_seed_draws_another_split() -> None:
    patients = [str(number) for number in range(30)]
    assert len({str(draw_splits(patients, DEFAULT, seed)) for seed in range(5)}) == 5


def test_no_patient_is_favoured() -> None:
    patients = [str(number) for number in range(12)]
    tested = Counter(
        patient
        for seed in range(600)
        for patient, split in draw_splits(patients, DEFAULT, seed).items()
        if split == "test"
    )
    assert min(tested[patient] for patient in patients) > 600 / 12 / 2


@given(IMAGES, FRACTIONS, st.integers(0, 2**31))
def test_where_test_is_fixed_the_others_divide_all_images_in_their_ratio(
    images: dict[str, int], fractions: tuple[float, float, float], seed: int
) -> None:
    drawn = draw_splits(patients_of(images), fractions, seed, among=("train", "validation"))
    counts = Counter(drawn[patient] for patient in patients_of(images))
    assert counts.keys() == {"train", "validation"}
    share = fractions[0] / (fractions[0] + fractions[1])
    assert abs(counts["train"] - share * sum(images.values())) <= 2 * max(images.values())


@pytest.mark.parametrize("patients", [[], ["a"], ["a", "b", "b", "b"]])
def test_fewer_patients_than_splits_are_refused(patients: list[str]) -> None:
    with pytest.raises(RequestError, match=rf"{len(set(patients))} with {len(patients)} images[\s\S]*at least 3"):
        draw_splits(patients, DEFAULT, 0)


@pytest.mark.parametrize("fractions", [(0.8, 0.2, 0.0), (0.8, 0.3, -0.1), (0.5, 0.1, 0.1), (float("nan"), 0.5, 0.5)])
def test_fractions_that_are_none_are_refused(fractions: tuple[float, float, float]) -> None:
    with pytest.raises(RequestError, match=r"dataset.fractions[\s\S]*dataset.fractions=\[0.8,0.1,0.1\]"):
        draw_splits(["a", "b", "c"], fractions, 0)


@pytest.mark.parametrize(("beyond", "taken"), [(5e-7, True), (-5e-7, True), (2e-6, False), (-2e-6, False)])
def test_fractions_may_be_rounded(beyond: float, taken: bool) -> None:
    fractions = (0.8, 0.1, 0.1 + beyond)
    if taken:
        assert set(draw_splits(["a", "b", "c"], fractions, 0).values()) == set(SPLITS)
    else:
        with pytest.raises(RequestError, match="can't be used"):
            draw_splits(["a", "b", "c"], fractions, 0)


@pytest.mark.parametrize("fractions", [(), (0.5, 0.5), (0.25, 0.25, 0.25, 0.25)])
def test_there_are_three_fractions(fractions: tuple[float, ...]) -> None:
    with pytest.raises(RequestError, match="has not three numbers"):
        draw_splits(["a", "b", "c"], fractions, 0)


def test_a_drawn_split_stays_what_it_is() -> None:
    """Every run, fingerprint and champion of a data set rests on it: written down once, for good."""
    images = {"a": 3, "b": 1, "c": 2, "d": 1, "e": 5, "f": 1, "g": 1, "h": 2}
    drawn = draw_splits(patients_of(images), (0.5, 0.25, 0.25), 7)
    assert {split: "".join(sorted(p for p in drawn if drawn[p] == split)) for split in SPLITS} == {
        "train": "deh",
        "validation": "abg",
        "test": "cf",
    }


def test_a_split_that_is_fixed_needs_no_patient() -> None:
    drawn = draw_splits(["a", "b"], DEFAULT, 0, among=("train", "validation"))
    assert sorted(drawn.values()) == ["train", "validation"]
    with pytest.raises(RequestError, match="at least 2 patients, one each for train, validation"):
        draw_splits(["a"], DEFAULT, 0, among=("train", "validation"))
