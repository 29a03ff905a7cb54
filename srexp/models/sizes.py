"""Sizes without which no network can be built."""

from collections.abc import Callable

from srexp.errors import RequestError


def positive(*keys: str) -> Callable[..., None]:
    """Make a check for `checked_by` that refuses counts below 1.

    Args:
        keys: Arguments of the builder that count something, such as its features.

    Returns:
        A function of all arguments of the builder.

    Example:
        >>> positive("width")(scale=2, channels=1, width=0)
        Traceback (most recent call last):
        srexp.errors.RequestError: model.width is too small
          got:      0
          expected: 1 or more
    """

    def check(**given: int) -> None:
        for key in ("scale", "channels", *keys):
            if given[key] < 1:
                name = key if key in ("scale", "channels") else f"model.{key}"
                raise RequestError(f"{name} is too small", got=given[key], expected="1 or more")

    return check
