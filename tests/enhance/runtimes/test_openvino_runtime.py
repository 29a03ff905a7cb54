"""OpenVINO's precisions; what all runtimes keep is in test_runtime.py."""

import pytest

from srexp.enhance.runtimes.openvino_runtime import OpenVino
from srexp.errors import RequestError
from srexp.models import vdsr


def test_openvino_does_not_replace_bfloat16_in_silence():
    import openvino

    network = vdsr.build(2, 1, depth=3, width=4)
    if "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        OpenVino().start(network, "bfloat16")
    else:
        with pytest.raises(RequestError, match="BF16"):
            OpenVino().start(network, "bfloat16")
