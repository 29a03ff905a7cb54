"""A list of scales, and a value for each of several models."""

from __future__ import annotations

import pytest

import srexp
from srexp.config.compose import compose
from srexp.errors import RequestError
from srexp.experiment.task import builders
from tests.networks import MODELS


def test_a_list_of_scales_is_the_first_of_them_and_a_training_at_all():
    config = srexp.compose(["scale=[3,2,4]"])
    assert (config.scale, config.trainer.scales, config.experiment_name) == (3, [3, 2, 4], "samples-bicubic-x3")
    assert config.resolved["scale"] == 3
    assert config.resolved["trainer"]["scales"] == [3, 2, 4]
    same = srexp.compose(["scale=3", "trainer.scales=[3,2,4]"])
    assert same.resolved == config.resolved


def test_a_list_of_one_scale_is_that_scale():
    assert srexp.compose(["scale=[4]"]).resolved == srexp.compose(["scale=4"]).resolved


@pytest.mark.parametrize("verb", ["evaluate", "search", "data", "compare"])
def test_only_a_training_takes_several(verb):
    with pytest.raises(RequestError, match=r"scale is a list") as refused:
        compose(verb, ["scale=[2,3]"])
    assert "only train takes several" in str(refused.value)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["scale=[]"], "scale is a list"),
        (["scale=[2,3]", "trainer.scales=[2,4]"], "scale and trainer.scales disagree"),
        (["scale=[2,9]"], "trainer.scales"),
        (["scale=[2,two]"], "trainer.scales"),
        (["trainer.scales=[2]"], "trainer.scales"),
        (["trainer.scales=[3,4]"], "scale is one"),
        (["scale=[2,2]"], "different scales"),
        (["scale=[2,5]"], "no multiple of scale"),
        (["scale=[2,3]", "experiment_name=mine"], "doesn't say the scale"),
    ],
    ids=str,
)
def test_scales_that_fit_nothing_are_refused(typed, said):
    with pytest.raises(RequestError, match=said):
        builders(srexp.compose(typed))


def test_a_preset_gives_each_model_its_own_value():
    rates = {model: srexp.compose(["+experiment=cxr_x2", "dataset.root=.", f"model={model}"]).optimizer.lr
             for model in ("srcnn", "vdsr")}  # fmt: skip
    assert rates["srcnn"] < rates["vdsr"]
    with pytest.raises(RequestError, match=r"srcnn, vdsr, hybrid, and not for mine: type it"):
        srexp.compose(["+experiment=cxr_x2", "dataset.root=.", "model.name=mine"])
    typed = ["+experiment=cxr_x2", "dataset.root=.", "model.name=mine", "optimizer.lr=1e-3"]
    assert srexp.compose(typed).optimizer.lr == 1e-3


@pytest.mark.one_in(3)
@pytest.mark.parametrize("model", [name for name in MODELS if name != "bicubic"])
def test_the_leaderboard_composes_at_x4_with_patches_that_spatial_attention_is_exact_on(model):
    config = srexp.compose(["+experiment=leaderboard", "dataset.root=.", f"model={model}", "scale=4"])
    builders(config)
    assert config.trainer.patch_size // config.scale >= 15


def test_a_preset_gives_models_that_it_does_not_name_one_value():
    typed = ["+experiment=leaderboard", "dataset.root=.", "model.name=mine", "scale=3"]
    assert (srexp.compose(typed).optimizer.lr, srexp.compose(typed).trainer.patch_size) == (5e-4, 72)
