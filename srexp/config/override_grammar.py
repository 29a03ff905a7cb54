"""Hydra's grammar of overrides: what one is about, and how one is written so that Hydra reads it back."""

from __future__ import annotations

import functools
import re
import shlex
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from numbers import Integral, Real
from typing import Any, NamedTuple

from srexp.errors import RequestError
from srexp.system.masking import credentials

#: Held by whoever composes or parses: Hydra and its parser share state between threads.
TURN = threading.RLock()

# Hydra's own parser refuses what isn't an override yet; here command lines are looked at that it hasn't seen.
_OVERRIDE = re.compile(r"(~|\+{0,2})([^=@]*)(?:@[^=]*)?(?:=(.*))?", re.DOTALL)
_MAY_BE_SECRET = re.compile(r"@|[?&;#][^=]+=")  # Hydra's parser takes milliseconds
_PLAIN = re.compile(r"[\w/.-]+", re.ASCII)


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


def without_secrets(override: str) -> str:
    """Put stand-ins in place of addresses with secrets, and of secret variables of the environment.

    An address that Hydra can't read, or would part at its commas, as a password brings it about, is taken as typed.

    Args:
        override: As typed; what is none, such as an option, is a text.

    Example:
        >>> without_secrets("tracking.uri=http://ann:p,w'x@host"), without_secrets("seed=1")
        ("tracking.uri='http://***@host'", 'seed=1')
    """
    name, equals, value = override.partition("=")
    variables = parse(override).key.startswith("hydra.job.env_set")
    if not equals or ":" in name or not (variables or _MAY_BE_SECRET.search(value)):
        return str(credentials.hidden(override))
    hide = credentials.hidden_variable if variables else lambda _, text: str(credentials.hidden(text))
    last, rest, read = name.rpartition(".")[2], value, _parsed(override)
    for place, text, escaped in _texts(read, last):
        stand_in = hide(place, text)
        written = next((each for each in (escaped, text) if each in rest), value)
        if stand_in != text:
            value = value.replace(written, _written(stand_in))
        if stand_in != text or "***" in text:
            rest = rest.replace(written, "")
    if (variables and read is None) or credentials.hidden(rest) != rest:  # Hydra can't read it, or would part it
        whole = override.removeprefix(f"{name}=")
        quote = whole[0] if whole[0] in "'\"" and whole.endswith(whole[0]) else ""
        value = _written(hide(last, whole.removeprefix(quote).removesuffix(quote)))
    return f"{name}={value}"


def _parsed(override: str) -> Any:
    """Give what Hydra's parser makes of a value, before sweeps are gone through; None where it can't read it."""
    from hydra.errors import HydraException

    with TURN:
        try:
            return _parser().parse_rule(override, "override")._value
        except HydraException:
            return None


def _texts(value: Any, place: str) -> Iterator[tuple[str, str, str]]:
    """Give the values within one, each with the key beside it and as it was typed."""
    from hydra.core.override_parser.types import ChoiceSweep, Override, QuotedString

    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _texts(each, str(key))
    elif isinstance(value, list | ChoiceSweep):
        for each in value if isinstance(value, list) else value.list:
            yield from _texts(each, place)
    elif isinstance(value, str | QuotedString):
        yield place, value if isinstance(value, str) else value.text, Override._get_value_element_as_str(value)
    elif value is not None:
        yield place, str(value), str(value)


def override(key: str, value: Any) -> str:
    """Write an override that Hydra reads as this value: a text, number, truth value, None, or list or mapping of them.

    Args:
        key: Key or group, with its sign where it has one.
        value: What it shall be.

    Returns:
        `key=value` in Hydra's grammar; a shell needs quotes around it, see `typed`.

    Raises:
        RequestError: Hydra has no way to write this key, or a key within the value, such as one that isn't ASCII.

    Example:
        >>> override("dataset.patients", "^p(..)_"), override("model.kernels", [9, 1, 5]), override("run_name", "1e3")
        ("dataset.patients='^p(..)_'", 'model.kernels=[9,1,5]', "run_name='1e3'")
    """
    written = f"{key}={_written(value)}"
    if repr(_read(written, "override")) != repr(_plain(value)):
        raise RequestError(
            f"{key} can't be written as an override",
            got=value,
            expected="keys of ASCII letters, digits, _ and -, as Hydra's grammar has them",
            fix="set it in a file: conf/experiment/NAME.yaml, and +experiment=NAME",
        )
    return written


def typed(overrides: Iterable[str], *, verb: str = "") -> str:
    r"""Give a command of srexp as it can be typed into a shell.

    Args:
        overrides: As Hydra reads them, see `override`.
        verb: Empty for `train`.

    Example:
        >>> typed([override("dataset.root", "my images")], verb="check")
        'python -m srexp check \'dataset.root=\'"\'"\'my images\'"\'"\'\''
    """
    return shlex.join(["python", "-m", "srexp", *filter(None, [verb]), *overrides])


def _written(value: Any) -> str:
    from hydra.core.override_parser.types import Quote, QuotedString

    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        plain = _PLAIN.fullmatch(value) and isinstance(_read(value, "primitive"), str)
        return value if plain else str(QuotedString(value, Quote.single).with_quotes())
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{_written(each)}" for key, each in value.items()) + "}"
    if isinstance(value, Sequence):
        return "[" + ",".join(map(_written, value)) + "]"
    return repr(_plain(value))


def _plain(value: Any) -> Any:
    """Give a value as Hydra's parser gives it: Python's own lists, mappings and numbers."""
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(each) for each in value]
    if isinstance(value, bool) or not isinstance(value, Real):
        return value
    return int(value) if isinstance(value, Integral) else float(value)


def _read(text: str, rule: str) -> Any:
    """Let Hydra's parser read an override, or a part of one; None where it can't."""
    from hydra.core.override_parser.types import Override as Parsed
    from hydra.errors import HydraException

    with TURN:
        try:
            read = _parser().parse_rule(text, rule)
        except HydraException:
            return _UNREADABLE
    return read.value() if isinstance(read, Parsed) else read


_UNREADABLE = object()


@functools.cache
def _parser() -> Any:
    from hydra.core.override_parser.overrides_parser import OverridesParser

    return OverridesParser.create()
