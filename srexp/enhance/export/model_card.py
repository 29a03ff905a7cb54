"""The model card: what whoever gets a file must know of the model in it."""

from __future__ import annotations

from collections.abc import Mapping

from srexp.enhance.export.export import Parity
from srexp.system.templates import filled

TEMPLATE = "model_card.md.j2"
_UNKNOWN = "not recorded"


def card(facts: Mapping[str, object], file: str, parity: Parity) -> str:
    """Write the model card of an exported model.

    Args:
        facts: What must be known: the `form` of the file, the model's `scale` and `channels`, the `version` of srexp.
            What else is known of the model: `uri`, `digest`, `task`, `model`, `degradation`, `fingerprint`,
            `attribution`, `protocol`, `test_psnr`, `test_ssim`, `bicubic_psnr`, `bicubic_ssim`, `gain_db`, `commit`,
            `run_id`; what is missing is said to be.
        file: Name of the file.
        parity: Differences to the model.

    Returns:
        Markdown.
    """
    known = {"known": lambda key: facts.get(key) or _UNKNOWN, "file": file, "parity": parity}
    return filled(__package__, TEMPLATE, **{**facts, **known})
