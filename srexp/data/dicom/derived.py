"""The description of a DICOM image that was derived from another (PS3.3 C.7.6.1, C.7.6.2, C.12.1)."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from datetime import datetime

import numpy as np
import pydicom
from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.multival import MultiValue
from pydicom.sr.codedict import codes
from pydicom.tag import BaseTag
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    PositronEmissionTomographyImageStorage,
    SecondaryCaptureImageStorage,
)

from srexp.data.dicom.attributes import REWRITTEN, dropped, is_foreign, of_this_image
from srexp.data.dicom.elements import integer, items, nested, readable, text, texts, uid
from srexp.data.dicom.geometry import scale_geometry
from srexp.data.dicom.grayscale import is_inverted
from srexp.data.dicom.image_types import derived_type
from srexp.data.dicom.sop_classes import FUNCTIONAL_GROUPS, sop_class
from srexp.data.dicom.stored_values import Encoding
from srexp.data.restored_image import Provenance

_MAKER = "srexp"
_WORD_BYTES = {"OW": 2, "OF": 4, "OL": 4, "OD": 8, "OV": 8}
# Elements with a value for each frame: PS3.3 C.7.6.5 (cine), C.8.4.8 (nuclear medicine), C.8.6.4 (vectors of secondary
# captures), C.8.7.4 and C.8.7.5 (moving tables and positioners), C.8.8.3 (dose), C.8.17 (ophthalmology).
_FOR_EACH_FRAME = (
    *("FrameTimeVector", "FrameLabelVector", "SliceLocationVector", "GridFrameOffsetVector", "RWaveTimeVector"),
    *("EnergyWindowVector", "DetectorVector", "PhaseVector", "RotationVector", "RRIntervalVector", "TimeSlotVector"),
    *("SliceVector", "AngularViewVector", "TimeSliceVector", "BscanCycleTimeVector", "PageNumberVector"),
    *("FramePrimaryAngleVector", "FrameSecondaryAngleVector", "DisplayWindowLabelVector"),
    *("PositionerPrimaryAngleIncrement", "PositionerSecondaryAngleIncrement"),
    *("TableVerticalIncrement", "TableLateralIncrement", "TableLongitudinalIncrement"),
)


def derived(
    source: Dataset,
    encoding: Encoding,
    shape: tuple[int, int],
    made: Provenance,
    *,
    lossy: bool,
    frames: Sequence[int] = (),
) -> Dataset:
    """Describe a restored image as what it is: made from another one, of the same patient, in a series of its own.

    Names, dates and everything else that says whose image it is stay as they are. Private elements, overlays and
    thumbnails go. Whatever makes the same of the same image gives it the same identifier, so that an archive which gets
    it again knows it.

    Args:
        source: The original's elements without its pixels; it is changed and returned.
        encoding: How the values are stored.
        shape: Height and width.
        made: Who made it, and how many times larger it became.
        lossy: Whether the original had been compressed with loss.
        frames: Which of its frames the image has, from 0, where it hasn't all.

    Returns:
        The elements of the new object, ready for its pixels.
    """
    kind, references, original = sop_class(source), _references(source), text(source, "SOPInstanceUID")
    identity = text(source, "SeriesInstanceUID") or original
    _clean(source, dropped(source, encoding))
    source.SOPClassUID = kind
    if not encoding.modality_kept:
        _say_new_values(source, encoding)
    _describe_pixels(source, encoding, shape)
    scale_geometry(source, made.scale)
    _say_derived(source, made, references, lossy=lossy)
    source.SOPInstanceUID = instance_uid(original, made.identity, frames) if original else _new_uid()
    source.SeriesInstanceUID = series_uid(identity, made.identity) if identity else _new_uid()
    source.SeriesDescription = f"{text(source, 'SeriesDescription')[:40]} srexp x{made.scale}".strip()
    return _as_file(source)


def keep_frames(source: Dataset, frames: Sequence[int]) -> None:
    """Describe an object of which some frames are kept as one that has these alone.

    Args:
        source: The original's elements; it is changed.
        frames: Positions of the frames, from 0.
    """
    had = max(1, integer(source, "NumberOfFrames", 1))
    if len(frames) == had:
        return
    source.NumberOfFrames = len(frames)
    if groups := items(source, "PerFrameFunctionalGroupsSequence"):
        source.PerFrameFunctionalGroupsSequence = [groups[frame] for frame in frames]
    for keyword in _FOR_EACH_FRAME:
        values = source.get(keyword)
        if isinstance(values, MultiValue) and len(values) == had:
            source[keyword].value = [values[frame] for frame in frames]


def secondary_capture(digest: str, encoding: Encoding, shape: tuple[int, int], made: Provenance) -> Dataset:
    """Describe a restored image that came from no DICOM file (PS3.3 A.8.1): no patient is named.

    Args:
        digest: Digest of the original file; its study is the same in every run.
        encoding: How the values are stored.
        shape: Height and width.
        made: Who made it.

    Returns:
        The elements of the new object, ready for its pixels.
    """
    image = Dataset()
    image.SOPClassUID, image.SOPInstanceUID = SecondaryCaptureImageStorage, instance_uid(digest, made.identity)
    image.StudyInstanceUID, image.SeriesInstanceUID = _uid(digest), series_uid(digest, made.identity)
    for keyword in (
        *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID"),
        *("AccessionNumber", "ReferringPhysicianName", "Manufacturer", "Laterality", "PatientOrientation"),
    ):
        setattr(image, keyword, "")
    image.Modality, image.ConversionType, image.SeriesNumber, image.InstanceNumber = "OT", "WSD", None, 1
    _describe_pixels(image, encoding, shape)
    _say_derived(image, made, [], lossy=False)
    return _as_file(image)


def series_uid(original: str, made: str) -> UID:
    """Give the identifier of the series that a series becomes.

    Args:
        original: Identifier of the series, or of the image where it has none.
        made: What decides the result, see `Provenance.identity`.
    """
    return _uid(original, made)


def is_restoration(image: Dataset) -> bool:
    """Whether srexp made an image, as it says of itself.

    Args:
        image: Its elements.
    """
    return any(text(item, "Manufacturer") == _MAKER for item in items(image, "ContributingEquipmentSequence"))


def instance_uid(original: str, made: str, frames: Sequence[int] = ()) -> UID:
    """Give the identifier of what an image becomes.

    Args:
        original: Identifier of the image, or another text that is its own.
        made: What decides the result, see `Provenance.identity`.
        frames: Which of its frames are kept, where not all are.

    Example:
        >>> instance_uid("1.2.3", "x2") == instance_uid("1.2.3", "x2") != instance_uid("1.2.3", "x2", [0])
        True
    """
    return _uid("instance", original, made, *map(str, frames))


def _uid(*texts: str) -> UID:
    """Make an identifier that is the same for the same texts (PS3.5 B.2)."""
    return UID(f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, '/'.join(texts)).int}")


def _new_uid() -> UID:
    return UID(pydicom.uid.generate_uid(prefix=None))


def _references(source: Dataset) -> list[Dataset]:
    """Refer to the original, unless its identifier is missing or none that DICOM's organisations give (PS3.5 9.1)."""
    identifier = uid(source, "SOPInstanceUID")
    if not identifier.is_valid or identifier[0] not in ("1", "2"):
        return []
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class(source), identifier
    item.PurposeOfReferenceCodeSequence = [_code(codes.DCM.SourceImageForImageProcessingOperation)]
    return [item]


def _code(code: object) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code.value, code.scheme_designator, code.meaning  # type: ignore[attr-defined]
    return item


def _clean(part: Dataset, gone: frozenset[str]) -> None:
    """Take away what would be wrong of the new pixels, and what nobody else can read, here and below."""
    for tag in list(part.keys()):
        if is_foreign(tag) or keyword_for_tag(tag) in gone or _is_misfit(part, tag):
            del part[tag]
    for sequence, item in nested(part):
        _clean(item, gone if of_this_image(sequence) else frozenset())


def _is_misfit(part: Dataset, tag: BaseTag) -> bool:
    """Tell an element that is written anew and holds another kind of value than it should."""
    if keyword_for_tag(tag) not in REWRITTEN:
        return False
    with readable(tag):
        kind = part.get_item(tag).VR
        return (part[tag].VR if kind == "UN" else kind) not in (None, dictionary_VR(tag))  # pydicom knows what UN means


def _say_new_values(image: Dataset, encoding: Encoding) -> None:
    """Say that stored values are levels without a unit, which make no image of positron emission (C.8.9.1)."""
    if image.SOPClassUID == PositronEmissionTomographyImageStorage:
        image.SOPClassUID = SecondaryCaptureImageStorage
        image.add_new("ConversionType", "CS", "WSD")
        image.add_new("PatientOrientation", "CS", texts(image, "PatientOrientation"))
    if text(image, "PixelIntensityRelationshipSign"):
        turned = is_inverted(image) and encoding.photometric == "MONOCHROME2"
        sign = integer(image, "PixelIntensityRelationshipSign")
        image.add_new("PixelIntensityRelationshipSign", "SS", -sign if turned else sign)
    if not encoding.window_kept and "PresentationLUTShape" in image:
        image.add_new("PresentationLUTShape", "CS", "IDENTITY")
    if not encoding.window_kept and text(image, "PresentationIntentType") == "FOR PRESENTATION":  # C.8.11.3 wants one
        image.WindowCenter, image.WindowWidth = 2 ** (encoding.bits - 1), 2**encoding.bits
    if encoding.samples == 1:
        groups = _for_all_frames(image)
        identity = Dataset() if groups else image
        identity.RescaleIntercept, identity.RescaleSlope, identity.RescaleType = "0", "1", "US"
        for group in groups:
            group.PixelValueTransformationSequence = [identity]
        for part in (image, *(item for group in _functional_groups(image) for _, item in nested(group))):
            if "PixelPresentation" in part:
                part.add_new("PixelPresentation", "CS", "MONOCHROME")


def _describe_pixels(image: Dataset, encoding: Encoding, shape: tuple[int, int]) -> None:
    image.Rows, image.Columns = shape
    image.SamplesPerPixel, image.PhotometricInterpretation = encoding.samples, encoding.photometric
    image.BitsAllocated, image.BitsStored, image.HighBit = encoding.allocated, encoding.bits, encoding.bits - 1
    image.PixelRepresentation = int(encoding.signed)
    if encoding.samples > 1:
        image.PlanarConfiguration = 0


def _say_derived(image: Dataset, made: Provenance, references: list[Dataset], *, lossy: bool) -> None:
    now = datetime.now().astimezone()
    image.ImageType = derived_type(image, texts(image, "ImageType"))
    image.DerivationDescription = made.sentence()
    image.DerivationCodeSequence = [_code(codes.DCM.SpatialResampling)]
    image.InstanceCreationDate, image.InstanceCreationTime = now.strftime("%Y%m%d"), now.strftime("%H%M%S")
    equipment = Dataset()
    equipment.PurposeOfReferenceCodeSequence = [_code(codes.DCM.ProcessingEquipment)]
    equipment.Manufacturer, equipment.SoftwareVersions = _MAKER, made.version
    equipment.ContributionDescription = made.sentence()
    equipment.ContributionDateTime = now.strftime("%Y%m%d%H%M%S")
    image.ContributingEquipmentSequence = [*items(image, "ContributingEquipmentSequence"), equipment]
    if references:
        image.SourceImageSequence = references
    elif "SourceImageSequence" in image:
        del image.SourceImageSequence
    if lossy:
        image.LossyImageCompression = "01"
    for group in _functional_groups(image):
        for name, item in nested(group):
            if name.endswith("FrameTypeSequence"):
                item.FrameType = derived_type(image, texts(item, "FrameType"))
        if "DerivationImageSequence" in group:
            del group.DerivationImageSequence
    for group in _for_all_frames(image):
        derivation = Dataset()
        derivation.DerivationDescription = made.sentence()
        derivation.DerivationCodeSequence = [_code(codes.DCM.SpatialResampling)]
        derivation.SourceImageSequence = references
        group.DerivationImageSequence = [derivation]
        if references:
            image.SourceImageEvidenceSequence = [_evidence(image, references)]


def _evidence(image: Dataset, references: list[Dataset]) -> Dataset:
    """Say in which study and series the originals lie, as objects with functional groups must (PS3.3 C.8.13.2)."""
    series, study = Dataset(), Dataset()
    series.SeriesInstanceUID, series.ReferencedSOPSequence = text(image, "SeriesInstanceUID"), references
    study.StudyInstanceUID, study.ReferencedSeriesSequence = text(image, "StudyInstanceUID"), [series]
    return study


def _functional_groups(image: Dataset) -> Iterator[Dataset]:
    for name in FUNCTIONAL_GROUPS:
        yield from items(image, name)


def _for_all_frames(image: Dataset) -> list[Dataset]:
    """Give the functional groups that together describe every frame once; none in other objects."""
    return next((groups for name in FUNCTIONAL_GROUPS if (groups := items(image, name))), [])


def _as_file(image: Dataset) -> Dataset:
    """Give the object a file header of its own; the original's preamble and encoding are not taken over."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = image.SOPClassUID, image.SOPInstanceUID
    image.file_meta = meta
    if image.original_encoding != (False, True):
        _turn_explicit(image, swapped=image.original_encoding[1] is False)
    image.preamble = b"\0" * 128
    return image


def _turn_explicit(part: Dataset, *, swapped: bool) -> None:
    """Read every element, so that one that can't be written otherwise is named, here and below.

    pydicom swaps the bytes of numbers, and leaves what an old big-endian file holds as words to us.
    """
    for tag in list(part.keys()):
        with readable(tag):
            element = part[tag]
        size = _WORD_BYTES.get(str(element.VR))
        if swapped and size and isinstance(element.value, bytes):
            element.value = np.frombuffer(element.value, f">u{size}").astype(f"<u{size}").tobytes()
    for _, item in nested(part):
        _turn_explicit(item, swapped=swapped)
    part.set_original_encoding(is_implicit_vr=False, is_little_endian=True)
