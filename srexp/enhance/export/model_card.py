"""The model card: what whoever gets a file must know of the model in it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from srexp.enhance.export.export import Parity
from srexp.system.masking.redaction import printable
from srexp.system.templates import filled

TEMPLATE = "model_card.md.j2"
_UNKNOWN = "not recorded"
_MARKUP = re.compile(r"[&<>`*|\\\[\]]")


def card(facts: Mapping[str, object], file: str, parity: Parity) -> str:
    """Write the model card of an exported model.

    Args:
        facts: What must be known: the `form` of the file, the model's `scale` and `channels`, the `version` of srexp.
            What else is known of the model: `uri`, `digest`, `task`, `model`, `degradation`, `fingerprint`,
            `attribution`, `protocol`, `test_psnr`, `test_ssim`, `bicubic_psnr`, `bicubic_ssim`, `gain_db`, `commit`,
            `run_id`; what is missing is said to be. `detail`, where it is invented.
        file: Name of the file.
        parity: Differences to the model.

    Returns:
        Markdown.
    """
    known = {key: as_text(value) for key, value in facts.items() if value}
    given = {"known": lambda key: known.get(key, _UNKNOWN), "file": file, "parity": parity}
    return filled(__package__, TEMPLATE, **{**facts, **given})


def as_text(value: object) -> str:
    """Show what a run of the store says as a line of text, of which nothing is markup.

    Args:
        value: Whatever it says.

    Example:
        >>> as_text("knees|x2 <b>Approved</b>"), as_text("models:/m-1, 41.2")
        ('knees&#124;x2 &#60;b&#62;Approved&#60;/b&#62;', 'models:/m-1, 41.2')
    """
    return _MARKUP.sub(lambda found: f"&#{ord(found[0])};", printable(str(value)))
