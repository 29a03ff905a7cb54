"""Some images of a data set, for a smoke run: of as many patients as possible, and from each split alike."""

from __future__ import annotations

from collections import Counter

from srexp.data.sources.source import Item
from srexp.errors import RequestError


def spread(items: list[Item], limit: int | None) -> list[Item]:
    """Take some of the images: first one of each patient, then a second of each, and so on.

    Args:
        items: Images in a stable order.
        limit: How many; all of them when None.

    Returns:
        At most `limit` images, in the order they came in.

    Raises:
        RequestError: The limit is not positive.

    Example:
        >>> from pathlib import Path
        >>> three = [Item(f"{p}{n}", Path(), 0, p) for p in "ab" for n in range(2)]
        >>> [item.key for item in spread(three, 2)]
        ['a0', 'b0']
    """
    if limit is None:
        return items
    if limit < 1:
        raise RequestError("dataset.limit is not positive", got=limit, expected="null or the number of images to use")
    of_patient, of_split = Counter[str](), Counter[str | None]()
    ranks = []
    for position, item in enumerate(items):
        if of_patient[item.patient] == 0:
            of_split[item.split] += 1
        ranks.append((of_patient[item.patient], of_split[item.split], position))
        of_patient[item.patient] += 1
    return [items[position] for *_, position in sorted(sorted(ranks)[:limit], key=lambda rank: rank[-1])]
