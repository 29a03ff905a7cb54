"""Archives that tests start: Orthanc on a port of its own, and a receiver that keeps what it gets."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import requests
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
#: Why tests with it are skipped; empty where it is there.
MISSING = "" if shutil.which("Orthanc") and PLUGIN.exists() else "needs Debian's orthanc and orthanc-dicomweb"
USER, PASSWORD = "reader", "s3cr3t-of-the-archive"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@dataclass
class Orthanc:
    """A running one."""

    folder: Path
    http: int
    dicom: int
    process: Any = None

    @property
    def web(self) -> str:
        return f"dicomweb+http://{USER}:{PASSWORD}@127.0.0.1:{self.http}/dicom-web"

    def ask(self, path: str, **how: Any) -> requests.Response:
        answer = requests.get(f"http://127.0.0.1:{self.http}{path}", auth=(USER, PASSWORD), timeout=60, **how)
        answer.raise_for_status()
        return answer

    def put(self, path: Path) -> None:
        answer = requests.post(
            f"http://127.0.0.1:{self.http}/instances", data=path.read_bytes(), auth=(USER, PASSWORD), timeout=60
        )
        answer.raise_for_status()

    def instances(self) -> list[str]:
        return sorted(self.ask("/instances").json())

    def read(self, instance: str) -> pydicom.Dataset:
        return pydicom.dcmread(pydicom.filebase.DicomBytesIO(self.ask(f"/instances/{instance}/file").content))

    def start(self) -> None:
        settings = {
            "Name": "tests", "StorageDirectory": str(self.folder / "storage"), "ConcurrentJobs": 1,
            "IndexDirectory": str(self.folder / "index"), "Plugins": [str(PLUGIN)], "RemoteAccessAllowed": False,
            "HttpPort": self.http, "DicomPort": self.dicom, "DicomAet": "ORTHANC", "DicomCheckCalledAet": False,
            "DicomAlwaysAllowStore": True, "AuthenticationEnabled": True, "RegisteredUsers": {USER: PASSWORD},
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"}, "OverwriteInstances": True,
        }  # fmt: skip
        configuration = self.folder / "orthanc.json"
        configuration.write_text(json.dumps(settings))
        with (self.folder / "orthanc.log").open("ab") as log:
            self.process = subprocess.Popen(["Orthanc", str(configuration)], stdout=log, stderr=log, cwd=self.folder)
        end = time.monotonic() + 120
        while time.monotonic() < end:
            try:
                self.ask("/system")
            except requests.RequestException:
                assert self.process.poll() is None, (self.folder / "orthanc.log").read_text()
                time.sleep(0.2)
            else:
                return
        raise TimeoutError((self.folder / "orthanc.log").read_text())

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=60)


@contextmanager
def orthanc(folder: Path) -> Iterator[Orthanc]:
    folder.mkdir(parents=True, exist_ok=True)
    running = Orthanc(folder, free_port(), free_port())
    running.start()
    try:
        yield running
    finally:
        running.stop()


@dataclass
class Kept:
    """What a receiver of pynetdicom's own got."""

    port: int = 0
    got: list[pydicom.Dataset] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)  # what it answers next; nothing: success

    def uids(self) -> list[str]:
        return [str(each.SOPInstanceUID) for each in self.got]


@contextmanager
def keeper(title: str = "KEEPER", port: int = 0) -> Iterator[Kept]:
    """A destination: pynetdicom's SCP."""
    from pynetdicom import evt
    from pynetdicom.ae import ApplicationEntity

    kept = Kept()

    def store(event: Any) -> int:
        status = kept.answers.pop(0) if kept.answers else 0
        if status == 0:
            image = event.dataset
            image.file_meta = event.file_meta
            kept.got.append(image)
        return status

    entity = ApplicationEntity(ae_title=title)
    entity.add_supported_context(ComputedRadiographyImageStorage)
    entity.add_supported_context(ComputedRadiographyImageStorage, ExplicitVRLittleEndian)
    server = entity.start_server(("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_C_STORE, store)])
    kept.port = server.server_address[1]
    try:
        yield kept
    finally:
        server.shutdown()


def scan(
    path: Path, number: int = 1, *, side: int = 48, study: str = "1.2.826.0.1.3680043.8.498.1", **tags: Any
) -> Path:
    """Write a small radiograph of a made-up person."""
    from pydicom.dataset import FileMetaDataset

    rows, columns = np.mgrid[:side, :side]
    pixels = (2000 + 1500 * np.sin(rows / 5 + number) * np.cos(columns / 7)).astype("<u2")
    image = pydicom.Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    described = {
        "SOPClassUID": ComputedRadiographyImageStorage, "SOPInstanceUID": f"{study}.2.{number}",
        "StudyInstanceUID": study, "SeriesInstanceUID": f"{study}.2", "PatientName": "Doe^Unmistakable",
        "PatientID": "MRN-4711-0815", "PatientBirthDate": "", "PatientSex": "", "StudyDate": "20200102",
        "StudyTime": "",
        "StudyID": "1", "AccessionNumber": "", "Modality": "CR", "ReferringPhysicianName": "", "SeriesNumber": 1,
        "InstanceNumber": number, "SeriesDescription": "chest", "ImageType": ["ORIGINAL", "PRIMARY"], "Rows": side,
        "Columns": side, "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2", "BitsAllocated": 16,
        "BitsStored": 12, "HighBit": 11, "PixelRepresentation": 0, "WindowCenter": 2000, "WindowWidth": 3600, **tags,
    }  # fmt: skip
    for keyword, value in described.items():
        setattr(image, keyword, value)
    image.PixelData = pixels.tobytes()
    image.file_meta.MediaStorageSOPClassUID, image.file_meta.MediaStorageSOPInstanceUID = (
        image.SOPClassUID,
        image.SOPInstanceUID,
    )
    image.save_as(path, enforce_file_format=True)
    return path
