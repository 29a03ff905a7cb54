"""The figures of a search on one page that opens offline: plotly.js is in it once, and asks nothing of the network."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import TYPE_CHECKING

from srexp.evaluation.figures.plots import INK

if TYPE_CHECKING:
    from srexp.evaluation.search_report.figures import Drawn

#: Name of a figure to its heading and what it shows, in the order of the page.
HEADINGS = {
    "optimisation_history": (
        "Optimisation history",
        "What each trial reached, and the best so far; zoom out for those that diverged.",
    ),
    "pareto_front": ("Pareto front", "The trials that no other one betters in every objective."),
    "learning_curves": ("Learning curves", "Validation PSNR of every trial, epoch by epoch."),
    "importance": ("Importance", "Share of each key in what sets the best trials apart, by PED-ANOVA."),
    "parallel_coordinates": ("Parallel coordinates", "Each line is a finished trial. Diverged ones end at the bottom."),
    "slice": ("Slices", "What was reached over each key; the later the trial the darker."),
}

STYLE = f"""
body {{ font: 16px/1.5 system-ui, sans-serif; color: {INK}; background: white; color-scheme: only light }}
body {{ max-width: 1240px; margin: 2rem auto; padding: 0 1rem }}
h2 {{ margin: 2.5rem 0 0 }} p {{ margin: 0.2rem 0 1rem }} section > div {{ overflow-x: auto }}
"""


def page(drawn: Mapping[str, Drawn], title: str, left_out: Mapping[str, str] | None = None) -> str:
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
