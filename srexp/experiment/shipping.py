"""Put a trained model into the package, with its card: `python -m srexp.experiment.shipping --help`, for maintainers.

What it takes is in the store and in the results of `evaluate`; nothing of a card is typed that was measured.
"""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from srexp.config.builders import build
from srexp.config.compose import compose, register_resolvers
from srexp.config.override_grammar import key_of
from srexp.errors import RequestError
from srexp.evaluation.cost import parameters
from srexp.experiment.model_facts import facts
from srexp.system.files.digests import sha256
from srexp.system.stdio import say
from srexp.tracking.registry import models
from srexp.tracking.runs.queries import read_json
from srexp.zoo.catalogue import Shipped

#: What `enhance` and the model card ask of a model, beside the card's own words.
_OF_IMAGES = ("dataset.intensity", "protocol.channel")
#: Folders of whoever trained; somebody else has others.
_PLACES = ("dataset.root", "dataset.test_root", "paths.root")


def card_of(
    loaded: models.Loaded, environment: Mapping[str, Any], scored: Sequence[Mapping[str, Any]], words: Mapping[str, str]
) -> dict[str, Any]:
    """Put a card together.

    Args:
        loaded: The model and what the store knows of it.
        environment: `environment.json` of its training.
        scored: `result.json` of each evaluation of it.
        words: What nobody measured: `about`, `images`, `licence`, `source`, `limits`, `machine`.

    Returns:
        The card, which has no path of this machine.

    Raises:
        RequestError: An evaluation is one of another model.
    """
    typed = [each if key_of(each) not in _PLACES else f"{key_of(each)}=FOLDER" for each in environment["overrides"]]
    known = facts(loaded.facts, str(environment.get("commit", "")))
    for result in scored:
        if (digest := result["model"]["digest"]) != loaded.digest:
            raise RequestError("an evaluation is of another model", got=digest, expected=loaded.digest)
    return {
        **words,
        "sha256": loaded.sha256,
        "weights": parameters(loaded.model),
        "command": f"python -m srexp {shlex.join(typed)}",
        "scores": [_score(each) for each in scored],
        "facts": {
            **{key: loaded.facts[key] for key in loaded.facts if key in _OF_IMAGES or key.startswith("degradation.")},
            **{key: known[key] for key in known if key not in ("attribution", "degradation", "fingerprint", "run_id")},
            "data.fingerprint": known.get("fingerprint", ""),
            "attribution": f"{words['images']}; {words['source']}",
        },
    }


def _score(result: Mapping[str, Any]) -> dict[str, Any]:
    crop = result["protocol"]["crop"]
    return {
        "task": result["experiment_name"],
        "images": result["test"]["n_images"],
        "part": f"centre crops of {crop} pixels" if crop else "whole images",
        "psnr": round(result["test"]["psnr"], 2),
        "bicubic_psnr": round(result["baseline"]["bicubic"]["psnr"], 2),
        "ssim": round(result["test"]["ssim"], 4),
        "bicubic_ssim": round(result["baseline"]["bicubic"]["ssim"], 4),
        "gain_db": round(result["gain_db"], 2),
        "gain_ci95": [round(each, 2) for each in result["gain_ci95"]],
    }


def ship(model_uri: str, new: Shipped, scored: Sequence[Path], words: Mapping[str, str]) -> Shipped:
    """Write network, card and the digests of the images that it saw into the package.

    Args:
        model_uri: The model in the store.
        new: What it is to be called.
        scored: `result.json` of evaluations of it.
        words: See `card_of`.

    Returns:
        The network as users find it.
    """
    register_resolvers()
    config, _ = compose("models", [])
    store = build(config.tracking, folder=config.paths.root).store
    loaded = models.load(store, model_uri)
    found = loaded.found
    seen = models.training_images(store, found)
    if seen is None or found.run_id is None:
        raise RequestError(f"it isn't known which images {model_uri} has seen", expected="a model that srexp trained")
    environment = read_json(store, found.run_id, "environment.json") or {"overrides": []}
    card = card_of(loaded, environment, [json.loads(each.read_text()) for each in scored], words)
    loaded.model.save(new.network)
    card["sha256"] = sha256(new.network)
    new.network.with_suffix(".json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    lines = ["sha256,split", *(f"{digest},{split}" for digest, split in sorted(seen.items()))]
    new.network.with_suffix(".csv").write_text("\n".join([*lines, ""]), encoding="utf-8")
    return new


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model_uri")
    parser.add_argument("name")
    parser.add_argument("--scored", type=Path, nargs="+", required=True, help="result.json of evaluations of the model")
    for word in ("about", "images", "licence", "source", "limits", "machine"):
        parser.add_argument(f"--{word}", required=True)
    asked = vars(parser.parse_args())
    say(ship(asked.pop("model_uri"), Shipped(asked.pop("name")), asked.pop("scored"), asked).address)
