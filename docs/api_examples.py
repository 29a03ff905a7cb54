"""Lets mkdocstrings show the examples of docstrings as code; it knows them by the plural alone."""

from typing import Any

import griffe


class Examples(griffe.Extension):
    """Writes `Examples:` where a docstring has `Example:`."""

    def on_object(self, *, obj: Any, **_: Any) -> None:
        """Change a docstring before it is parsed."""
        if obj.docstring:
            obj.docstring.value = obj.docstring.value.replace("Example:\n", "Examples:\n")
