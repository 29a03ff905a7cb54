"""For maintainers: put a trained model into the package, with its card (`python -m srexp.experiment.trained.shipping`).

What it takes is in the store and in the results of `evaluate`; nothing of a card is typed that was measured, and what
isn't better than bicubic where that is promised isn't shipped.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from srexp.config.builders import build
from srexp.config.compose import compose, register_resolvers
from srexp.config.override_grammar import parse
from srexp.errors import RequestError
from srexp.evaluation.cost import cost
from srexp.experiment.trained.model_facts import facts
from srexp.system.files.digests import sha256
from srexp.system.stdio import say
from srexp.tracking.registry import models
from srexp.tracking.runs.queries import read_json
from srexp.tracking.store.store import Store
from srexp.zoo.catalogue import Shipped, shipped

#: What `enhance` and the model card ask of a model, beside the card's own words.
_OF_IMAGES = ("dataset.intensity", "protocol.channel")
#: What nobody measures. Of the images, a network trained on those of another one says the same.
WORDS, OF_IMAGES = ("about", "limits", "machine"), ("images", "licence", "source")
#: Where things are for whoever trained; somebody else has them elsewhere.
_PLACES = ("dataset.root", "dataset.test_root", "dataset.cache", "protocol.lpips")
_OWN = ("paths", "tracking", "run_name", "tags", "hydra", "names")  # decide no figure
_ENOUGH = 15, 2  # test images of its own patients, and groups from elsewhere on which it is better


def card_of(
    loaded: models.Loaded, environment: Mapping[str, Any], scored: Sequence[Mapping[str, Any]], words: Mapping[str, str]
) -> dict[str, Any]:
    """Put a card together.

    Args:
        loaded: The model and what the store knows of it.
        environment: `environment.json` of its training.
        scored: A row for each evaluation of it, see `_score`.
        words: `WORDS` and `OF_IMAGES`.

    Returns:
        The card, which has no path of this machine.
    """
    size = cost(loaded.model)
    known = facts({**loaded.facts, "commit": str(environment.get("commit") or "")})
    return {
        **words,
        "sha256": loaded.sha256,
        "weights": size.parameters,
        "multiply_adds_per_megapixel": size.multiply_adds and round(size.multiply_adds),
        "command": f"python -m srexp {shlex.join(_typed(environment))}",
        "scores": list(scored),
        "facts": {
            **{key: loaded.facts[key] for key in loaded.facts if key in _OF_IMAGES or key.startswith("degradation.")},
            **{key: known[key] for key in known if key not in ("attribution", "degradation", "fingerprint", "run_id")},
            "data.fingerprint": known.get("fingerprint", ""),
            "attribution": f"{words['images']}; {words['source']}",
        },
    }


def _typed(environment: Mapping[str, Any]) -> list[str]:
    """Give what anybody would type to do the same with images of their own folder."""
    words = []
    for typed in environment["overrides"]:
        sign, key, value = parse(typed)
        if key.partition(".")[0] not in _OWN:
            away = key in _PLACES or str(value).startswith(("/", "~", "."))
            words.append(f"{sign}{key}={'FILE' if Path(str(value)).suffix else 'FOLDER'}" if away else typed)
    return words


def _score(result: Mapping[str, Any], environment: Mapping[str, Any], address: str) -> dict[str, Any]:
    """Give one row of a card: the figures of an evaluation, and the command that repeats it."""
    crop = result["protocol"]["crop"]
    words = [each for each in _typed(environment) if parse(each).key not in ("model_uri", "require_digest")]
    return {
        "command": f"python -m srexp evaluate {shlex.join([f'model_uri={address}', *words])}",
        "task": result["experiment_name"],
        "images": result["test"]["n_images"],
        "part": f"centre crops of {crop} pixels" if crop else "whole images",
        "psnr": round(result["test"]["psnr"], 2),
        "bicubic_psnr": round(result["baseline"]["bicubic"]["psnr"], 2),
        "ssim": round(result["test"]["ssim"], 4),
        "bicubic_ssim": round(result["baseline"]["bicubic"]["ssim"], 4),
        "gain_db": round(result["gain_db"], 2),
        "gain_ci95": [round(each, 2) for each in result["gain_ci95"]] if result["gain_ci95"] else None,
    }


def failings(card: Mapping[str, Any]) -> list[str]:
    """Say what a network lacks that the package promises of all of them.

    Args:
        card: Its card.

    Returns:
        Sentences; none where it may be shipped.
    """
    least, groups = _ENOUGH
    own = [score for score in card["scores"] if score["task"] == card["facts"]["task"]]
    others = [score for score in card["scores"] if score not in own]
    parts = {"whole images": "whole", "the middle of the images": "centre"}
    lacking = [
        f"no evaluation of its own task on {name}"
        for name, beginning in parts.items()
        if not any(score["part"].startswith(beginning) for score in own)
    ]
    lacking += [
        f"{each['images']} test images of {each['task']}: {least} are asked for"
        for each in own
        if each["images"] < least
    ]
    lacking += [
        f"no gain over bicubic on {each['task']}, {each['part']}: {each['gain_ci95']}"
        for each in own
        if not _surely(each, 1)
    ]
    if sum(_surely(each, 1) for each in others) < groups:
        lacking.append(f"better than bicubic on fewer than {groups} groups from elsewhere")
    worse, said = any(_surely(each, -1) for each in others), "worse than bicubic" in card["limits"]
    if worse and not said:
        lacking.append("limits doesn't say where it is worse than bicubic, though it is somewhere")
    if said and not worse:
        lacking.append("limits says that it is worse than bicubic, which no evaluation shows")
    return lacking


def _surely(score: Mapping[str, Any], sign: int) -> bool:
    return bool(score["gain_ci95"]) and min(sign * end for end in score["gain_ci95"]) > 0


def ship(model_uri: str, new: Shipped, scored: Sequence[Mapping[str, Any]], words: Mapping[str, str]) -> Shipped:
    """Write network, card and the digests of the images that it saw into the package.

    Args:
        model_uri: The model in the store.
        new: What it is to be called.
        scored: `result.json` of evaluations of it.
        words: See `card_of`.

    Returns:
        The network as users find it.

    Raises:
        RequestError: An evaluation is one of another model or on images that it saw, what it saw isn't known, or it
            isn't good enough.
    """
    register_resolvers()
    config, _ = compose("models", [])
    store = build(config.tracking, folder=config.paths.root).store
    loaded = models.load(store, model_uri)
    found = loaded.found
    seen = models.training_images(store, found)
    if seen is None or found.run_id is None:
        raise RequestError(f"it isn't known which images {model_uri} has seen", expected="a model that srexp trained")
    for result in scored:
        if (digest := result["model"]["digest"]) != loaded.digest:
            raise RequestError("an evaluation is of another model", got=digest, expected=loaded.digest)
        if leaked := result["trained_on"] and sum(result["trained_on"].values()):
            raise RequestError(
                f"an evaluation on {result['experiment_name']} is of images that the model was trained on or chosen by",
                got=f"{leaked} of {result['test']['n_images']} images",
                fix="evaluate it on others",
            )
    rows = [_score(each, _environment(store, each["run_id"]), new.address) for each in scored]
    card = card_of(loaded, _environment(store, found.run_id), rows, words)
    if lacking := failings(card):
        raise RequestError(f"{new.name} isn't shipped", lines=lacking, fix="train a better one, or score it on more")
    loaded.model.save(new.network)
    card["sha256"] = sha256(new.network)
    new.network.with_suffix(".json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    lines = ["sha256,split", *(f"{digest},{split}" for digest, split in sorted(seen.items()))]
    new.network.with_suffix(".csv").write_text("\n".join([*lines, ""]), encoding="utf-8")
    return new


def _environment(store: Store, run_id: str) -> Mapping[str, Any]:
    return read_json(store, run_id, "environment.json") or {"overrides": []}


def evaluated(model_uri: str, words: Sequence[str]) -> dict[str, Any]:
    """Evaluate a model by the command that anybody would type.

    Args:
        model_uri: The model.
        words: Further overrides of `evaluate`.

    Returns:
        Its `result.json`.

    Raises:
        RequestError: The command failed; it has said why.
    """
    with TemporaryDirectory(prefix="srexp-") as folder:
        typed = ["evaluate", f"model_uri={model_uri}", *words]
        done = subprocess.run([sys.executable, "-m", "srexp", *typed, f"hydra.run.dir={folder}"], check=False)
        if done.returncode:
            raise RequestError("an evaluation failed", got=shlex.join(typed))
        result: dict[str, Any] = json.loads(Path(folder, "result.json").read_text(encoding="utf-8"))
        return result


def asked() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model_uri", help="the model in the store")
    parser.add_argument("name", help="what it is to be called, such as hybrid-cxr-x4")
    again = (
        "an evaluation to do, as 'dataset=folder dataset.root=FOLDER dataset.name=brain-mr'; may be given several times"
    )
    parser.add_argument("--evaluate", action="append", default=[], metavar="OVERRIDES", help=again)
    parser.add_argument("--scored", type=Path, nargs="+", default=[], help="result.json of evaluations that were done")
    for word in WORDS:
        parser.add_argument(f"--{word}", required=True)
    like = "network of the package that was trained on the same images, whose card has the words that aren't typed"
    parser.add_argument("--like", choices=sorted(shipped()), help=like)
    for word in OF_IMAGES:
        parser.add_argument(f"--{word}")
    typed = parser.parse_args()
    for word in OF_IMAGES:
        if getattr(typed, word) is None:
            if typed.like is None:
                parser.error(f"--{word} or --like is needed")
            setattr(typed, word, shipped()[typed.like].card()[word])
    return typed


if __name__ == "__main__":
    given = asked()
    results = [json.loads(each.read_text(encoding="utf-8")) for each in given.scored]
    results += [evaluated(given.model_uri, shlex.split(each)) for each in given.evaluate]
    said = {word: getattr(given, word) for word in (*WORDS, *OF_IMAGES)}
    say(ship(given.model_uri, Shipped(given.name), results, said).address)
