"""What becomes of a search: figures and tables, the best trial as a preset, its network scored and registered."""

from __future__ import annotations

import json
import shlex
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from srexp.config.overrides import overrides_of, preset
from srexp.config.sections.base import Config
from srexp.config.sections.verbs import SearchConfig
from srexp.errors import SrexpError
from srexp.evaluation.run_description import scored
from srexp.evaluation.search_report.table import best_trials, comma_separated, markdown
from srexp.experiment import pipeline
from srexp.experiment.fitting import fit_network
from srexp.experiment.pipeline import Outcome, Plan
from srexp.experiment.search.search_job import (
    STUDY_TAG,
    TRIAL_TAG,
    SearchJob,
    base_overrides,
    repeating,
    trial_config,
    trial_folder,
)
from srexp.experiment.search.trial_worker import COURSE, WEIGHTS, kept_network
from srexp.experiment.task import Task
from srexp.search.study import Search
from srexp.system.files.atomic_files import write_whole
from srexp.system.files.json_files import DamagedError
from srexp.system.profiling import Stopwatch
from srexp.tracking.pages import picture
from srexp.tracking.runs import groups, queries
from srexp.tracking.runs.run import Run
from srexp.training.fit import Fitted
from srexp.types import Network, Trial


def finalize(job: SearchJob, parent: Run, watch: Stopwatch) -> tuple[dict[str, Any], Outcome]:
    """Show what a search found, and make its best network a candidate.

    Args:
        job: The search, with all its trials.
        parent: The open run of the search.
        watch: Times the stages.

    Returns:
        `result.json`: counts, the best trial, and what its network scored on the test images, which no trial saw; and
        the outcome of that last run.

    Raises:
        SrexpError: No trial finished.
    """
    engine, trials = job.engine, job.study.trials()
    with watch("figures"):
        drawn = _show(parent, trials, engine)
    front = best_trials(trials, engine.objectives, n=1)
    if not front:
        raise SrexpError(
            f"no trial of the search {engine.name} finished: all {len(trials)} were pruned or failed",
            fix=f"search.trials={engine.trials + 10}, a milder pruner, or a narrower space",
        )
    best = front[0]
    chosen = _config(job.config, best)
    name = f"best_{engine.name}"
    again = _again(job.config, name)
    text = preset(chosen, _header(engine, best, parent.id, again))
    write_whole(job.config.paths.studies / "experiment" / f"{name}.yaml", text)
    parent.log_text(text, "best.yaml")
    outcome = _final(job, chosen, best, parent.id, watch)
    final = outcome.result
    parent.set_tags({"best_trial": best.number, "best_run": best.facts.get("run_id", ""), "final_run": final["run_id"]})
    own = {
        "best_val_psnr": max(best.curve.values()),
        "test_psnr": final["test"]["psnr"],
        "gain_db": final["gain_db"],
    }
    parent.log_metrics({name: value for name, value in own.items() if value is not None}, step=0)
    result = {
        "run_id": parent.id,
        "experiment_name": final["experiment_name"],
        "study": engine.name,
        "trials": dict(Counter(trial.state for trial in trials)),
        "best": {
            "number": best.number,
            "values": dict(best.values),
            "objectives": dict(zip(engine.objectives, best.objectives or (), strict=True)),
            "run_id": best.facts.get("run_id"),
            "overrides": overrides_of(chosen),
        },
        "front": [trial.number for trial in front],
        "preset": f"+experiment={name}",
        "again": again,
        "final_run_id": final["run_id"],
        **{key: final[key] for key in ("model_uri", "registered", "validation", "test", "baseline", "gain_db")},
        **{key: final[key] for key in ("gain_ci95", "p_value", "protocol", "data_fingerprint", "warnings")},
        "seconds": watch.seconds(),
    }
    told = scored(final, chosen.model.name, verb="search", typed=job.config.typed, picture="")
    parent.describe(f"{told}\n\n{picture(drawn, 'trials of the search')}" if drawn else told)
    return result, outcome


def _show(parent: Run, trials: Sequence[Trial], engine: Search) -> str | None:
    """Log the figures, as pictures and as one page, the table of the best trials, and the objectives over the trials.

    Returns:
        Path of the first picture; None where there is none.
    """
    from srexp.evaluation.search_report.figures import figures, left_out
    from srexp.evaluation.search_report.page import page

    space, objectives = engine.parsed.describe(), engine.objectives
    bicubic = next((fact for trial in trials if (fact := trial.facts.get("bicubic_val_psnr")) is not None), None)
    drawn = figures(trials, objectives, space, bicubic_psnr=bicubic)
    for name, each in drawn.items():
        for place, figure in enumerate(each.pictures, start=1):
            parent.log_figure(figure, f"search/{name}{'' if place == 1 else f'_{place}'}.png")
    title = f"Search {engine.name}"
    parent.log_text(page(drawn, title, left_out(trials, objectives, space)), "search/search.html")
    for trial in trials:
        reached = dict(zip(objectives, trial.objectives or (), strict=False))
        parent.log_metrics({f"objective/{name}": value for name, value in reached.items()}, step=trial.number)
    best = best_trials(trials, objectives)
    parent.log_text(markdown(best, objectives), "search/best.md")
    parent.log_text(comma_separated(best, objectives), "search/best.csv")
    return next((f"search/{name}.png" for name in drawn), None)


def _config(config: SearchConfig, best: Trial) -> Config:
    run_dir = config.run_dir / "best"
    run_dir.mkdir(parents=True, exist_ok=True)
    return trial_config(
        base_overrides(config),
        best.values,
        best.facts.get("epochs"),
        run_dir=run_dir,
        run_name=f"{config.search.name} best, trial {best.number}",
    )


def _final(job: SearchJob, chosen: Config, best: Trial, parent: str, watch: Stopwatch) -> Outcome:
    """Take the best network as it is, or train it once more; score it on the test images and register it."""
    store = job.tracking.store
    asked = {"trial": best.number, "retrained": job.engine.retrain}
    known = job.study.about().get("final") or {}
    if asked.items() <= known.items() and (earlier := queries.read_json(store, known["run_id"], "result.json")):
        return Outcome(earlier, chosen.model.name)

    def obtain(task: Task, tracked: Run) -> tuple[Network, Fitted]:
        # Before its result is there: one that is found without it isn't taken, and one with it is never made twice.
        job.study.describe(final={**asked, "run_id": tracked.id})
        return fit_network(task, tracked) if job.engine.retrain else _taken(job, best, task)

    with watch("data"):
        task = Task(chosen)
    tags = {
        **job.config.tags,
        STUDY_TAG: job.engine.name,
        TRIAL_TAG: best.number,
        "overrides": repeating(chosen),
    }
    return pipeline.run(task, job.tracking, watch, Plan(parent=parent, tags=tags, obtain=obtain))


def _taken(job: SearchJob, best: Trial, task: Task) -> tuple[Network, Fitted]:
    """Take the network of a trial from its folder, or from its run where that has none, or a damaged one."""
    folder = trial_folder(job.config, best.number)
    if (folder / WEIGHTS).is_file() and (folder / COURSE).is_file():
        with suppress(DamagedError):
            return kept_network(folder, task)
    with tempfile.TemporaryDirectory(prefix="srexp-") as scratch:
        return kept_network(groups.fetch(job.tracking.store, str(best.facts["run_id"]), "network", Path(scratch)), task)


def _again(config: SearchConfig, name: str) -> str:
    """Say how to train by the preset of a search: its choices may be files of `--config-dir`."""
    return shlex.join(["python", "-m", "srexp", *config.changed(overrides=[f"+experiment={name}"]).typed])


def _header(engine: Search, best: Trial, run_id: str, again: str) -> str:
    pairs = zip(engine.objectives, best.objectives or (), strict=True)
    found = ", ".join(f"{objective} {value:.4g}" for objective, value in pairs)
    return (
        f"The best of the search {engine.name}: trial {best.number}, chosen on validation images.\n"
        f"  {again}\n"
        f"Result: {found}. Values: {json.dumps(dict(best.values))}. MLflow run of the search: {run_id}."
    )
