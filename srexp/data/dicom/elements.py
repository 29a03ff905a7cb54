"""Values of DICOM elements: what can't be used is refused by the element's name, and no text of the file is shown."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pydicom
from pydicom.config import IGNORE
from pydicom.datadict import dictionary_has_tag, dictionary_VR, keyword_for_tag, tag_for_keyword
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag, Tag
from pydicom.uid import UID

from srexp.data.image import UnreadableImageError


def label(tag: str | int) -> str:
    """Name an element.

    Args:
        tag: Its keyword or its tag.

    Returns:
        Keyword and tag.

    Example:
        >>> label("Rows"), label(0x00280030)
        ('Rows (0028,0010)', 'PixelSpacing (0028,0030)')
    """
    known: BaseTag = Tag(tag)
    return f"{keyword_for_tag(known)} ({known.group:04X},{known.element:04X})".strip()


def value(dataset: pydicom.Dataset, keyword: str) -> Any:
    """Give the value of an element, None when it is absent or empty.

    Args:
        dataset: Where to look.
        keyword: Name of the element.

    Returns:
        What pydicom makes of it.

    Raises:
        UnreadableImageError: Its bytes are none of its kind of value.
    """
    tag = tag_for_keyword(keyword)
    if tag is None or tag not in dataset.keys():  # noqa: SIM118 - seven times as fast, for each of many items
        return None
    with readable(keyword):
        found = dataset[tag].value
    return None if found is None or (not isinstance(found, int | float) and len(found) == 0) else found


@contextmanager
def readable(tag: str | int) -> Iterator[None]:
    """Name the element whose bytes can't be turned into a value; pydicom does so when it is asked for.

    Args:
        tag: Keyword or tag of the element.

    Raises:
        UnreadableImageError: In place of any other exception.
    """
    try:
        yield
    except UnreadableImageError:
        raise
    except Exception:  # noqa: BLE001
        raise UnreadableImageError(
            f"has bytes as {label(tag)} that are no value of its kind ({dictionary_VR(tag)})"
        ) from None


def numbers(dataset: pydicom.Dataset, keyword: str, *counts: int) -> list[float]:
    """Give the values of an element that holds numbers.

    Args:
        dataset: Where to look.
        keyword: Name of the element.
        *counts: How many there may be; any number when left out.

    Returns:
        Finite numbers; none when the element is absent or empty.

    Raises:
        UnreadableImageError: They are no numbers, infinite, or too many or few.
    """
    found = value(dataset, keyword)
    several = list(found) if isinstance(found, MultiValue | list | tuple) else [] if found is None else [found]
    for each in several:
        if not isinstance(each, int | float) or not math.isfinite(each):
            raise _wrong(keyword, _kind(each), "numbers are")
    if several and counts and len(several) not in counts:
        raise _wrong(keyword, f"{len(several)} values", " or ".join(map(str, counts)) + " are")
    return several


def number(dataset: pydicom.Dataset, keyword: str, default: float) -> float:
    """Give the first value of an element that holds numbers.

    Args:
        dataset: Where to look.
        keyword: Name of the element.
        default: Value of an element that is absent or empty.

    Returns:
        A finite number.

    Raises:
        UnreadableImageError: It is no number.
    """
    return float(next(iter(numbers(dataset, keyword)), default))


def integer(dataset: pydicom.Dataset, keyword: str, default: int | None = None) -> int:
    """Give the value of an element that holds one whole number.

    Args:
        dataset: Where to look.
        keyword: Name of the element.
        default: Value of an element that is absent or empty; it is required when None.

    Returns:
        The number.

    Raises:
        UnreadableImageError: It is required and absent, or not one whole number.
    """
    found = numbers(dataset, keyword, 1)
    if not found and default is None:
        raise UnreadableImageError(f"lacks {label(keyword)}")
    if found and found[0] != int(found[0]):
        raise _wrong(keyword, found[0], "a whole number is")
    return int(found[0]) if found else int(default or 0)


def texts(dataset: pydicom.Dataset, keyword: str) -> list[str]:
    """Give the values of an element that holds words.

    Args:
        dataset: Where to look.
        keyword: Name of the element.

    Returns:
        Without blanks around them; none when the element is absent or empty.

    Raises:
        UnreadableImageError: It holds bytes or items.
    """
    found = value(dataset, keyword)
    several = list(found) if isinstance(found, MultiValue | list) else [] if found is None else [found]
    if isinstance(found, Sequence) or any(isinstance(each, bytes) for each in several):
        raise _wrong(keyword, _kind(found), "text is")
    return [str(each).strip() for each in several]


def text(dataset: pydicom.Dataset, keyword: str) -> str:
    """Give the first word of an element, the empty string when it is absent; see `texts`."""
    return next(iter(texts(dataset, keyword)), "")


def uid(dataset: pydicom.Dataset, keyword: str) -> UID:
    """Give the identifier that an element holds, valid or not, the empty one when it is absent; see `texts`."""
    return UID(text(dataset, keyword), validation_mode=IGNORE)


def items(dataset: pydicom.Dataset, keyword: str) -> list[pydicom.Dataset]:
    """Give the items of a sequence.

    Args:
        dataset: Where to look.
        keyword: Name of the sequence.

    Returns:
        None when it is absent or empty.

    Raises:
        UnreadableImageError: It is no sequence.
    """
    found = value(dataset, keyword)
    if found is not None and not isinstance(found, Sequence):
        raise _wrong(keyword, _kind(found), "a sequence of items is")
    return list(found[:]) if found else []  # pydicom gives a sequence item by item, which is asked for often


def nested(dataset: pydicom.Dataset) -> Iterator[tuple[str, pydicom.Dataset]]:
    """List the items directly below a data set, of the sequences that the standard knows.

    Args:
        dataset: An image, or an item of it.

    Yields:
        Keyword of the sequence, and an item.

    Raises:
        UnreadableImageError: See `items`.
    """
    for tag in list(dataset.keys()):
        if dictionary_has_tag(tag) and dictionary_VR(tag) == "SQ":
            keyword = keyword_for_tag(tag)
            yield from ((keyword, item) for item in items(dataset, keyword))


def _kind(found: object) -> str:
    """Say what a value is without showing its text, which may be a person's."""
    if isinstance(found, bytes):
        return "bytes"
    if isinstance(found, Sequence | pydicom.Dataset):
        return "items"
    if isinstance(found, MultiValue | list):
        return f"{len(found)} values"
    return str(found) if isinstance(found, int | float) else "text"


def _wrong(keyword: str, got: object, expected: str) -> UnreadableImageError:
    return UnreadableImageError(f"has {got} as {label(keyword)}, where {expected} expected")
