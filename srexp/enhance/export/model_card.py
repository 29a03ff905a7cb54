"""The model card: what whoever gets a file must know of the model in it."""

from __future__ import annotations

from collections.abc import Mapping

from srexp.enhance.export.export import Parity

TEMPLATE = "model_card.md.j2"
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
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(  # noqa: S701 - Markdown
        loader=PackageLoader("srexp.enhance.export", ""),
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(TEMPLATE).render(
        known=lambda key: facts.get(key) or _UNKNOWN,
        file=file,
        parity=parity,
        form=form,
        scale=scale,
        channels=channels,
        version=version,
    )
