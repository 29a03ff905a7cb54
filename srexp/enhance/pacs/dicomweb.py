"""An archive that speaks DICOMweb (PS3.18): which objects it has (QIDO-RS), fetching (WADO-RS), storing (STOW-RS)."""

from __future__ import annotations

import logging
import re
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import pydicom
import requests
from pydicom.uid import RE_VALID_UID
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from srexp.enhance.pacs.addresses import WebAddress
from srexp.enhance.pacs.sending import AwayError, BrokenOffError, RefusedError, require_taken
from srexp.errors import RequestError, SrexpError
from srexp.system.files.atomic_files import whole_file

#: Seconds in which a connection must be made, and in which the next bytes must come.
TIMEOUT = (10.0, 120.0)
#: Most bytes of one object, as many as an element of it may have.
LARGEST = 2**32

_BUSY = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
_LOCKED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.PROXY_AUTHENTICATION_REQUIRED)
_ACCEPT = 'multipart/related; type="application/dicom"; transfer-syntax=*'
_PART, _HEAD, _TAIL = 2**20, 2**14, 2**10
_ATTEMPTS, _FIRST_PAUSE = 2, 0.5
_MOST_PAGES, _LONGEST_UID = 10_000, 64


@dataclass(frozen=True, order=True)
class Instance:
    """An object of an archive, by its UIDs; they identify a person's images and must not be shown.

    Args:
        study: UID of its study.
        series: UID of its series.
        instance: Its own.
        kind: UID of its SOP class; empty where the archive doesn't say it.
    """

    study: str
    series: str
    instance: str
    kind: str = ""


class Archive:
    """An archive, asked through dicomweb-client.

    Where the address has no user, requests looks for one in the file that NETRC names, or ~/.netrc.

    Args:
        address: Of it.
        key: Configuration key that the address comes from, for messages.
    """

    def __init__(self, address: WebAddress, key: str) -> None:
        for name in ("dicomweb_client", "pydicom"):  # whose lines name studies
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # it imports what pydicom will drop
            from dicomweb_client.api import DICOMwebClient

        self._address, self._key = address, key
        self._session = requests.Session()
        self._session.auth = address.login
        again = Retry(
            _ATTEMPTS,
            backoff_factor=_FIRST_PAUSE,
            status_forcelist=[*_BUSY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT],
            allowed_methods=None,  # what is stored twice is one object
            raise_on_status=False,
            respect_retry_after_header=False,
        )
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, _Timely(max_retries=again))
        # In one piece: what is sent in chunks can't be sent again.
        self._client = DICOMwebClient(address.url, session=self._session, chunk_size=LARGEST)
        self._client.set_http_retry_params(retry=False)

    def instances(self, study: str, series: str | None = None) -> list[Instance]:
        """List the objects of a study, or of a series of it.

        Args:
            study: UID.
            series: UID; None for all.

        Returns:
            The objects in the order of their UIDs; none where the archive doesn't know the study.

        Raises:
            AwayError: It can't be reached.
            RequestError: It wants a password.
            SrexpError: Its answer can't be understood.
        """
        found: dict[str, Instance] = {}
        for _ in range(_MOST_PAGES):  # an archive may give fewer at a time than there are
            with self._asking():
                page = self._client.search_for_instances(study, series, offset=len(found))
                fresh = {each.instance: each for each in (_described(item, study, series) for item in page)}
            if fresh.keys() <= found.keys():  # none, or the same again where it knows no offset
                break
            found |= fresh
        return sorted(found.values())

    def fetch(self, instance: Instance, target: Path) -> None:
        """Fetch an object as it is stored; nothing of it is read.

        Args:
            instance: The object.
            target: File to write, whole or not at all.

        Raises:
            AwayError: The archive can't be reached.
            RequestError: It wants a password.
            SrexpError: It gives no DICOM object, or one that is too large.
        """
        path = f"studies/{instance.study}/series/{instance.series}/instances/{instance.instance}"
        target.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=target.parent) as body:
            with (
                self._asking(),
                self._session.get(f"{self._address.url}/{path}", headers={"Accept": _ACCEPT}, stream=True) as response,
            ):
                response.raise_for_status()
                for chunk in response.iter_content(_PART):
                    body.write(chunk)
                    if body.tell() > LARGEST:
                        raise SrexpError(f"{self._address} gives an object of more than {LARGEST:,} bytes")
                start, end = _part(body, response.headers.get("Content-Type", ""))
            body.seek(start)
            if not body.read(132).endswith(b"DICM"):
                raise SrexpError(f"{self._address} answered something else than a DICOM object")
            body.seek(start)
            with whole_file(target) as file:
                shutil.copyfileobj(body, file, _PART)
                file.truncate(end - start)

    def store(self, path: Path) -> None:
        """Store an object.

        Args:
            path: DICOM file that srexp wrote.

        Raises:
            AwayError: The archive takes nothing now.
            RefusedError: It won't take this object.
            RequestError: It wants a password.
        """
        with self._asking():
            answer = self._client.store_instances([pydicom.dcmread(path)])
        self._require_stored(answer)

    def _require_stored(self, answer: pydicom.Dataset) -> None:
        for item in answer.get("FailedSOPSequence") or []:
            require_taken(int(item.get("FailureReason") or 0x0110), self._address)

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Say what went wrong without an address that names a study."""
        try:
            yield
        except requests.HTTPError as error:
            self._refuse(error.response)
        except (requests.ConnectionError, requests.Timeout, ConnectionError) as error:
            raise AwayError(f"{self._address} can't be reached, or breaks off ({_cause(error)})") from None
        except requests.RequestException:
            raise SrexpError(f"{self._address} gave an answer that is no HTTP") from None
        except (ValueError, TypeError, KeyError, AttributeError):
            raise SrexpError(f"{self._address} gave an answer that is no DICOMweb", fix="look at its path") from None

    def _refuse(self, response: requests.Response) -> None:
        code = response.status_code
        said = f"{self._address} answered {code} {response.reason or ''}".strip()
        if code in _LOCKED:
            raise RequestError(
                said,
                expected=f"that the user of {self._key} may do this",
                fix=f"~/.netrc, or {self._key}='${{oc.env:NAME}}' with user and password in the address in NAME",
            )
        if code == HTTPStatus.INTERNAL_SERVER_ERROR:
            raise BrokenOffError(said)
        if code in _BUSY or code > HTTPStatus.INTERNAL_SERVER_ERROR:
            raise AwayError(said)
        if code == HTTPStatus.CONFLICT:  # an object was refused, and the body says why
            with _understood():
                self._require_stored(pydicom.Dataset.from_json(response.json()))
        raise RefusedError(said)


class _Timely(HTTPAdapter):
    """Waits for no server for ever."""

    def send(self, request: requests.PreparedRequest, *arguments: Any, **options: Any) -> requests.Response:
        return super().send(request, *arguments, **{**options, "timeout": options.get("timeout") or TIMEOUT})


@contextmanager
def _understood() -> Iterator[None]:
    """Go on where a body says nothing that can be understood."""
    try:
        yield
    except (ValueError, TypeError, KeyError, AttributeError):
        return


def _described(item: Mapping[str, Any], study: str, series: str | None) -> Instance:
    """Read the attributes that each object has (PS3.18 10.6.3); pydicom would quote one that is wrong."""

    def said(tag: str, otherwise: str) -> str:
        return str((item.get(tag, {}).get("Value") or [otherwise])[0])

    own, within = said("00080018", ""), said("0020000E", series or "")
    if not (is_uid(within) and is_uid(own)):
        raise ValueError("an object without UIDs")
    kind = said("00080016", "")
    return Instance(study, within, own, kind if is_uid(kind) else "")


def is_uid(text: str) -> bool:
    """Whether a text is a UID (PS3.5 9.1); pydicom's own would quote one that is wrong."""
    return len(text) <= _LONGEST_UID and re.fullmatch(RE_VALID_UID, text) is not None


def _part(body: IO[bytes], content_type: str) -> tuple[int, int]:
    """Give where the only part of a body begins and ends (RFC 2046, section 5.1.1)."""
    head, size = Message(), body.tell()
    head["Content-Type"] = content_type
    boundary = head.get_boundary()
    if head.get_content_maintype() != "multipart" or not boundary:
        return 0, size
    body.seek(0)
    start = body.read(_HEAD).find(b"\r\n\r\n") + 4
    tail = max(0, size - _TAIL)
    body.seek(tail)
    end = body.read().rfind(f"\r\n--{boundary}--".encode())
    return start, tail + end if end >= 0 else size


def _cause(error: BaseException) -> str:
    """Give what a system says of a failure; what libraries say names the address that was asked."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno and seen.strerror:
            return seen.strerror
        reason = getattr(seen.args[0], "reason", None) if seen.args else None
        seen = reason if isinstance(reason, BaseException) else seen.__cause__ or seen.__context__
    return "it took too long" if isinstance(error, requests.Timeout) else "no connection"
