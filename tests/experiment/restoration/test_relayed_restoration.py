"""What is received goes through a model; what can't is refused, and wrong requests before anything is loaded."""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import EncapsulatedPDFStorage

from srexp.config.compose import compose
from srexp.config.sections.verbs import ServeConfig
from srexp.enhance.serving.turns import Turns
from srexp.errors import RequestError
from srexp.experiment.restoration.relayed_restoration import looking, relaying, require_relayable, restoring
from tests.archives import free_port, keeper, scan

FITS = ["dicom=true", "model_uri=bicubic", "pacs.callers=[MODALITY]", "pacs.destination=dicom://127.0.0.1:104/ARCHIVE"]


def typed(*words: str) -> ServeConfig:
    config, _ = compose("serve", [*FITS, *words])
    assert isinstance(config, ServeConfig)
    return config


def test_what_fits_is_let_through() -> None:
    require_relayable(typed())
    require_relayable(typed("pacs.destination=dicomweb://pacs.example/rs"))
    require_relayable(typed("dicom=false", "pacs.callers=[]", "pacs.destination=null", "model_uri=null"))


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("pacs.callers=[]", "dicom=true lets nobody in"),
        ("pacs.destination=null", "pacs.destination is missing"),
        ("pacs.destination=http://h/rs", "pacs.destination is no address"),
        ("pacs.destination=dicomweb://h/studies/1.2", "pacs.destination is no address"),
        ("model_uri=null", "dicom=true takes one model"),
        ("model_uri=[bicubic,lanczos]", "dicom=true takes one model"),
    ],
)
def test_what_does_not_is_refused(word: str, said: str) -> None:
    with pytest.raises(RequestError, match=said):
        require_relayable(typed(word))


@pytest.mark.parametrize(
    "word",
    [
        "pacs.callers=[SEVENTEEN_LETTERS]",
        "'pacs.title= A'",
        "pacs.port=0",
        "pacs.hosts=[name.example]",
        "pacs.spool_mb=0",
        "pacs.x=1",
    ],
)
def test_keys_have_types(word: str) -> None:
    with pytest.raises(RequestError):
        typed(word)


def test_it_is_refused_before_tensorflow_is_imported() -> None:
    code = (
        "import sys\n"
        "from srexp.cli import run\n"
        "code = run(['serve', 'dicom=true', 'model_uri=bicubic', 'pacs.callers=[A]', 'pacs.destination=ftp://h'])\n"
        "code += run(['enhance', 'model_uri=bicubic', 'input=dicomweb://h', 'output=o'])\n"
        "heavy = ('tensorflow', 'keras', 'mlflow', 'pynetdicom', 'dicomweb_client')\n"
        "print(code, [name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "4 []", done.stderr


def test_images_are_looked_at_before_they_are_taken(identity, tmp_path: Path) -> None:
    look = looking(identity, max_pixels=96 * 96, max_bytes=10**5)
    assert look(scan(tmp_path / "a.dcm", side=48))
    with pytest.raises(RequestError, match="the image is too large"):
        look(scan(tmp_path / "large.dcm", side=50))
    with pytest.raises(RequestError, match="too large together"):
        looking(identity, max_pixels=10**9, max_bytes=10**4)(scan(tmp_path / "a.dcm", side=48))
    with pytest.raises(RequestError, match="is no image"):
        look(scan(tmp_path / "pdf.dcm", SOPClassUID=EncapsulatedPDFStorage))
    (tmp_path / "torn.dcm").write_bytes((tmp_path / "a.dcm").read_bytes()[:1500])
    with pytest.raises(RequestError):
        look(tmp_path / "torn.dcm")


def taking_turns(identity):
    turns = Turns(1)
    chosen = replace(identity, on_tiles=turns.expect)
    return chosen, turns


@pytest.mark.slow
def test_what_was_made_is_linked_to_its_source_and_not_taken_again(identity, tmp_path: Path) -> None:
    path, made = scan(tmp_path / "a.dcm"), tmp_path / "made.dcm"
    restoring(*taking_turns(identity))(path, made)
    source, restored = pydicom.dcmread(path), pydicom.dcmread(made)
    assert restored.SourceImageSequence[0].ReferencedSOPInstanceUID == source.SOPInstanceUID
    assert (restored.Rows, restored.Columns) == (96, 96)
    assert np.abs(restored.pixel_array[::2, ::2].astype(int) - source.pixel_array).mean() < 100
    assert not looking(identity, max_pixels=10**9, max_bytes=10**9)(made)


def test_from_a_modality_to_a_destination(identity, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    from tests.enhance.pacs.test_receiver import sent

    caplog.set_level(logging.INFO)
    with keeper() as kept:
        config = typed(
            f"pacs.destination=dicom://127.0.0.1:{kept.port}/KEEPER",
            f"pacs.port={free_port()}",
            f"pacs.spool={tmp_path / 'spool'}",
        )
        with relaying(config, *taking_turns(identity)) as said:
            assert said == f"SREXP at 127.0.0.1:{config.pacs.port}, sends to dicom://127.0.0.1:{kept.port}/KEEPER"
            assert sent(config.pacs.port, scan(tmp_path / "a.dcm"))[0] == "0000"
            until = time.monotonic() + 60
            while not kept.got:
                assert time.monotonic() < until
                time.sleep(0.05)
    assert "Not for diagnosis" in kept.got[0].DerivationDescription
    assert not [word for word in ("Unmistakable", "4711", "8.498") if word in caplog.text]


def test_memory_that_runs_out_says_nothing_of_the_image(tmp_path: Path, identity, monkeypatch) -> None:
    """A library's own word for it is put as Python's, by which the relay tries again."""
    import tensorflow as tf

    def exhausted(*_: object) -> None:
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")

    monkeypatch.setattr(type(identity), "restore_file", exhausted)
    restore = restoring(identity, Turns(1))
    with pytest.raises(MemoryError):
        restore(scan(tmp_path / "a.dcm"), tmp_path / "out.dcm")
