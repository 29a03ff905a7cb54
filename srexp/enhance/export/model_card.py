"""The model card: what whoever gets a file must know of the model in it."""

from __future__ import annotations

from collections.abc import Mapping

from srexp.enhance.export.export import Parity

_USE = {
    "savedmodel": """model = tf.saved_model.load("savedmodel")
restored = model.signatures["serve"](low=tf.constant(low))["restored"].numpy()""",
    "onnx": """session = onnxruntime.InferenceSession("model.onnx")
restored = session.run(["restored"], {"low": low})[0]""",
    "openvino": """compiled = openvino.Core().compile_model("model.xml", "CPU")
restored = compiled(low)[0]""",
    "litert": """interpreter = Interpreter("model.tflite")          # from ai_edge_litert.interpreter
interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], low.shape)
interpreter.allocate_tensors()
interpreter.set_tensor(interpreter.get_input_details()[0]["index"], low)
interpreter.invoke()
restored = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])""",
}
_UNKNOWN = "not recorded"


def card(
    facts: Mapping[str, str], file: str, parity: Parity, *, form: str, scale: int, channels: int, version: str
) -> str:
    """Write the model card of an exported model.

    Args:
        facts: What is known of the model: `uri`, `task`, `model`, `degradation`, `fingerprint`, `attribution`,
            `protocol`, `test_psnr`, `test_ssim`, `bicubic_psnr`, `bicubic_ssim`, `gain_db`, `commit`, `run_id`; what is
            missing is said to be.
        file: Name of the file.
        parity: Differences to the model.
        form: Format of the file.
        scale: How many times larger the restored image is.
        channels: Channels of the images.
        version: Version of srexp.

    Returns:
        Markdown.
    """

    def known(key: str) -> str:
        return facts.get(key) or _UNKNOWN

    return f"""# {known("task")}: {known("model")}, x{scale}

`{file}`, exported by srexp {version} from `{known("uri")}`. **For research only: not a medical device.**

## Use

Input `low` and output `restored` are float32, (n, h, w, {channels}) and (n, h * {scale}, w * {scale}, {channels}), in
[0, 1] by the stored bit depth of the image; n, h and w are free. Clip the result to [0, 1].

```python
{_USE[form]}
```

## Training

| | |
|---|---|
| data | {known("attribution")} |
| fingerprint of data and split | `{known("fingerprint")}` |
| degradation learnt | {known("degradation")} |
| run | `{known("run_id")}` |
| git commit | `{known("commit")}` |

## Scores on the test images of that data

| | model | bicubic |
|---|---|---|
| PSNR, dB | {known("test_psnr")} | {known("bicubic_psnr")} |
| SSIM | {known("test_ssim")} | {known("bicubic_ssim")} |

Gain {known("gain_db")} dB under the protocol `{known("protocol")}`.
Figures under another protocol, or on other images, cannot be compared with these.

## Same as the model

On {len(parity.images)} real images the file differs from the model in Keras by at most {parity.largest:.1e}, and by
{parity.mean:.1e} on average, of the range [0, 1]; `parity.json` has each image.

## Limits

- The model learnt to undo one kind of loss, the degradation above. What it makes of other images is untested.
- A restored image contains detail that was never measured. It can hide a finding that is there and show one that
  is not.
- It has not been tested or approved for diagnosis, treatment or any other clinical use.

## Licence of the data

{known("attribution")}. Whoever passes the model on is bound by the terms of that data.
"""
