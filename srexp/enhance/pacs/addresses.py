"""Addresses of archives: `dicomweb://HOST/PATH`, and `dicom://HOST:PORT/AE_TITLE` for C-STORE."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import dataclass
from urllib.parse import unquote

from srexp.errors import RequestError
from srexp.system.masking.credentials import revealed
from srexp.system.masking.redaction import mask

#: Schemes of DICOMweb to those of HTTP; without more it is encrypted.
SCHEMES = {"dicomweb": "https", "dicomweb+https": "https", "dicomweb+http": "http"}
#: Packages of the extra, by what asks for them.
PACKAGES = {"dicomweb": "dicomweb_client", "dicom": "pynetdicom"}
#: An AE title (PS3.5 6.2): up to sixteen characters without a backslash.
TITLE = r"[!-\[\]-~](?:[ -\[\]-~]{0,14}[!-\[\]-~])?"

_UID = r"[0-2](?:\.(?:0|[1-9][0-9]*))+"
_WEB = re.compile(
    r"(?P<scheme>dicomweb(?:\+https?)?)://(?:(?P<user>[^/@]*)@)?(?P<host>[^\s/:@?#\[\]]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>(?:/[^\s/?#]+)*?)"
    rf"(?:/studies(?:/(?P<study>{_UID})(?:/series/(?P<series>{_UID}))?)?)?/?"
)
_STORE = re.compile(rf"dicom://(?P<host>[^\s/:@?#\[\]]+):(?P<port>[0-9]{{1,5}})/(?P<title>{TITLE})")
_LONGEST_UID, _PORTS = 64, range(1, 65536)


@dataclass(frozen=True)
class WebAddress:
    """Of an archive that speaks DICOMweb.

    Args:
        url: Of its service, without user and password.
        login: User and password; None where the address has none.
        study: UID of a study in it; None where none is named.
        series: UID of a series of that study; None for all.
    """

    url: str
    login: tuple[str, str] | None = None
    study: str | None = None
    series: str | None = None

    def __str__(self) -> str:
        """Say where it is, and neither who asks nor for what."""
        return self.url


@dataclass(frozen=True)
class StoreAddress:
    """Of a machine that takes images by C-STORE.

    Args:
        host: Its name or address.
        port: Its port.
        title: Its AE title.
    """

    host: str
    port: int
    title: str

    def __str__(self) -> str:
        """Say where it is."""
        return f"dicom://{self.host}:{self.port}/{self.title}"


def is_web(text: object) -> bool:
    """Whether a text is meant as an address of DICOMweb, or of something else that is no file."""
    return isinstance(text, str) and "://" in text


def web_address(text: str, key: str, *, of_study: bool) -> WebAddress:
    """Read an address of DICOMweb.

    Args:
        text: As it was typed, or its stand-in, see `srexp.system.masking.credentials`.
        key: Configuration key that it comes from, for messages.
        of_study: Whether it names a study, as what is read does and what is written to doesn't.

    Raises:
        RequestError: It is none, or the package is missing that speaks to it.

    Example:
        >>> str(web_address("dicomweb+http://localhost:8042/dicom-web", "output", of_study=False))
        'http://localhost:8042/dicom-web'
        >>> web_address("dicomweb://pacs.example/rs/studies/1.2.3", "input", of_study=True).study
        '1.2.3'
    """
    found = _WEB.fullmatch(revealed(text, key))
    uids = [uid for name in ("study", "series") if found and (uid := found[name])]
    if (
        not found
        or int(found["port"] or 1) not in _PORTS
        or any(len(uid) > _LONGEST_UID for uid in uids)
        or bool(found["study"]) != of_study
    ):
        expected = (
            "dicomweb://HOST/PATH/studies/UID, or with /series/UID behind it" if of_study else "dicomweb://HOST/PATH"
        )
        raise RequestError(
            f"{key} is no address of {'a study in ' * of_study}an archive",
            got=mask(text),
            expected=f"{expected}; dicomweb+http:// without encryption",
            fix=f"{key}={'dicomweb://pacs.example/dicom-web' + '/studies/1.2.840.1' * of_study}",
        )
    require_packages(key, "dicomweb")
    user, _, password = (found["user"] or "").partition(":")
    port = f":{found['port']}" if found["port"] else ""
    return WebAddress(
        f"{SCHEMES[found['scheme']]}://{found['host']}{port}{found['path']}",
        (unquote(user), unquote(password)) if found["user"] else None,
        found["study"],
        found["series"],
    )


def destination_address(text: str, key: str) -> WebAddress | StoreAddress:
    """Read the address of what images are sent to.

    Args:
        text: As it was typed, or its stand-in.
        key: Configuration key that it comes from, for messages.

    Raises:
        RequestError: It is none, or the package is missing that speaks to it.

    Example:
        >>> destination_address("dicom://pacs.example:104/ARCHIVE", "pacs.destination")
        StoreAddress(host='pacs.example', port=104, title='ARCHIVE')
    """
    if text.startswith("dicomweb"):
        return web_address(text, key, of_study=False)
    found = _STORE.fullmatch(text)
    if not found or int(found["port"]) not in _PORTS:
        raise RequestError(
            f"{key} is no address that images can be sent to",
            got=mask(text),
            expected="dicom://HOST:PORT/AE_TITLE for C-STORE, or dicomweb://HOST/PATH for STOW-RS",
            fix=f"{key}=dicom://127.0.0.1:4242/ORTHANC",
        )
    require_packages(key, "dicom")
    return StoreAddress(found["host"], int(found["port"]), found["title"])


def require_packages(key: str, *protocols: str) -> None:
    """Refuse what needs the extra where it isn't installed.

    Args:
        key: Configuration key that asks for it.
        *protocols: Of `PACKAGES`.

    Raises:
        RequestError: A package is missing.
    """
    missing = [PACKAGES[each] for each in protocols if importlib.util.find_spec(PACKAGES[each]) is None]
    if missing:
        raise RequestError(
            f"{key} needs a package that is not installed",
            got=f"no {' and no '.join(missing)}",
            fix='pip install "srexp[pacs]"',
        )
