from __future__ import annotations

import pytest
from jinja2 import UndefinedError

from srexp.system.templates import filled

PAGE = {"title": "", "headings": [], "rows": [], "warnings": [], "pictures": []}


def test_a_page_escapes_what_it_is_given_and_a_text_does_not() -> None:
    assert "&lt;b&gt;" in filled("srexp.experiment.interactive", "result.html.j2", **{**PAGE, "title": "<b>"})
    facts = {"name": "<b>", "schema": "", "date": "", "root": "", "patients": None, "suggestion": None}
    found = {"images": 1, "files": [], "sizes": [[1]], "bits": {}, "colour": 0, "intensity": "bits", "unreadable": {}}
    text = filled(
        "srexp.experiment.new_data", "experiment.yaml.j2", **facts, found=found, patch_size=None, quoted=str, counted=0
    )
    assert "# <b>: 1 images" in text
    assert text.endswith("\n")


def test_what_a_template_names_has_to_be_given() -> None:
    with pytest.raises(UndefinedError, match="'title' is undefined"):
        filled("srexp.experiment.interactive", "result.html.j2", **{k: v for k, v in PAGE.items() if k != "title"})
