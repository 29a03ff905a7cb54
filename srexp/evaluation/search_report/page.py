"""The figures of a search on one page that opens offline: plotly.js is in it once, and asks nothing of the network."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from srexp.evaluation.figures.plots import INK
from srexp.evaluation.search_report.importance import importance
from srexp.evaluation.search_report.interactive import (
    importance_bars,
    learning_curves,
    optimisation_history,
    parallel_coordinates,
    pareto_front,
    slices,
)
from srexp.evaluation.search_report.trials import done, is_number, parameters, text
from srexp.types import Trial

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

HEADINGS = {
    "optimisation_history": (
        "Optimisation history",
        "What each trial reached, and the best so far; zoom out for those that diverged.",
    ),
    "pareto_front": ("Pareto front", "The trials that no other one betters in every objective."),
    "learning_curves": ("Learning curves", "Validation PSNR of every trial; the best one stands out."),
    "importance": ("Importance", "Share of each key in what sets the best trials apart, by PED-ANOVA."),
    "parallel_coordinates": (
        "Parallel coordinates",
        "Each line is a finished trial. Diverged ones end at the bottom; None: the trial doesn't have the key.",
    ),
    "slice": ("Slices", "What was reached over each key; the later the trial the darker."),
}
"""Name of a figure to its heading and what it shows, in the order of the page."""

STYLE = f"""
body {{ font: 16px/1.5 system-ui, sans-serif; color: {INK}; max-width: 1240px; margin: 2rem auto; padding: 0 1rem }}
h2 {{ margin: 2.5rem 0 0 }} p {{ margin: 0.2rem 0 1rem }} section > div {{ overflow-x: auto }}
"""


class Part(Protocol):
    """A figure that has a part of a page."""

    @property
    def html(self) -> str:
        """The part."""


def page(drawn: Mapping[str, Part], title: str, left_out: Mapping[str, str] | None = None) -> str:
    """Put the figures of a search below each other on a page of its own.

    Args:
        drawn: Name to the figure, as `srexp.evaluation.search_report.figures.figures` gives them.
        title: Name of the search.
        left_out: Name of a figure that is missing to the reason, which the page states.

    Returns:
        A whole HTML document of some 5 MB, nearly all of it plotly.js.
    """
    from plotly.offline import get_plotlyjs

    sections = []
    for name, (heading, about) in HEADINGS.items():
        if name in drawn:
            sections.append(f"<section id={name}><h2>{heading}</h2><p>{about}</p>{drawn[name].html}</section>")
        elif reason := (left_out or {}).get(name):
            sections.append(f"<section id={name}><h2>{heading}</h2><p>Left out: {html.escape(reason)}.</p></section>")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<link rel="icon" href="data:,"><style>{STYLE}</style><script>{get_plotlyjs()}</script></head>\n'
        f"<body><h1>{html.escape(title)}</h1>\n" + "\n".join(sections) + "\n</body></html>\n"
    )


def parts(
    trials: Sequence[Trial],
    objectives: Sequence[str],
    space: Mapping[str, Mapping[str, Any]],
    bicubic_psnr: float | None,
    names: Iterable[str],
) -> dict[str, str]:
    """Draw figures with Plotly, most of them through Optuna.

    Args:
        trials: Of whatever engine, by number.
        objectives: What was sought.
        space: Configuration key to its distribution.
        bicubic_psnr: Validation PSNR of bicubic interpolation in dB.
        names: Figures that the trials allow.

    Returns:
        Name to its part of a page, which needs plotly.js before it.
    """
    trials, space = _escaped(trials, space)
    finished = done(trials, objectives)
    keys = parameters(finished, space)
    draw = {
        "optimisation_history": lambda: optimisation_history(trials, objectives, bicubic_psnr),
        "pareto_front": lambda: [pareto_front(trials, objectives, bicubic_psnr)],
        "learning_curves": lambda: [learning_curves(trials, objectives, bicubic_psnr)],
        "importance": lambda: [importance_bars(importance(trials, objectives, space))],
        "parallel_coordinates": lambda: [parallel_coordinates(finished, objectives, keys)],
        "slice": lambda: slices(finished, objectives, keys),
    }
    return {
        name: "\n".join(_part(figure, f"{name}-{index}") for index, figure in enumerate(draw[name]())) for name in names
    }


def _escaped(
    trials: Sequence[Trial], space: Mapping[str, Mapping[str, Any]]
) -> tuple[list[Trial], dict[str, dict[str, Any]]]:
    """Trials and space whose names and texts Plotly, which takes text for HTML, shows as they are."""

    def escaped(value: Any) -> Any:
        return value if is_number(value) else html.escape(text(value))

    shown = {
        html.escape(key): {**each, "choices": [*map(escaped, each["choices"])]} if "choices" in each else dict(each)
        for key, each in space.items()
    }
    return [
        replace(trial, values={html.escape(key): escaped(value) for key, value in trial.values.items()})
        for trial in trials
    ], shown


def _part(figure: Figure, name: str) -> str:
    from plotly.io import to_html

    figure.update_layout(title=None, template="plotly_white", margin={"t": 40, "l": 70, "r": 30}, font={"color": INK})
    if figure.layout.height is None:
        figure.update_layout(height=460)
    config = {"displaylogo": False, "responsive": True, "showSendToCloud": False, "plotlyServerURL": ""}
    part: str = to_html(figure, config=config, include_plotlyjs=False, full_html=False, div_id=name)
    return part
