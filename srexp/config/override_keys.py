"""What an override that was typed is about: `+model.depth=20` is about `model.depth`."""

from __future__ import annotations

import re
from typing import NamedTuple

# Hydra's own parser refuses what isn't an override yet; here command lines are looked at that it hasn't seen.
_OVERRIDE = re.compile(r"(~|\+{0,2})([^=@]*)(?:@[^=]*)?(?:=(.*))?", re.DOTALL)


class Override(NamedTuple):
    """An override, taken apart.

    Args:
        sign: Nothing for a change, `+` or `++` for what is added, `~` for what is deleted.
        key: Key or group, without the package that Hydra may be told to put it into.
        value: As it was typed; None where there is no `=`.
    """

    sign: str
    key: str
    value: str | None


def parse(override: str) -> Override:
    """Take an override apart; an option such as `-m` is a key without a value.

    Example:
        >>> parse("++tags.note='a=b'"), parse("~schedule")
        (Override(sign='++', key='tags.note', value="'a=b'"), Override(sign='~', key='schedule', value=None))
    """
    parts = _OVERRIDE.fullmatch(override)
    return Override(*parts.groups()) if parts else Override("", override, None)


def key_of(override: str) -> str:
    """Give the key or group that an override changes, adds or deletes.

    Example:
        >>> key_of("optimizer.lr=1e-4"), key_of("+experiment=mine"), key_of("model@teacher=vdsr")
        ('optimizer.lr', 'experiment', 'model')
    """
    return parse(override).key
