"""A version beside the champion and bicubic, and what comes out of it: the case for the gate, tables and evidence."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from srexp.evaluation.promotion_gate import LEAKS, Case, Criterion, Rival, rival
from srexp.evaluation.score import Scores
from srexp.experiment.promotion.candidate import Candidate, inference_seconds, scored_champion
from srexp.experiment.task import Task
from srexp.tracking.runs import environment
from srexp.tracking.store.store import Store


@dataclass(frozen=True, kw_only=True)
class Challenge:
    """A version against bicubic, the champion, and whoever else is to be beaten.

    Args:
        task: What they were scored on.
        tags: What the version's training said of it.
        ours: The version.
        champion: Today's champion; None before the first promotion.
        seconds: Median inference time of each by its name, measured in turns.
        others: Further models that it must beat.
    """

    task: Task
    tags: Mapping[str, str]
    ours: Candidate
    champion: Candidate | None
    seconds: Mapping[str, float]
    others: Sequence[Candidate] = ()

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
        """Compare the version with bicubic, with the champion and with the others."""
        scores, seed = self.ours.scores, self.task.config.seed
        if scores is None:
            return []
        found = [
            rival("bicubic", scores, scores.values("psnr", "baseline"), scores.values("ssim", "baseline"), seed=seed)
        ]
        against = {"the champion": self.champion, **{each.name: each for each in self.others}}
        for name, other in against.items():
            if other and (theirs := other.scores):
                found.append(rival(name, scores, theirs.values("psnr"), theirs.values("ssim"), seed=seed))
            elif other:
                found.append(Rival(name=name, lacking=f"it can't be scored here ({other.lacking})"))
        return found

    def table(self) -> list[dict[str, Any]]:
        """Give the means of version, champion, others and bicubic, with their times."""
        rows = [{"who": each.name, **each.means(), "seconds": self.seconds.get(each.name)} for each in self._all()]
        if scores := self._scores():
            rows.append({"who": "bicubic", **scores.means("baseline"), "seconds": None})
        return rows

    def winner(self) -> str:
        """Name who restores best: version, champion, another, or bicubic."""
        means = {each.name: each.scores.ranking_mean() for each in self._all() if each.scores}
        if scores := self._scores():
            means["bicubic"] = scores.ranking_mean("baseline")
        return max(means, key=means.__getitem__) if means else self.ours.name

    def images(self) -> list[dict[str, Any]]:
        """Give one row for each test image, with everybody's figures."""
        if self.ours.scores is None:
            return []
        theirs = {
            f"{prefix}_": each.scores.rows if each.scores else ()
            for prefix, each in [("champion", self.champion), *((each.name, each) for each in self.others)]
            if each
        }
        rows = []
        for place, row in enumerate(self.ours.scores.rows):
            others = {prefix: known[place].model if known else {} for prefix, known in theirs.items()}
            known = {"": row.model, **others, "bicubic_": row.baseline}
            figures = {f"{who}{metric}": values.get(metric) for who, values in known.items() for metric in row.model}
            rows.append({"key": row.key, "height": row.height, "width": row.width, "sha256": row.sha256, **figures})
        return rows

    def notes(self) -> list[str]:
        """Say what else limits the comparison."""
        notes = self.task.findings()
        images = len(self.task.prepared.entries["test"])
        if self.champion and self.champion.saw:
            notes.append(
                f"the champion was trained with another split: it has seen {self.champion.saw} of these {images} test "
                "images, which flatters it"
            )
        for each in self.others:
            if each.saw is None:
                notes.append(f"it isn't known which images {each.name} was trained on, so some may be among the tested")
            elif each.saw:
                notes.append(f"{each.name} has seen {each.saw} of these {images} test images, which flatters it")
        return notes

    def _all(self) -> list[Candidate]:
        return [each for each in (self.ours, self.champion, *self.others) if each]

    def _scores(self) -> Scores | None:
        """Give figures of anybody, for bicubic's beside them."""
        return next((each.scores for each in self._all() if each.scores), None)

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
        if self.champion is None or self.champion.name not in self.seconds:
            return None
        return self.seconds[self.ours.name] / self.seconds[self.champion.name]


def challenge(
    store: Store,
    name: str,
    task: Task,
    ours: Candidate,
    *,
    tags: Mapping[str, str],
    over: int | None,
    others: Sequence[Candidate] = (),
) -> Challenge:
    """Set a version against the champion of the moment, and against others.

    Args:
        store: Where models are kept.
        name: Registered model.
        task: What they are scored on.
        ours: The version, scored.
        tags: What the version's training said of it.
        over: Today's champion; None before the first promotion.
        others: Further models that it must beat, scored.

    Returns:
        What the gate is asked about.
    """
    champion = None if over is None else scored_champion(store, name, over, task)
    timed = {each.name: each.predict for each in (ours, champion, *others) if each and each.predict}
    return Challenge(
        task=task,
        tags=tags,
        ours=ours,
        champion=champion,
        seconds=dict(zip(timed, inference_seconds(task, list(timed.values())), strict=True)),
        others=others,
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
        "rivals": {each.name: each.digest for each in found.others},
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
