"""Runs that are to be compared: which ones, what their artifacts hold, and whether they may be compared at all."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from srexp.config.sections.verbs import CompareConfig
from srexp.errors import RequestError
from srexp.evaluation.comparison.standings import BASELINE, Point
from srexp.evaluation.timing import Timing
from srexp.experiment.comparison.entry import BICUBIC, Entry, as_written
from srexp.experiment.recorded_config import kept_by, undated
from srexp.metrics.protocol import completed
from srexp.metrics.psnr import apart
from srexp.system.masking import pseudonyms
from srexp.tracking.names import DEBUG_TAG
from srexp.tracking.runs import queries
from srexp.tracking.runs.queries import StoredRun, read_json, read_rows
from srexp.tracking.store import addresses
from srexp.tracking.store.addresses import Found
from srexp.tracking.store.parameters import flatten
from srexp.tracking.store.store import Store

#: More models than this have no colours by which they could be told apart.
MOST = 12

#: What runs may lack that are compared: older ones have no digests of single images, the fingerprint speaks for them;
#: and LPIPS is measured where it is asked for only.
_LACKING = ("pixels of the test images", "protocol.lpips")
_TRUE_EVERYWHERE = 0.01  # dB by which bicubic may differ between machines on the same images
_IMAGE = ("key", "height", "width", "bits")
_SCORES = "scores/test.csv"
_KEY = "key of pseudonyms"
_SHARED = f"; who shares a store should share {pseudonyms.VARIABLE} from the first run on"


def unrecorded(store: Store, config: CompareConfig) -> list[Found]:
    """Find the models of a request that no run of the store trained, each once.

    Args:
        store: Where.
        config: With `models`.

    Raises:
        RequestError: There is no such model.
    """
    every = (addresses.find(store, uri) for uri in config.models)
    return list({found.address: found for found in every if found.run_id is None}.values())


def find(store: Store, config: CompareConfig) -> tuple[list[Entry], list[str]]:
    """Find the runs of a request and read them.

    Args:
        store: Where.
        config: With `runs` and `models`; where they name no run, those of `experiment_name`.

    Returns:
        At least one entry, by name; and notes on what was left out.

    Raises:
        RequestError: A run doesn't exist, wasn't scored, or can't be compared with the others.
    """
    given = {each.uri for each in unrecorded(store, config)}
    named = [*config.runs, *(queries.run_of_model(store, uri) for uri in config.models if uri not in given)]
    chosen = [queries.get_run(store, run_id) for run_id in dict.fromkeys(named)] or [
        run for run in queries.runs_of(store, config.experiment_name) if _is_trained(store, run)
    ]
    if not chosen:
        raise RequestError(
            "the experiment has no finished training to compare",
            got=config.experiment_name,
            expected="finished trainings; smoke runs and trials of searches count only when they are named",
            fix="runs=[ID,ID]",
        )
    every = _named([called_as_asked(config, _read(store, run)) for run in chosen])
    require_comparable(every)
    best = every if named or config.select == "all" else _best_of_each(every)
    left_out = len(every) - len(best)
    note = f"Of each model the run with the best validation PSNR was taken; {left_out} others were left out."
    return [_completed(store, each, config.paths.root) for each in best], [note] if left_out else []


def _is_trained(store: Store, run: StoredRun) -> bool:
    """Tell whether a run is a training of its own: no smoke run, no trial of a search, no parent, no other verb."""
    parent = run.tags.get("mlflow.parentRunId")
    if "model" not in run.tags or DEBUG_TAG in run.tags or run.tags.get("verb", "train") != "train":
        return False
    # Parents of multiruns say which; the other parents are those of searches.
    return parent is None or "srexp.sweep" in queries.get_run(store, parent).tags


def _read(store: Store, run: StoredRun) -> Entry:
    """Read as much as decides whether runs may be compared, and which of them are."""
    result, images = read_json(store, run, "result.json") or {}, read_rows(store, run, _SCORES)
    if not {"protocol", "data_fingerprint"} <= result.keys() or not images or run.status != "FINISHED":
        raise RequestError(
            f"run {run.run_id} can't be compared",
            got=f"{run.name!r}, {run.status}, {'with' if images else 'without'} scored test images",
            expected=f"a finished training, with result.json and {_SCORES}",
            fix="leave it out, or train it to the end",
        )
    with as_written(store, run, "result.json"):
        scored = int(result.get("test", {}).get("n_images", len(images)))
    if scored != len(images):
        raise queries.damaged(store, run, _SCORES, f"it has {len(images)} images, and result.json says {scored}")
    if not {"psnr", "ssim", "baseline_psnr", "baseline_ssim"} <= images[0].keys():
        raise RequestError(f"{_SCORES} of run {run.run_id} lacks columns", expected="psnr and ssim of each image")
    entry = Entry(
        run=run,
        name=str(run.tags.get("model") or run.name or run.run_id[:8]),
        result=result,
        images=images,
        listed=_names_of_old(store, run),
    )
    with as_written(store, run, _SCORES):
        entry.figures(), entry.figures(BICUBIC)
    with as_written(store, run, "result.json"):
        completed(result["protocol"]), _validation(entry), entry.contender()
    return entry


def _completed(store: Store, entry: Entry, root: Path) -> Entry:
    """Read the rest, which those that are left out needn't have."""
    run, times = entry.run, read_json(store, entry.run, "inference_times.json") or {}
    with as_written(store, run, "inference_times.json"):
        timings = {label: _timing(each) for label, each in times.items()}
    return replace(
        entry,
        timings=timings,
        curve=learning_curve(store, run.run_id, entry.result.get("seconds", {}).get("train")),
        config=kept_by(store, run.run_id, root),
        environment=read_json(store, run, "environment.json") or {},
    )


def called_as_asked(config: CompareConfig, entry: Entry) -> Entry:
    """Call the images of a run by pseudonyms, which older runs didn't, or by their names where that was asked.

    Args:
        config: Of the comparison.
        entry: The run.

    Returns:
        The run with other names.
    """
    images, result = entry.images, entry.result
    if entry.listed:
        pseudonyms.note(entry.listed)
        result = pseudonyms.pseudonymised(result)
    keys = {key: pseudonyms.pseudonym(key) for key in entry.keys}
    if config.names:
        known = pseudonyms.lookup()
        keys = {key: known.get(called, called) for key, called in keys.items()}
        result = {**result, "warnings": [*map(pseudonyms.named, result.get("warnings", []))]}
    return replace(entry, result=result, images=[{**image, "key": keys[image["key"]]} for image in images])


def _names_of_old(store: Store, run: StoredRun) -> list[str]:
    rows = [] if pseudonyms.TAG in run.tags else read_rows(store, run, "data/manifest.csv")
    return [row["image"] for row in rows if "image" in row]


def _timing(known: Mapping[str, Any]) -> Timing:
    low, high = known["quartiles"]
    return Timing(tuple(known["shape"]), tuple(known["samples"]), known["median"], (low, high), known["warmup"])


def learning_curve(store: Store, run_id: str, train_seconds: float | None) -> list[Point]:
    """Give validation PSNR against the time spent training, interruptions left out.

    Args:
        store: Where.
        run_id: Of the run.
        train_seconds: Of the whole training, validation included.

    Returns:
        A point for each epoch whose time is known: all, but for an interrupted run of a version that kept no time.
    """
    points = queries.history(store, run_id, "val_psnr")
    spent = {epoch: seconds for epoch, _, seconds in queries.history(store, run_id, "training_seconds")}
    if not spent and points:  # an older run; when epochs ended says it as well, if nothing interrupted them
        begun = points[-1][1] - (train_seconds or 0)
        spent = {epoch: at - begun for epoch, at, _ in points if begun <= points[0][1]}
    return [Point(epoch, spent[epoch], psnr) for epoch, _, psnr in points if epoch in spent]


def _named(entries: Sequence[Entry]) -> list[Entry]:
    """Call each entry by its model, where that is unique; else by its run, with its minute or its id if need be."""
    names = [entry.name for entry in entries]
    ways: tuple[Callable[[Entry], str], ...] = (
        lambda entry: undated(entry.run.name),
        lambda entry: entry.run.name,
        lambda entry: f"{entry.name} {entry.run.run_id[:6]}",
    )
    for longer in ways:
        counts = Counter([*names, BASELINE])
        names = [longer(entry) if counts[name] > 1 else name for entry, name in zip(entries, names, strict=True)]
    return [replace(entry, name=name) for entry, name in zip(entries, names, strict=True)]


def _best_of_each(entries: Sequence[Entry]) -> list[Entry]:
    """Take the run with the best validation PSNR of each model; test figures have no say."""
    of_model: dict[str, list[Entry]] = {}
    for entry in entries:
        of_model.setdefault(entry.run.tags["model"], []).append(entry)
    return _named([replace(max(each, key=_validation), name=model) for model, each in of_model.items()])


def _validation(entry: Entry) -> float:
    psnr = entry.result.get("validation", {}).get("psnr")
    return float("inf") if psnr is None else float(psnr)


def require_comparable(entries: Sequence[Entry]) -> None:
    """Refuse runs whose figures don't mean the same.

    Args:
        entries: Runs.

    Raises:
        RequestError: Data, test images, protocol or bicubic differ; the values stand side by side.
    """
    sides = [_facts(entry) for entry in entries]
    differing = [key for key in dict.fromkeys(key for side in sides for key in side) if _differs(key, sides)]
    if differing:
        both = list(zip(entries, sides, strict=True))
        lines = [
            line
            for key in differing
            for line in (f"{key}:", *(f"  {_called(entry)}  {side.get(key, 'none')}" for entry, side in both))
        ]
        raise RequestError(
            f"these runs can't be compared, for they don't have the same {', '.join(differing)}:",
            lines=lines,
            expected="the same data and split, the same test images and the same protocol",
            fix=_largest_group(entries, sides) + _SHARED * (_KEY in differing),
        )
    first = entries[0].figures(BICUBIC)["psnr"]
    for entry in entries[1:]:
        values = entry.figures(BICUBIC)["psnr"]
        most = max(apart(one, other) for one, other in zip(values, first, strict=True))
        if not most <= _TRUE_EVERYWHERE:
            raise RequestError(
                "these runs can't be compared, for they scored bicubic interpolation differently on the same images",
                got=f"up to {most:.3f} dB between {_called(entries[0])} and {_called(entry)}",
                expected=f"at most {_TRUE_EVERYWHERE} dB, as two machines may round differently",
                fix="train one of them again with the version that trained the other",
            )


def require_few(entries: Sequence[Entry]) -> None:
    """Refuse more runs than colours can tell apart.

    Args:
        entries: Those that are shown.

    Raises:
        RequestError: There are more.
    """
    if len(entries) > MOST:
        raise RequestError(
            "these are too many runs to tell apart", got=len(entries), expected=f"at most {MOST}", fix="runs=[ID,ID]"
        )


def _facts(entry: Entry) -> dict[str, str]:
    """What must be equal, as texts."""
    images = [tuple(image.get(name, "") for name in _IMAGE) for image in entry.images]
    facts = {
        "data fingerprint": str(entry.result["data_fingerprint"]),
        "test images": _told(images),
        _KEY: entry.run.tags.get(pseudonyms.TAG, pseudonyms.fingerprint()),
        **{f"protocol.{key}": value for key, value in flatten(completed(entry.result["protocol"])).items()},
    }
    if all(image.get("sha256") for image in entry.images):
        facts["pixels of the test images"] = " ".join(image["sha256"][:8] for image in entry.images)
    return facts


def _told(images: Sequence[tuple[str, ...]]) -> str:
    shown = ", ".join(" ".join(image) for image in images[:3])
    more = f" and {len(images) - 3} more" if len(images) > 3 else ""  # noqa: PLR2004 - three are shown
    return f"{len(images)}: {shown}{more} ({hashlib.sha256(json.dumps(images).encode()).hexdigest()[:8]})"


def _differs(key: str, sides: Sequence[Mapping[str, str]]) -> bool:
    known = [side.get(key) for side in sides]
    return len({value for value in known if value is not None or key not in _LACKING}) > 1


def _called(entry: Entry) -> str:
    return f"{entry.run.run_id} ({entry.name})"


def _largest_group(entries: Sequence[Entry], sides: Sequence[Mapping[str, str]]) -> str:
    """Name the largest group of runs that agree, ready to be typed."""
    groups: dict[str, list[str]] = {}
    for entry, side in zip(entries, sides, strict=True):
        groups.setdefault(json.dumps(side, sort_keys=True), []).append(entry.run.run_id)
    largest = max(groups.values(), key=len)
    return f"runs=[{','.join(largest)}]" if len(largest) > 1 else "train them with the same data, seed and protocol"
