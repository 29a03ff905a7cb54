"""A comparison as one page that needs nothing else: no network, no script, no other file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from srexp.evaluation.comparison import conclusions, elsewhere, tables
from srexp.evaluation.comparison.elsewhere import Elsewhere
from srexp.evaluation.comparison.standings import Standings
from srexp.evaluation.figures.image_cards import Card, Picture
from srexp.system.templates import filled

TEMPLATE = "report.html.j2"


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything that the page shows, as text and pictures; all text is escaped by the template.

    Args:
        title: Task.
        subtitle: How many models on how many images.
        found: The standings, of which the page has sentences and tables.
        elsewhere: What the models gain on other test images; empty where they were evaluated on none.
        notes: What else limits the worth of the figures.
        alarms: What makes them worthless; shown above everything.
        hues: Name to colour.
        drawings: Figures by their names: `gains`, `times`, `curves`, `quality`; those that are missing have no section.
        cards: Test images.
        scale_bar: Colours of the error maps.
        max_grey_levels: What the last of them stands for.
        card_notes: What the pictures don't show.
        findings: What the audits found, and the models that it concerns; none where it concerns all.
        protocol: Name to value.
        models: Names, in the order of the columns of differences and origins.
        differences: Configuration keys that differ, to their values in the order of the models.
        data: Name to value.
        origins: Name of what is known of each run to what it is, in the order of the models.
        made: When and by what the page was made.
    """

    title: str
    subtitle: str
    found: Standings
    elsewhere: Sequence[Elsewhere]
    notes: Sequence[str]
    alarms: Sequence[str]
    hues: Mapping[str, str]
    drawings: Mapping[str, Picture]
    cards: Sequence[Card]
    scale_bar: Picture
    max_grey_levels: float
    card_notes: Sequence[str]
    findings: Mapping[str, Sequence[str]]
    protocol: Mapping[str, str]
    models: Sequence[str]
    differences: Mapping[str, Sequence[str]]
    data: Mapping[str, str]
    origins: Mapping[str, Sequence[str]]
    made: str


def render(report: Report) -> str:
    """Write the page.

    Args:
        report: What it shows.

    Returns:
        HTML.
    """
    return filled(__package__, TEMPLATE, report=report, conclusions=conclusions, elsewhere=elsewhere, tables=tables)
