"""What a model card is told."""

import pytest

from srexp.experiment.trained.model_facts import facts


def test_the_folder_of_the_users_images_stays_out_of_the_card():
    kept = {
        "dataset._target_": "srexp.data.sources.folder.Folder",
        "dataset.root": "/data/ann",
        "gain_db": "1.23456789",
    }
    known = facts(kept)
    assert "ann" not in str(known)
    assert "user's own" in known["attribution"]
    assert known["gain_db"] == "1.2346"


@pytest.mark.parametrize("target", ["srexp.data.samples.Samples", "srexp.data.sources.samples.Samples"])
def test_public_images_are_attributed_by_whatever_name_their_set_had(target):
    assert facts({"dataset._target_": target})["attribution"].endswith("pydicom-data (MIT licence)")


def test_that_detail_is_invented_goes_with_the_model():
    assert facts({"detail": "invented"})["detail"] == "invented"
    asked = {"training._target_": "srexp.training.courses.adversarial.build", "training.weight": "0.255"}
    assert facts(asked)["detail"] == "invented"  # by parameters, where the model has no version
    assert "detail" not in facts({**asked, "training.weight": "0.0"})


def test_what_the_store_does_not_know_is_missing():
    assert facts({}) == {}
    assert facts(
        {"degradation._target_": "x", "degradation.name": "worn", "degradation.noise": "2", "commit": "f00"}
    ) == {
        "commit": "f00",
        "degradation": "name=worn, noise=2",
    }
