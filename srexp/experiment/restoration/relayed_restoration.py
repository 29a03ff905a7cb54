"""DICOM images that machines send (C-STORE) through a model, and on to a destination: what `serve dicom=true` joins."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pydicom.uid

from srexp.config.sections.verbs import ServeConfig
from srexp.data.dicom.header import SYNTAXES
from srexp.data.dicom.sop_classes import KNOWN_GEOMETRY
from srexp.data.formats.registry import frames_in, identity_of, shape_of
from srexp.data.restored_image import Origin
from srexp.enhance.pacs.addresses import StoreAddress, destination_address, require_packages
from srexp.enhance.pacs.c_store import store
from srexp.enhance.pacs.dicomweb import Archive
from srexp.enhance.pacs.receiver import Listening, receiving
from srexp.enhance.pacs.relay import Relay
from srexp.enhance.pacs.sending import Send
from srexp.enhance.pacs.spool import Spool
from srexp.enhance.serving.turns import Image, Turns
from srexp.errors import RequestError
from srexp.experiment.restoration.failure import told
from srexp.experiment.restoration.file_restoration import Restorer
from srexp.system.confinement import in_background
from srexp.training.memory import is_exhaustion

_MIB, _SAMPLE_BYTES = 2**20, 2
_KEY = "pacs.destination"

log = logging.getLogger(__name__)


def require_relayable(config: ServeConfig) -> None:
    """Refuse what `dicom=true` can't work with, before a model is loaded; nobody is asked yet.

    Args:
        config: Checked configuration.

    Raises:
        RequestError: A key is missing or wrong, or a package is missing.
    """
    if not config.dicom:
        return
    require_packages("dicom=true", "dicom")
    if not config.pacs.callers:
        raise RequestError(
            "dicom=true lets nobody in", got="pacs.callers=[]", expected="AE titles", fix="pacs.callers=[MODALITY1]"
        )
    if config.pacs.destination is None:
        raise RequestError("pacs.destination is missing", fix=f"{_KEY}=dicom://127.0.0.1:4242/ORTHANC")
    destination_address(config.pacs.destination, _KEY)
    if not isinstance(config.model_uri, str):
        raise RequestError(
            "dicom=true takes one model, since a sender names none",
            got="all of the zoo" if config.model_uri is None else f"{len(config.model_uri)} models",
            fix="model_uri=zoo/hybrid-cxr-x2",
        )


@contextmanager
def relaying(config: ServeConfig, restorer: Restorer, turns: Turns) -> Iterator[str]:
    """Receive, restore and send on meanwhile.

    Args:
        config: Configuration that `require_relayable` let through.
        restorer: The model.
        turns: Those that it takes with images that come by HTTP, which go first while they are small.

    Yields:
        Where it listens and sends to, for a person.

    Raises:
        RequestError: The port is taken, or the spool can't be used.
    """
    pacs = config.pacs
    destination = destination_address(str(pacs.destination), _KEY)
    if isinstance(destination, StoreAddress):
        send: Send = partial(store, address=destination, title=pacs.title)
    else:
        send = Archive(destination, _KEY).store
    listening = Listening(
        host=pacs.host,
        port=pacs.port,
        title=pacs.title,
        callers=pacs.callers,
        hosts=pacs.hosts,
        classes={kind: SYNTAXES for name in sorted(KNOWN_GEOMETRY) if (kind := getattr(pydicom.uid, name, None))},
        max_bytes=pacs.max_mb * _MIB,
        connections=pacs.connections,
        idle_seconds=pacs.idle_seconds,
        message_seconds=pacs.object_seconds,
    )
    with Spool(pacs.spool.expanduser(), pacs.spool_mb * _MIB, restorer.made.identity) as spool:
        relay = Relay(
            spool, restoring(restorer, turns), send, told=partial(told, private=True), seconds=pacs.retry_seconds
        )
        with receiving(listening, spool, looking(restorer, config.max_pixels, pacs.spool_mb * _MIB)) as port:
            relay.start()
            try:
                yield f"{pacs.title} at {pacs.host}:{port}, sends to {destination}"
            finally:
                relay.close()


def looking(restorer: Restorer, max_pixels: int, max_bytes: int) -> Callable[[Path], bool]:
    """Join looking at a file that was received.

    Args:
        restorer: The model.
        max_pixels: Largest image, in pixels of the restoration.
        max_bytes: Most bytes of all images of a file, restored.

    Returns:
        Function from a file to whether it is to be restored, which what srexp made itself isn't: an archive may send it
        back. It refuses what can't be restored.
    """

    def look(path: Path) -> bool:
        height, width = shape_of(path)
        pixels = height * width * restorer.opened.scale**2
        if pixels > max_pixels:
            raise RequestError("the image is too large", got=f"{height} x {width}", expected=f"{max_pixels} pixels")
        if pixels * len(frames_in(path)) * _SAMPLE_BYTES > max_bytes:
            raise RequestError("the images are too large together", expected=f"{max_bytes} bytes")
        return not identity_of(path).restored

    return look


def restoring(restorer: Restorer, turns: Turns) -> Callable[[Path, Path], None]:
    """Join restoring a file that was received.

    Args:
        restorer: The model.
        turns: Those that it takes.

    Returns:
        Function from a file to another one.
    """

    def restore(path: Path, target: Path) -> None:
        origin = Origin(path, "dicom", tuple(frames_in(path)), restorer.intensity)
        try:
            with in_background():
                lost = turns.run(Image(small=False), partial(restorer.restore_file, origin, "dicom", target))
        except Exception as error:
            if is_exhaustion(error):
                raise MemoryError from error
            raise
        for each in lost:
            log.info("an image: %s", each)

    return restore
