"""Sizes without which no network can be built."""

from collections.abc import Callable

from srexp.errors import RequestError


def at_least(**least: int) -> Callable[..., None]:
    """Make a check for `checked_by` that refuses counts below what can be built.

    Args:
        **least: Arguments of the builder that count something, such as its features, and the fewest there may be.

    Returns:
        A function of all arguments of the builder, which also refuses a scale or a number of channels below 1.

    Example:
        >>> at_least(width=2)(scale=2, channels=1, width=1)
        Traceback (most recent call last):
        srexp.errors.RequestError: model.width is too small
          got:      1
          expected: 2 or more
    """

    def check(**given: int) -> None:
        for key, fewest in {"scale": 1, "channels": 1, **least}.items():
            if given[key] < fewest:
                name = key if key in ("scale", "channels") else f"model.{key}"
                raise RequestError(f"{name} is too small", got=given[key], expected=f"{fewest} or more")

    return check


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
    return at_least(**dict.fromkeys(keys, 1))
