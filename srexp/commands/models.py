"""`models`: the registered models with their versions, aliases, scores and age."""

from __future__ import annotations

import json
import time
from typing import Any

from srexp.commands import console
from srexp.config.builders import build
from srexp.config.schema import ModelsConfig
from srexp.tracking.registry import catalog
from srexp.tracking.registry.catalog import Version
from srexp.tracking.runs.tracking import Tracking


def run(config: ModelsConfig) -> dict[str, Any]:
    """List registered models.

    Args:
        config: Checked configuration, with `name`.

    Returns:
        One row for each version, by name, newest first.

    Raises:
        RequestError: There is no such model.
    """
    tracking: Tracking = build(config.tracking, folder=config.paths.root)
    found = catalog.versions(tracking.store, config.name)
    result = {
        "models": [_row(each) for each in found],
        "warnings": [
            f"a process was killed while it moved the aliases of {name}; the next promote or rollback mends that"
            for name in dict.fromkeys(each.name for each in found if each.moving)
        ],
    }
    console.models(result)
    return result


def _row(each: Version) -> dict[str, Any]:
    tags = each.tags
    return {
        "name": each.name,
        "version": each.number,
        "aliases": list(each.aliases),
        "model": tags.get("model"),
        "run_id": each.run_id,
        "psnr": _number(tags.get("test_psnr")),
        "ssim": _number(tags.get("test_ssim")),
        "gain_db": _number(tags.get("gain_db")),
        "n_images": _whole(tags.get("test_images")),
        "protocol": _mapping(tags.get("protocol")),
        "data_fingerprint": tags.get("data.fingerprint"),
        "audit": tags.get("audit"),
        "degenerate": {"true": True, "false": False}.get(tags.get("degenerate", "")),
        "forced": tags.get("promotion.forced") == "true",
        "created": each.created,
        "age_seconds": round(time.time() - each.created / 1000, 1),
    }


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def _whole(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None


def _mapping(text: str | None) -> dict[str, Any] | None:
    """Read a protocol, which a tag of another program's version may hold in another form."""
    try:
        found = json.loads(text or "")
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
