"""A comparison as one page that needs nothing else: no network, no script, no other file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from srexp.evaluation.figures.image_cards import Card
from srexp.evaluation.grid import Grid

TEMPLATE = "report.html.j2"


@dataclass(frozen=True, slots=True)
class Fact:
    """What is known of each model: one row of a table with a column for each.

    Args:
        name: What it is.
        values: One for each model, in the report's order.
    """

    name: str
    values: Sequence[str]


@dataclass(frozen=True, slots=True)
class Remark:
    """A sentence about some of the models.

    Args:
        text: The sentence.
        models: Whom it is about; empty for all.
    """

    text: str
    models: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure with what it needs to be read.

    Args:
        address: Data URI.
        width: Pixels at which it is shown.
        height: Pixels at which it is shown.
        text: What it shows, for those who can't see it.
    """

    address: str
    width: int
    height: int
    text: str


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything that the page shows, as text and pictures; all text is escaped by the template.

    Args:
        title: Task.
        subtitle: How many models on how many images.
        summary: What the figures say.
        limits: What they can't say.
        alarms: What makes the figures worthless; shown above everything.
        scores: What the models are worth.
        costs: What they cost.
        further: Table of further metrics.
        pairs: Table of pairs.
        hues: Name to colour.
        drawings: Figures by their names: `gains`, `times`, `curves`, `quality`, `scale`; those that are missing have no
            section.
        cards: Test images.
        card_notes: What the pictures don't show.
        findings: What the audits found.
        protocol: Name to value.
        models: Names, in the order of the columns of differences and origins.
        differences: Configuration keys that differ.
        data: Name to value.
        origins: Runs, commits and versions.
        made: When and by what the page was made.
    """

    title: str
    subtitle: str
    summary: Sequence[str]
    limits: Sequence[str]
    alarms: Sequence[str]
    scores: Grid
    costs: Grid
    further: Grid | None
    pairs: Grid
    hues: Mapping[str, str]
    drawings: Mapping[str, Drawing]
    cards: Sequence[Card]
    card_notes: Sequence[str]
    findings: Sequence[Remark]
    protocol: Mapping[str, str]
    models: Sequence[str]
    differences: Sequence[Fact]
    data: Mapping[str, str]
    origins: Sequence[Fact]
    made: str


def render(report: Report) -> str:
    """Write the page.

    Args:
        report: What it shows.

    Returns:
        HTML.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("srexp.evaluation.comparison", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(TEMPLATE).render(report=report)
