"""Search with Optuna: its samplers choose the values, its pruners give hopeless trials up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import numpy as np
from pydantic import Field

from srexp.errors import RequestError
from srexp.search.optuna.storage import parse_url, quiet
from srexp.search.study import Search, Study

if TYPE_CHECKING:
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler

Sampler: TypeAlias = Literal["tpe", "gp", "cma_es", "nsga2", "qmc", "random", "grid"]
Pruner: TypeAlias = Literal["halving", "hyperband", "median", "wilcoxon", "none"]

_NEEDS = {"gp": [("torch", "gp")], "cma_es": [("cmaes", "cmaes")]}  # packages, and our extras that bring them
_FOR_SEVERAL = ("tpe", "nsga2", "qmc", "random", "grid")
_DIMENSIONS_OF_CMA = 2


@dataclass(frozen=True, kw_only=True)
class Optuna(Search):
    """The section `search` with Optuna as its engine: the keys of `Search`, and those of sampler and pruner.

    Args:
        sampler: How values are chosen: `tpe` (tree-structured Parzen estimator, Bergstra et al. 2011), `gp` (Gaussian
            process), `cma_es` (numbers only), `nsga2` (genetic), `qmc` (evenly spread), `random`, or `grid` (each
            combination once).
        startup_trials: Trials drawn at random before the sampler learns from them; also the population of nsga2.
        pruner: What gives trials up: `halving` (asynchronous successive halving, Li et al. 2020), `hyperband`
            (Li et al. 2018: halving that begins at several lengths), `median` (of the trials before), `wilcoxon`
            (signed ranks against the best trial), or `none`.
        min_epochs: Epochs that every trial gets.
        reduction: Of halving and hyperband: one in so many trials goes on to so many times the epochs.
        p_threshold: Of wilcoxon: significance below which a trial is given up.

    Example:
        >>> from pathlib import Path
        >>> space = {"optimizer.lr": {"type": "float", "low": 1e-5, "high": 1e-2, "log": True}}
        >>> Optuna(folder=Path("study"), name="lr", space=space).pruner
        'halving'
    """

    sampler: Sampler = "tpe"
    startup_trials: Annotated[int, Field(ge=1)] = 10
    pruner: Pruner = "halving"
    min_epochs: Annotated[int, Field(ge=1)] = 1
    reduction: Annotated[int, Field(ge=2)] = 3
    p_threshold: Annotated[float, Field(gt=0, lt=1)] = 0.1

    def __post_init__(self) -> None:
        """Refuse what Optuna can't do, and what is not installed."""
        super().__post_init__()
        several = len(self.objectives) > 1
        if several and self.pruner != "none":
            raise RequestError(
                f"search.pruner={self.pruner} can't prune for several objectives: Optuna compares trials by one value",
                fix="search.pruner=none, or search.objectives=[val_psnr]",
            )
        if several and self.sampler not in _FOR_SEVERAL:
            raise RequestError(f"search.sampler={self.sampler} seeks one objective", expected=" or ".join(_FOR_SEVERAL))
        if self.pruner != "none" and self.objectives != ["val_psnr"]:
            raise RequestError(
                f"search.pruner={self.pruner} judges by val_psnr, which isn't sought", fix="search.pruner=none"
            )
        for package, extra in _NEEDS.get(self.sampler, ()):
            if find_spec(package) is None:
                raise RequestError(
                    f"search.sampler={self.sampler} needs {package}, which is not installed",
                    fix=f'pip install "srexp[{extra}]"',
                )
        if self.sampler == "cma_es":
            self._check_numbers()
        if self.storage is not None:
            parse_url(self.storage)

    def _check_numbers(self) -> None:
        numbers = [each.name for each in self.parsed.parameters if each.kind != "categorical" and not each.when]
        if len(numbers) < _DIMENSIONS_OF_CMA:
            raise RequestError(
                "search.sampler=cma_es adapts the spread of at least two numbers without condition",
                got=numbers,
                fix="search.sampler=tpe",
            )

    @property
    def is_grid(self) -> bool:
        """Whether each combination of values is tried once, in order."""
        return self.sampler == "grid"

    def open(self, *, seed: int, epochs: int) -> Study:
        """Open the study in `folder` or `storage`, or begin it."""
        from srexp.search.optuna.study import OptunaStudy

        own = seed if self.seed is None else self.seed
        return OptunaStudy(self, self.build_pruner(epochs), lambda number: self.build_sampler(own, number))

    def build_sampler(self, seed: int, number: int) -> BaseSampler:
        """Build the sampler for one trial.

        Its draws are a function of the seed, the number and what came of the trials before, so that a search that
        goes on neither repeats itself nor depends on which worker draws.

        Args:
            seed: Of the search.
            number: Of the trial.
        """
        from optuna import samplers

        own = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
        first = self.startup_trials
        with quiet():
            if self.sampler == "tpe":
                together = len(self.objectives) == 1 and any(each.when for each in self.parsed.parameters)
                return samplers.TPESampler(seed=own, n_startup_trials=first, group=together)
            if self.sampler in ("gp", "cma_es"):
                kind = samplers.GPSampler if self.sampler == "gp" else samplers.CmaEsSampler
                return kind(seed=own, n_startup_trials=first, warn_independent_sampling=False)
            if self.sampler == "nsga2":
                return samplers.NSGAIISampler(seed=own, population_size=max(2, first))
            if self.sampler == "qmc":  # one sequence for all trials, whose place in it is kept in the study
                spread = samplers.RandomSampler(seed=own)
                return samplers.QMCSampler(
                    seed=seed, scramble=True, independent_sampler=spread, warn_independent_sampling=False
                )
            return samplers.RandomSampler(seed=own)

    def build_pruner(self, epochs: int) -> BasePruner:
        """Build the pruner.

        Args:
            epochs: Of a trial that isn't pruned.
        """
        from optuna import pruners

        least = min(self.min_epochs, epochs)
        with quiet():
            kinds: dict[str, Callable[[], BasePruner]] = {
                "hyperband": lambda: pruners.HyperbandPruner(least, epochs, self.reduction),
                "halving": lambda: pruners.SuccessiveHalvingPruner(least, self.reduction),
                "median": lambda: pruners.MedianPruner(n_warmup_steps=least),
                "wilcoxon": lambda: pruners.WilcoxonPruner(p_threshold=self.p_threshold, n_startup_steps=least),
            }
            return kinds.get(self.pruner, pruners.NopPruner)()
