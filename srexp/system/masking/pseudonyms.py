"""What images and patients are called wherever a run is kept, since names of files often hold patients' numbers.

A pseudonym is a keyed digest. The key, and the list of what each pseudonym stands for, lie in the user's configuration
folder, away from the store. Who shares a store shares the key, as `SREXP_PSEUDONYM_KEY`.
"""

from __future__ import annotations

import functools
import hmac
import json
import logging
import os
import re
import secrets
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from srexp.errors import RequestError, SrexpError
from srexp.system.files.atomic_files import private_files, write_whole
from srexp.system.files.file_locks import in_turn
from srexp.system.masking.redaction import Masked, printable

#: Environment variable that gives the key.
VARIABLE = "SREXP_PSEUDONYM_KEY"
#: Tag of a run with the fingerprint of the key by which its images are called.
TAG = "pseudonym_key"

_PSEUDONYM = re.compile(r"\b(?:image|patient)-[0-9a-f]{12}\b")
_LEAST_KEY = 16  # characters
_WORD = re.compile(r".{1,3}|[a-z]+")  # names such as 1 or scan, which any text has
_SECONDS = 30.0

log = logging.getLogger(__name__)


def pseudonym(name: str, kind: Literal["image", "patient"] = "image") -> str:
    """Call an image or a patient so that its runs agree, and nobody without the key learns who it is.

    Args:
        name: Path of an image below the root of its data set, as sources have it, or whatever tells a patient from
            others. A pseudonym stays as it is, so that names from any run can be given.
        kind: What is called.

    Returns:
        Such as `image-3f9a2c71b0c1`: 12 hexadecimal digits of HMAC-SHA256 (RFC 2104).

    Raises:
        RequestError: There is no key, and none can be made.

    Example:
        >>> called = pseudonym("00000013_026.png")
        >>> called[:6], len(called), pseudonym(called) == called
        ('image-', 18, True)
    """
    return name if _PSEUDONYM.fullmatch(name) else f"{kind}-{_digest(f'{kind} {name}')[:12]}"


def fingerprint() -> str:
    """Tell keys from each other without telling a key."""
    return _digest("key")[:8]


def note(names: Iterable[str]) -> None:
    """Let `pseudonymised` know names of images in this process."""
    for name in names:
        for form in {name, printable(name), repr(name)[1:-1]}:
            words = re.findall(r"\w+", form)
            if words and not _WORD.fullmatch(form):
                _noted.setdefault(max(words, key=len), {})[form] = name


def remember(names: Iterable[str]) -> None:
    """Note names of images, and enter them in the list by which the user finds what a pseudonym stands for.

    Args:
        names: As `pseudonym` takes them.
    """
    path = names_file()
    entered = _entered.setdefault(path, set())
    lines = {pseudonym(name): name for name in names if name not in entered}
    if not lines:
        return
    note(lines.values())
    entered.update(lines.values())
    try:
        with private_files(), in_turn(path.with_suffix(".lock"), _SECONDS, SrexpError("another process holds it")):
            _append(path, lines)
    except (OSError, SrexpError) as error:
        log.warning("%s can't be written (%s): what pseudonyms stand for can't be looked up", path, error)


def lookup() -> dict[str, str]:
    """Give the name of each pseudonym that this user's runs have met; a list that can't be read is empty."""
    try:
        lines = names_file().read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return {}
    known = {}
    for line in lines:
        called, _, name = line.partition(" ")
        with suppress(ValueError):  # a kill or a full disk may have torn a line
            known[called] = str(json.loads(name))
    return known


def pseudonymised(kept: Any) -> Any:
    """Put pseudonyms for the names of images in what is about to be kept, such as the message of an error.

    Args:
        kept: A text, or lists and mappings with texts.

    Returns:
        The same without any name that this process has noted.

    Example:
        >>> note(["00000013_026.png"])
        >>> pseudonymised("damaged: /data/00000013_026.png (fix: remove it)")[:20]
        'damaged: /data/image'
    """
    if isinstance(kept, dict):
        return {pseudonymised(key): pseudonymised(value) for key, value in kept.items()}
    if isinstance(kept, list | tuple):
        return type(kept)(pseudonymised(value) for value in kept)
    if not isinstance(kept, str):
        return kept
    forms = {form: name for word in set(re.findall(r"\w+", kept)) for form, name in _noted.get(word, {}).items()}
    for form in sorted((form for form in forms if form in kept), key=len, reverse=True):
        kept = re.sub(rf"(?<!\w){re.escape(form)}(?!\w)", pseudonym(forms[form]), kept)
    return kept


def named(text: str) -> str:
    """Put names for the pseudonyms in a text that is shown and not kept."""
    if not _PSEUDONYM.search(text):
        return text
    known = lookup()
    return _PSEUDONYM.sub(lambda found: printable(known.get(found[0], found[0])), text)


def where(texts: Iterable[str]) -> str:
    """Say where the names are of the images that texts call by pseudonyms; empty where they call none."""
    return f"{names_file()} has the names of these images" if any(map(_PSEUDONYM.search, texts)) else ""


def names_file() -> Path:
    """Give the path of the list that says what pseudonyms stand for."""
    return _folder() / "names.txt"


class Pseudonymous(Masked):
    """Formatter of logs that are kept: without credentials, and without names of images."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record as `Masked` does."""
        return str(pseudonymised(super().format(record)))


#: Names that this process has met, as texts show them, by their longest word.
_noted: dict[str, dict[str, str]] = {}
#: What this process has entered in the list.
_entered: dict[Path, set[str]] = {}


def _folder() -> Path:
    """Give the user's folder, https://specifications.freedesktop.org/basedir-spec/latest/."""
    return _folder_of(os.environ.get("XDG_CONFIG_HOME", ""), os.environ.get("HOME"))


@functools.lru_cache  # asked for with each of 100,000 names
def _folder_of(given: str, _home: str | None) -> Path:
    return (Path(given) if Path(given).is_absolute() else Path.home() / ".config") / "srexp"


def _digest(text: str) -> str:
    given = os.environ.get(VARIABLE)
    key = _kept(_folder()) if given is None else _checked(given, VARIABLE)
    return hmac.digest(key, text.encode("utf-8", "surrogateescape"), "sha256").hex()


def _checked(text: str, place: str) -> bytes:
    if len(text.strip()) < _LEAST_KEY:
        raise RequestError(
            f"{place} holds no key for pseudonyms",
            expected=f"at least {_LEAST_KEY} characters that nobody can guess",
            fix='SREXP_PSEUDONYM_KEY="$(openssl rand -hex 32)", the same for all who share the store',
        )
    return os.fsencode(text.strip())


@functools.lru_cache
def _kept(folder: Path) -> bytes:
    """Read the user's key, which the first run makes."""
    path = folder / "pseudonym-key"
    try:
        with private_files(), in_turn(path.with_suffix(".lock"), _SECONDS, SrexpError("another process holds it")):
            if not path.exists():
                write_whole(path, f"{secrets.token_hex(32)}\n")
        return _checked(path.read_text(encoding="utf-8", errors="replace"), str(path))
    except OSError as error:
        raise RequestError(
            f"the key of pseudonyms can't be kept: {error.strerror or error}",
            got=str(path),
            expected="a folder for the user's configuration, where patients' numbers stay out of the store",
            fix=f"XDG_CONFIG_HOME= another folder, or {VARIABLE}= a key",
        ) from error


def _append(path: Path, names: dict[str, str]) -> None:
    """Write the lines that the list lacks at its end, also behind one that was torn."""
    lines = [f"{called} {json.dumps(name)}\n".encode() for called, name in names.items()]
    with path.open("a+b") as file:
        file.seek(0)
        kept = file.read()
        known = set(kept.splitlines(keepends=True))
        lacking = [line for line in lines if line not in known]
        torn = kept and not kept.endswith(b"\n")
        file.write(b"".join([b"\n" if torn and lacking else b"", *lacking]))
