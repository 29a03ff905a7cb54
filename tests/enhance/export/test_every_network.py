"""Every network in every format computes what it does in Keras; those that take long to convert are in the slow lane.

ONNX is held to a tighter bound at all scales in `tests/enhance/runtimes/test_onnx_graph.py`.
"""

from __future__ import annotations

import pytest

from srexp.enhance.export.export import RUNTIME_OF
from srexp.enhance.runtimes.choice import RUNTIMES
from srexp.errors import RequestError
from tests.enhance.runtimes.onnx_oracle import largest_difference
from tests.networks import MODELS, built, thin

#: Converted in the fast lane, too: a pixel shuffle, and attention over the image.
QUICK = ("espcn", "edsr_se")
#: What isn't exported, and the operation that the refusal names.
REFUSED = {("litert", "pan"): r"tf\.Conv2D"}
#: Two sizes, so that a file knows none of its own; spatial attention wants 15 pixels.
SIZES = ((1, 17, 24), (2, 19, 16))
#: LiteRT converts by itself, network by network; OpenVINO reads what becomes of ONNX, and a SavedModel is TensorFlow's.
CONVERTED = {"onnx": QUICK, "litert": MODELS, "openvino": {*QUICK, *MODELS[::2]}, "savedmodel": {*QUICK, *MODELS[1::2]}}
PAIRS = [
    pytest.param(form, model, marks=[] if model in QUICK else pytest.mark.slow)
    for form in RUNTIME_OF
    for model in sorted(CONVERTED[form])
]


@pytest.mark.one_in(3)
@pytest.mark.parametrize(("form", "model"), PAIRS)
def test_a_file_computes_what_the_network_does(form, model, randomised, tmp_path):
    runtime = RUNTIMES[RUNTIME_OF[form]]
    network = randomised(built(model, 2, 1, **thin(model)))
    path = tmp_path / runtime.FILE
    if operation := REFUSED.get((form, model)):
        with pytest.raises(RequestError, match=operation):
            runtime.write(network, path)
        return
    runtime.write(network, path)
    assert largest_difference(network, sizes=SIZES, restore=runtime.read(path)) < 2e-5
