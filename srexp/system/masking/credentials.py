"""Addresses with secrets in them: a stand-in goes wherever the address would, and only what connects gets the address.

A stand-in is the address with `***` in place of user, password and secret values of its query. It stands in
configurations, and so in whatever is made of them: files, results, parameters, pickles, messages. What it stands for is
in a variable of the environment, which processes inherit and no other user of the machine sees. Each stands for one
whole address, so that no file that names another host gets a password sent there.
"""

from __future__ import annotations

import html
import json
import os
import re
import threading
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote, quote_plus, unquote, unquote_plus, unquote_to_bytes

from srexp.errors import RequestError

#: Variable of the environment with what stand-ins stand for.
VARIABLE = "SREXP_SECRETS"
#: Name of a value in a query that is secret.
NAME = r"[\w.%-]*(?:pass|pwd|secret|token|signature|cred|auth|odbc|key|(?<![a-z])sig(?![a-z]))[\w.%-]*"
_VARIABLE = re.compile(r"(?i).*(?:password|passwd|passphrase|secret|token|_pwd|_key)")
#: How an address begins, also where it is mistyped: http:/ann:pw@host, postgresql:ann:pw@host, http//ann:pw@host.
_LOGIN = r"(?:https?|s?ftps?|postgres(?:ql)?|mysql|mariadb|mssql|oracle|mongodb|redis)(?:\+\w+)?"
BEGIN = rf"(?:(?<=://)|(?<![\w.]){_LOGIN}(?:[:;]\s*[\\/]*|[\\/]+))"
# To the last @: a password that nobody encoded may hold any character.
_USER = re.compile(rf"(?is){BEGIN}(?!\*\*\*\d*@)([^:/?#\\]*:.*|[^/?#\\]*(?:@.*)?)@")
# With a mistyped scheme, with slashes alone, or without either where a port or a dot tells the host.
_LOOSE = re.compile(
    r"(?is)(?:\A|,)\s*(?!(?:file|sqlite|models|runs)\b)(?![\w.+-]*://)"
    r"(?:(?:[a-z][\w.+-]*[:;](?:\s*[\\/]+)?|[\\/]{2,})([^:/?#\\@\s]*:.+)@"
    r"|([^:/?#\\@\s=]+:[^/\s]*)@(?=localhost\b|[^\s@/:]*(?:\.[^\s@/:]+|:\d+)(?:[/,;\s]|\Z)))"
)
_ADDRESS = re.compile(rf"(?i)://|{BEGIN}|\A\s*[a-z][\w.+-]*:[^\s?]*\?")
_QUERY = re.compile(rf"(?i)([?&;#]{NAME}=)(?!\*\*\*\d*(?:[&;#]|$))(.+?)(?=[&;#][\w.%-]+=|$)", re.DOTALL)
_RESERVED = re.compile(r"[^\w.~+%-]")
_STAND_IN = re.compile(r"(?<![\w*])\*\*\*\d*(?:[@&;#]|$)")
# What https://www.rfc-editor.org/rfc/rfc3986#appendix-B takes for the user, or, where no port is one, what was meant.
_MEANT = re.compile(r"([\w.+-]+://)(?:([^/?#]*)|([^:/?#]*:(?!\d*(?:[/?#]|$)).*))@(.*)", re.DOTALL)
#: Length from which letters alone, or with other characters, are looked for where no address is around them.
_WORD, _MIXED = 12, 5
_WITHIN = re.compile(r"[\w.+-]*[:;/][^\s'\",{}$]+(?=[\s'\",}]|$)")
_turn = threading.Lock()


def hidden(value: Any) -> Any:
    """Put stand-ins in place of addresses with secrets.

    Args:
        value: A text, or lists and mappings of values.

    Returns:
        The same value where nothing in it is secret.

    Example:
        >>> hidden({"uri": "postgresql://ann:p/w@host/runs?passwd=x", "n": [1, "https://host/a@b"]})
        {'uri': 'postgresql://***@host/runs?passwd=***', 'n': [1, 'https://host/a@b']}
    """
    if isinstance(value, Mapping):
        return {key: hidden(each) for key, each in value.items()}
    if isinstance(value, list):
        return [hidden(each) for each in value]
    if not isinstance(value, str):
        return value
    if "${" in value:  # an address within an interpolation, such as its default, comes out of it by itself
        value = _WITHIN.sub(lambda found: _kept(found[0], _blank(found[0])), value)
    return _kept(value, _blank(value))


def hidden_variable(name: str, value: str) -> str:
    """Put a stand-in in place of a variable of the environment that is secret by its name, or an address with a secret.

    Example:
        >>> hidden_variable("MLFLOW_TRACKING_TOKEN", "abc"), hidden_variable("TZ", "UTC")
        ('***', 'UTC')
    """
    if not _VARIABLE.fullmatch(name) or "${" in value or value.startswith("***"):
        return str(hidden(value))
    return _kept(f"{name}={value}", f"{name}=***").removeprefix(f"{name}=")


def hidden_variables(environment: Any) -> dict[str, str]:
    """Put stand-ins in place of secret variables of an environment."""
    return {name: hidden_variable(name, str(value)) for name, value in environment.items()}


@lru_cache(maxsize=1024)
def has_secret(address: str) -> bool:
    """Whether an address has a secret, or a stand-in."""
    return _blank(address) != address or bool(_STAND_IN.search(address))


def revealed(address: str, key: str) -> str:
    """Give the address that a stand-in stands for, its secrets encoded as parsers of addresses want.

    Args:
        address: Stand-in, or an address.
        key: Configuration key that it comes from, for the message.

    Raises:
        RequestError: It stands for nothing that this process was told.
    """
    stand_in = hidden(address)
    real: str = _stored().get(stand_in, stand_in)
    if _STAND_IN.search(real):
        raise RequestError(
            f"{key} is an address without its secret, as srexp shows it",
            got=real,
            expected="the address with user and password, in the environment of this process",
            fix=f"{key}='${{oc.env:NAME}}' with the address in the variable NAME",
        )
    parts = _MEANT.fullmatch(real)
    if not parts:
        return _with_encoded_query(real)
    user, colon, password = (parts[2] or parts[3] or "").partition(":")
    return f"{parts[1]}{_encoded(user)}{colon}{_encoded(password)}@{_with_encoded_query(parts[4])}"


def revealed_variable(name: str, value: str) -> str:
    """Give the value of a variable of the environment that a stand-in stands for."""
    stored = _stored()
    return stored.get(f"{name}={value}", stored.get(value, value)).removeprefix(f"{name}=")


def known() -> re.Pattern[str] | None:
    """Give what finds, in whatever way it is written, a secret that this process was told; None where there is none."""
    others = {name: value for name, value in os.environ.items() if name != VARIABLE}
    told = {*_stored().values(), *(value for value in others.values() if has_secret(value))}
    return _finder(frozenset(told), frozenset(value for name, value in others.items() if _is_secret(name)))


@lru_cache(maxsize=1024)  # each text that is shown or stored asks it of the whole environment
def _is_secret(name: str) -> bool:
    return bool(_VARIABLE.fullmatch(name))


def _stored() -> dict[str, str]:
    stored: dict[str, str] = json.loads(os.environ.get(VARIABLE, "{}"))
    return stored


def _blank(address: str) -> str:
    """Write an address without its secrets."""
    written, end = "", 0
    for begin, stop in _spans(address):
        written, end = f"{written}{address[end:begin]}***", stop
    return written + address[end:]


def _spans(address: str) -> list[tuple[int, int]]:
    """Give where secrets of an address are: what its user may be, and values of its query; joined where they meet."""
    found = [*_USER.finditer(address), *_LOOSE.finditer(address)]
    found += _QUERY.finditer(address) if _ADDRESS.search(address) else []
    spans: list[tuple[int, int]] = []
    for begin, end in sorted(each.span(each.lastindex or 0) for each in found if _is_said(each[each.lastindex or 0])):
        before = spans.pop() if spans and begin < spans[-1][1] else (begin, end)
        spans.append((before[0], max(before[1], end)))
    return spans


def _is_said(secret: str) -> bool:
    """Whether a secret is written where it should be, and not left to interpolations."""
    said = re.sub(r"\$\{[^{}]+\}", "", secret)
    return said == secret or bool(said.partition(":")[2] if ":" in said else said)


def _kept(real: str, blank: str) -> str:
    """Remember what stands for what; two addresses that differ in their secrets alone get two stand-ins."""
    with _turn:
        stored = _stored()
        if blank == real or real in stored:
            return real
        stand_in, number = blank, 1
        while stored.get(stand_in, real) != real:
            number += 1
            stand_in = blank.replace("***", f"***{number}", 1)
        os.environ[VARIABLE] = json.dumps({**stored, stand_in: real})
    return stand_in


def _encoded(text: str) -> str:
    return quote(unquote_to_bytes(text.encode("utf-8", "surrogateescape")), safe="")


def _with_encoded_query(address: str) -> str:
    """Encode what a parser would take for something else than a part of a value, such as an @ for the end of a user."""
    return _QUERY.sub(lambda found: found[1] + _RESERVED.sub(lambda each: quote(each[0], safe=""), found[2]), address)


@lru_cache(maxsize=8)
def _finder(told: frozenset[str], named: frozenset[str]) -> re.Pattern[str] | None:
    users, alone = set(), set(named)
    for real in told:
        name, _, value = real.partition("=")
        alone |= {value} if _VARIABLE.fullmatch(name) else set()
        alone |= {each[2] for each in _QUERY.finditer(real)}
        for begin, end in _spans(real):
            users.add(real[begin:end])
            alone |= {real[begin:end], real[begin:end].partition(":")[2]}
        if meant := _MEANT.fullmatch(real):
            alone.add((meant[2] or meant[3] or "").partition(":")[2])
    written = {f"{re.escape(each)}(?=@)" for user in users for each in _written(user)}
    # A shorter one may be a word of the text.
    written |= {
        re.escape(each)
        for secret in alone
        if len(secret) >= (_WORD if secret.isalpha() else _MIXED)
        for each in _written(secret)
    }
    return re.compile("|".join(sorted(written, key=len, reverse=True))) if written else None


def _written(secret: str) -> Iterator[str]:
    """Give the ways in which a text is written: in addresses, Python, JSON, YAML and HTML."""
    for text in {secret, unquote(secret), unquote_plus(secret)} - {""}:
        yield from (text, quote(text, safe="", errors="replace"), quote_plus(text, errors="replace"))
        yield from (repr(text)[1:-1], json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1])
        yield from (text.replace("'", "''"), html.escape(text))
