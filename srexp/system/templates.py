"""The one place that fills the templates beside the modules: pages, cards and files that srexp writes."""

from __future__ import annotations


def filled(package: str | None, template: str, /, **values: object) -> str:
    """Fill a template; what it names and isn't given is an error, and nothing in a value is markup of a page.

    Args:
        package: Whose folder the template lies in: `__package__` of the caller.
        template: Name of its file, which ends in `.html.j2` where values are to be escaped.
        **values: By the names that the template has for them.

    Returns:
        The text, with the template's last line break.

    Example:
        >>> "&lt;b&gt;" in filled("srexp.experiment.interactive", "result.html.j2", title="<b>", headings=[], rows=[],
        ...                       warnings=[], pictures=[])
        True
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    environment = Environment(
        loader=PackageLoader(package or "", ""),
        autoescape=select_autoescape(["html.j2"], default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(template).render(values)
