"""Sending by C-STORE (PS3.4 B), through pynetdicom."""

from __future__ import annotations

import logging
from pathlib import Path

import pydicom
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from srexp.enhance.pacs.addresses import StoreAddress
from srexp.enhance.pacs.sending import AwayError, BrokenOffError, RefusedError, require_taken

#: Seconds for a connection, for an answer, and for the other side's silence.
CONNECT_SECONDS, ANSWER_SECONDS = 10.0, 120.0


def store(path: Path, address: StoreAddress, *, title: str) -> None:
    """Send an object and wait until it is taken.

    Args:
        path: DICOM file that srexp wrote: explicit VR little endian.
        address: To whom.
        title: AE title that the sender goes by.

    Raises:
        AwayError: The other side takes nothing now.
        RefusedError: It won't take this object.
    """
    from pynetdicom import _config
    from pynetdicom.ae import ApplicationEntity

    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL + 1)  # its lines quote what was sent
    _config.STORE_SEND_CHUNKED_DATASET = True
    kind = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["SOPClassUID"]).SOPClassUID
    entity = ApplicationEntity(ae_title=title)
    entity.connection_timeout = CONNECT_SECONDS
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = ANSWER_SECONDS
    for syntax in (ExplicitVRLittleEndian, ImplicitVRLittleEndian):
        entity.add_requested_context(kind, syntax)
    association = entity.associate(address.host, address.port, ae_title=address.title)
    if association.is_rejected:
        raise AwayError(f"{address} lets {title} not in", fix=f"let it know the AE title {title}")
    if association.rejected_contexts and not association.accepted_contexts:  # pynetdicom has broken off
        raise RefusedError(f"{address} takes no objects of the class {kind.name!r}")
    if not association.is_established:
        raise AwayError(f"{address} can't be reached")
    try:
        explicit = any(each.transfer_syntax[0] == ExplicitVRLittleEndian for each in association.accepted_contexts)
        answer = association.send_c_store(path if explicit else pydicom.dcmread(path))
    except (RuntimeError, OSError):
        raise BrokenOffError(f"{address} breaks off") from None
    finally:
        if association.is_established:
            association.release()
    if "Status" not in answer:
        raise BrokenOffError(f"{address} breaks off, or gives no answer")
    require_taken(int(answer.Status), address)
