"""A version beside the champion and bicubic, and what comes out of it: the case for the gate, tables and evidence."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from srexp.errors import SrexpError
from srexp.evaluation.promotion_gate import LEAKS, Case, Criterion, Rival, rival
from srexp.experiment.promotion.candidate import Candidate, inference_seconds, scored_champion
from srexp.experiment.task import Task
from srexp.tracking.registry import models
from srexp.tracking.runs import environment
from srexp.tracking.store import addresses
from srexp.tracking.store.store import Store


@dataclass(frozen=True, kw_only=True)
class Challenge:
    """A version against bicubic and the champion.

    Args:
        task: What they were scored on.
        tags: What the version's training said of it.
        ours: The version.
        champion: Today's champion; None before the first promotion.
        seconds: Median inference time of the version and of the champion, measured in turns.
        champion_saw: Test images that the champion was trained on or chosen by; None when that isn't known.
    """

    task: Task
    tags: Mapping[str, str]
    ours: Candidate
    champion: Candidate | None
    seconds: Mapping[int, float]
    champion_saw: int | None = None

    def case(self) -> Case:
        """Give what the gate looks at."""
        mine = self.ours
        return Case(
            degenerate=self._degenerate(),
            leaks=self._leaks(),
            images=len(mine.scores.rows) if mine.scores else len(self.task.prepared.entries["test"]),
            figures=mine.means(),
            broken=mine.lacking,
            rivals=self.rivals(),
            slowdown=self._slowdown(),
        )

    def rivals(self) -> list[Rival]:
        """Compare the version with bicubic and with the champion."""
        scores, seed = self.ours.scores, self.task.config.seed
        if scores is None:
            return []
        found = [
            rival("bicubic", scores, scores.values("psnr", "baseline"), scores.values("ssim", "baseline"), seed=seed)
        ]
        if self.champion and self.champion.scores:
            theirs = self.champion.scores
            found.append(rival("the champion", scores, theirs.values("psnr"), theirs.values("ssim"), seed=seed))
        elif self.champion:
            found.append(Rival(name="the champion", lacking=f"it can't be scored here ({self.champion.lacking})"))
        return found

    def table(self) -> list[dict[str, Any]]:
        """Give the means of version, champion and bicubic, with their times."""
        scored = [each for each in (self.ours, self.champion) if each]
        rows = [{"who": each.name, **each.means(), "seconds": self.seconds.get(each.version)} for each in scored]
        if scores := self.ours.scores or (self.champion and self.champion.scores):
            rows.append({"who": "bicubic", **scores.means("baseline"), "seconds": None})
        return rows

    def winner(self) -> str:
        """Name who restores best: version, champion or bicubic."""
        means = {each.name: each.scores.ranking_mean() for each in (self.ours, self.champion) if each and each.scores}
        if scores := self.ours.scores or (self.champion and self.champion.scores):
            means["bicubic"] = scores.ranking_mean("baseline")
        return max(means, key=means.__getitem__) if means else self.ours.name

    def images(self) -> list[dict[str, Any]]:
        """Give one row for each test image, with everybody's figures."""
        if self.ours.scores is None:
            return []
        theirs = self.champion.scores.rows if self.champion and self.champion.scores else ()
        rows = []
        for place, row in enumerate(self.ours.scores.rows):
            champion = theirs[place].model if theirs else {}
            known = {"": row.model, "champion_": champion, "bicubic_": row.baseline}
            figures = {f"{who}{metric}": values.get(metric) for who, values in known.items() for metric in row.model}
            rows.append({"key": row.key, "height": row.height, "width": row.width, "sha256": row.sha256, **figures})
        return rows

    def notes(self) -> list[str]:
        """Say what else limits the comparison."""
        notes = self.task.findings()
        if self.champion and self.champion_saw:
            images = len(self.task.prepared.entries["test"])
            notes.append(
                f"the champion was trained with another split: it has seen {self.champion_saw} of these {images} test "
                "images, which flatters it"
            )
        return notes

    def _degenerate(self) -> bool | None:
        if self.task.degenerate:
            return True
        return {"true": True, "false": False}.get(self.tags.get("degenerate", ""))

    def _leaks(self) -> list[str] | None:
        """Put together what the audit of the training found and what it finds today."""
        if "audit" not in self.tags:
            return None
        kinds = {*self.tags["audit"].split(), *(finding.kind for finding in self.task.audit)}
        return [kind for kind in LEAKS if kind in kinds]

    def _slowdown(self) -> float | None:
        if self.champion is None or self.champion.version not in self.seconds:
            return None
        return self.seconds[self.ours.version] / self.seconds[self.champion.version]


def challenge(
    store: Store, name: str, task: Task, ours: Candidate, *, tags: Mapping[str, str], over: int | None
) -> Challenge:
    """Set a version against the champion of the moment.

    Args:
        store: Where models are kept.
        name: Registered model.
        task: What they are scored on.
        ours: The version, scored.
        tags: What the version's training said of it.
        over: Today's champion; None before the first promotion.

    Returns:
        What the gate is asked about.
    """
    champion = None if over is None else scored_champion(store, name, over, task)
    timed = {each.version: each.predict for each in (ours, champion) if each and each.predict}
    return Challenge(
        task=task,
        tags=tags,
        ours=ours,
        champion=champion,
        seconds=dict(zip(timed, inference_seconds(task, list(timed.values())), strict=True)),
        champion_saw=None if over is None else _seen(store, name, over, task),
    )


def evidence(found: Challenge, criteria: Sequence[Criterion]) -> dict[str, Any]:
    """Put together why a version is promoted, or isn't.

    Args:
        found: The challenge.
        criteria: What the gate says.

    Returns:
        Ready for JSON: who was compared, on what, how, when and with which code, and what came out.
    """
    return {
        **when_and_by_which_code(),
        "digest": found.ours.digest,
        "champion": found.champion and found.champion.version,
        "winner": found.winner(),
        "failed": [each.name for each in criteria if not each.holds],
        "n_images": found.case().images,
        "data_fingerprint": found.task.prepared.fingerprint,
        "protocol": found.task.protocol(),
        "table": found.table(),
        "gains": {each.name: each.psnr and each.psnr.as_dict() for each in found.rivals()},
        "gate": [each.as_dict() for each in criteria],
    }


def when_and_by_which_code() -> dict[str, Any]:
    """Give the date, the commit of this code, and whether it was changed since."""
    return {"date": time.strftime("%Y-%m-%dT%H:%M:%S%z"), **environment.code()}


def _seen(store: Store, name: str, version: int, task: Task) -> int | None:
    """Count the test images that a version was trained on, or chosen by."""
    try:
        seen = models.training_images(store, addresses.find(store, f"models:/{name}/{version}"))
    except SrexpError:
        return None
    return None if seen is None else sum(entry.sha256 in seen for entry in task.prepared.entries["test"])
