"""`models`: the registered models with their versions, aliases, scores and age."""

from __future__ import annotations

import json
import time
from typing import Any

from srexp.commands.printing import listings
from srexp.config.builders import build
from srexp.config.sections.verbs import ModelsConfig
from srexp.tracking.registry import catalog
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
    listings.models(result)
    return result


def _row(each: catalog.Version) -> dict[str, Any]:
    tags = each.tags
    return {
        "name": each.name,
        "version": each.number,
        "aliases": list(each.aliases),
        "model": tags.get("model"),
        "run_id": each.run_id,
        "psnr": _read(tags.get("test_psnr"), float, int),
        "ssim": _read(tags.get("test_ssim"), float, int),
        "gain_db": _read(tags.get("gain_db"), float, int),
        "n_images": _read(tags.get("test_images"), int),
        "protocol": _read(tags.get("protocol"), dict),
        "data_fingerprint": tags.get("data.fingerprint"),
        "digest": tags.get("digest"),
        "audit": tags.get("audit"),
        "degenerate": {"true": True, "false": False}.get(tags.get("degenerate", "")),
        "forced": tags.get("promotion.forced") == "true",
        "created": each.created,
        "age_seconds": round(time.time() - each.created / 1000, 1),
    }


def _read(text: str | None, *kinds: type) -> Any:
    """Read a value in JSON, which a tag of another program's version may hold in another form; None then."""
    try:
        found = json.loads(text or "")
    except ValueError:
        return None
    return found if type(found) in kinds else None
