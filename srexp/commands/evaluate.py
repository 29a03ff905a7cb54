"""`evaluate`: a model that exists, or plain interpolation, scored beside bicubic on any data set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from srexp.commands.printing import console
from srexp.config.builders import build
from srexp.config.override_grammar import key_of
from srexp.config.sections.verbs import EvaluateConfig
from srexp.config.shards import Shard
from srexp.data.sources.source import Split
from srexp.errors import RequestError
from srexp.evaluation.cost import cost
from srexp.evaluation.score import Scores
from srexp.experiment import network
from srexp.experiment.multirun.shared_scores import SharedScores
from srexp.experiment.recorded_config import TRAINING, dated, log_request, run_of
from srexp.experiment.run_pictures import describe, draw_scored, score_and_draw
from srexp.experiment.scoring import figures_of, require_scorable, result_of, warnings_of
from srexp.experiment.task import Task
from srexp.experiment.trained.loaded_model import NO_FILE, awaited, loaded_for
from srexp.models.interpolation import METHODS
from srexp.models.interpolation import build as interpolation
from srexp.system.memory import peak_rss_mb
from srexp.system.profiling import Stopwatch
from srexp.tracking.registry import models
from srexp.tracking.runs import queries
from srexp.tracking.runs.run import Run
from srexp.tracking.runs.tracking import Tracking
from srexp.tracking.store import addresses
from srexp.tracking.store.lineage import input_of
from srexp.training.fit import Fitted
from srexp.types import Network

_NAMED = 3


def run(config: EvaluateConfig) -> dict[str, Any]:
    """Score a model on images of its task or of another one, and keep that as a run.

    Args:
        config: Checked configuration, with `model_uri` and `split`.

    Returns:
        `result.json`: `test` and `baseline` as of a training, all metrics with their spread, and what is known of the
        model; the rows lie beside it as CSV and Parquet.

    Raises:
        RequestError: There is no such model, it doesn't fit the data or the scale, or the data set is wrong.
        SrexpError: The model gives values that are no numbers, or the store refused.
    """
    watch, shard = Stopwatch(), Shard.read(config.shard) if config.shard else None
    config = _unshared(config)
    tracking: Tracking = build(config.tracking, folder=config.paths.root)
    found = _found(tracking, config)
    with watch("data"):
        task = Task(config, whole=config.split == "all")
    split: Split = "test" if config.split == "all" else config.split
    require_scorable(task, split)
    with watch("load"):
        model, digest = _model(tracking, found, task)
    evaluation = _Evaluation(watch, tracking, task, split, found, model, digest)
    return evaluation.of_shard(shard) if shard else evaluation.result()


def _unshared(config: EvaluateConfig) -> EvaluateConfig:
    """Give the configuration of what all shards come to together."""
    typed = [each for each in config.overrides if key_of(each) != "shard"]
    return config.changed(shard=None, overrides=typed)


@dataclass(frozen=True)
class _Evaluation:
    """A model that is scored on a split of the images of a task."""

    watch: Stopwatch
    tracking: Tracking
    task: Task
    split: Split
    found: addresses.Found | None
    model: Network
    digest: str | None

    def of_shard(self, shard: Shard) -> dict[str, Any]:
        """Score the images of a shard, and where it is the last one to end, keep all of them together as a run."""
        shared = SharedScores(self.task, self.split, shard, model=self.digest)
        with self.watch("evaluate"):
            shared.score(network.predictor(self.model, self.task.config))
        with shared.turn():
            if (earlier := shared.kept()) and _is_stored(self.tracking, earlier["run_id"]):
                console.shard(str(shard), earlier["test"]["n_images"], joined=earlier["run_id"])
                return {**earlier, "skipped": True}
            if missing := shared.missing():
                console.shard(str(shard), shared.images, missing=missing)
                return {
                    "run_id": None,
                    "experiment_name": self.task.name,
                    "model_uri": self.task.config.resolved["model_uri"],
                    "split": self.task.config.resolved["split"],
                    "shard": str(shard),
                    "n_images": shared.images,
                    "missing_shards": missing,
                    "data_fingerprint": self.task.prepared.fingerprint,
                    "warnings": [],
                    "seconds": self.watch.seconds(),
                    "peak_rss_mb": peak_rss_mb(),
                }
            result = self.result(shared)
            shared.keep(result)
        return result

    def result(self, shared: SharedScores | None = None) -> dict[str, Any]:
        """Score the images, unless shards have done so, and keep that as a run."""
        task, split, watch, model = self.task, self.split, self.watch, self.model
        config: EvaluateConfig = task.config  # type: ignore[assignment]  # the task of this command
        trained_on, warnings = _leak(self.tracking, self.found, task, split)
        known = {
            "verb": "evaluate",
            "model": model.name,
            "model_uri": config.model_uri,
            "split": config.split,
            "leak": "unknown" if trained_on is None else str(any(trained_on.values())).lower(),
        }
        shipped = self.found.shipped if self.found else None  # of which several have one kind of network
        name = dated(f"evaluate {shipped.name if shipped else model.name} on {config.split}")
        with run_of(task, self.tracking, name=name, tags=known) as tracked:
            with watch("track"):
                log_request(tracked, task, without=TRAINING)
            with watch("evaluate"):
                scores, shards = self._scores(tracked, shared)
            scores.write_csv(config.run_dir / "test.csv")
            scores.write_parquet(config.run_dir / "test.parquet")
            origin = {key: getattr(self.found, key, None) for key in ("registered", "version", "model_id", "run_id")}
            result = {
                "run_id": tracked.id,
                **result_of(scores, task),
                "metrics": _metrics(scores, config.seed),
                "model_uri": config.model_uri,
                "model": {"name": model.name, "parameters": cost(model).parameters, "digest": self.digest, **origin},
                "split": config.split,
                "trained_on": trained_on,
                "warnings": [*warnings, *warnings_of(scores), *task.findings(split)],
                **({"shards": shards} if shards else {}),
            }
            with watch("track"):
                _log(tracked, task, self.found, split, scores)
            result |= {"seconds": watch.seconds(), "peak_rss_mb": peak_rss_mb()}
            describe(tracked, task, result, model_name=model.name)
            tracked.log_result(result)
        result = tracked.answered(result)
        console.evaluation(result, tracked.kept(config.overrides))
        return result

    def _scores(self, tracked: Run, shared: SharedScores | None) -> tuple[Scores, list[dict[str, Any]]]:
        """Give the scores, drawn in the run, and how long each shard took to find them."""
        model, named = self.model, {"model_name": self.model.name, "split": self.split}
        if shared is None:
            return score_and_draw(model, self.task, tracked, Fitted(), **named), []
        scores, shards = shared.joined()
        draw_scored(model, self.task, tracked, scores, **named)
        return scores, shards


def _is_stored(tracking: Tracking, run_id: str | None) -> bool:
    """Whether a run is there still; one that waits to be sent is."""
    try:
        return run_id is None or bool(queries.get_run(tracking.store, run_id))
    except RequestError:
        return False


def _found(tracking: Tracking, config: EvaluateConfig) -> addresses.Found | None:
    """Find the model before images are read; None stands for interpolation."""
    if config.model_uri in METHODS:
        models.require_digest(config.model_uri, NO_FILE, config.require_digest)
        return None
    if config.model_uri is None:
        raise RequestError(
            "model_uri is missing",
            expected=", ".join([*METHODS, addresses.ADDRESSES]),
            fix=f"model_uri=models:/{config.experiment_name}@candidate",
        )
    return awaited(tracking.store, config.model_uri, others=METHODS)


def _model(tracking: Tracking, found: addresses.Found | None, task: Task) -> tuple[Network, str | None]:
    """Load the model, with the digest of its file; interpolation has none."""
    config: EvaluateConfig = task.config  # type: ignore[assignment]  # the task of this command
    network.prepare(config)
    if found is None:
        method = interpolation(config.scale, task.channels, method=config.model_uri)  # type: ignore[arg-type]  # a key of METHODS
        return method, None
    loaded = loaded_for(task, tracking.store, found, digest=config.require_digest)
    return loaded.model, loaded.digest


def _leak(
    tracking: Tracking, found: addresses.Found | None, task: Task, split: Split
) -> tuple[dict[str, int] | None, list[str]]:
    """Look for scored images that the model has seen: their number by split of its training, and sentences."""
    if found is None:
        return {"train": 0, "validation": 0}, []
    seen = models.training_images(tracking.store, found)
    if seen is None:
        return None, [
            f"it isn't known which images {found.uri} was trained on, so some of those scored here may be among them"
        ]
    entries = task.prepared.entries[split]
    means = {
        "train": "the model was trained on, so the figures say nothing about new ones",
        "validation": "decided which weights of the model were kept",
    }
    warnings, counts = [], {}
    for purpose, meaning in means.items():
        keys = [entry.key for entry in entries if seen.get(entry.sha256) == purpose]
        counts[purpose] = len(keys)
        if keys:
            rest = f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else ""
            named = f"{', '.join(keys[:_NAMED])}{rest}"
            warnings.append(f"{len(keys)} of {len(entries)} scored images are ones that {meaning}: {named}")
    return counts, warnings


def _metrics(scores: Scores, seed: int) -> dict[str, Any]:
    """Give every metric with its spread, of the model, of bicubic, and what the one is better by."""
    return {
        metric: {
            "model": scores.spread(metric, "model", seed=seed),
            "bicubic": scores.spread(metric, "baseline", seed=seed),
            "gain": scores.gain(metric, seed=seed).as_dict(),
        }
        for metric in scores.metrics
    }


def _log(tracked: Run, task: Task, found: addresses.Found | None, split: Split, scores: Scores) -> None:
    """Log the figures under the names that trainings use, and once more on the page of the model."""
    figures = figures_of(scores)
    tracked.log_metrics(figures, step=0)
    if found and found.model_id:
        dataset = input_of(task.config.dataset.name, task.prepared.fingerprint, split)
        # Names of their own: `test_psnr` of a model is what its training led to.
        own = {name.removeprefix("test_"): value for name, value in figures.items() if not name.startswith("bicubic_")}
        linked = {f"evaluate_{name}": value for name, value in own.items()}
        models.link(tracked, found.model_id, linked, dataset=dataset.name, digest=dataset.digest)
