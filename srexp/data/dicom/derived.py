"""The description of a DICOM image that was derived from another (PS3.3 C.7.6.1, C.7.6.2, C.12.1)."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import datetime

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import UID, ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from srexp.data.dicom.geometry import scale_geometry
from srexp.data.dicom.stored_values import Encoding
from srexp.data.restored_image import Provenance

# What described the original's pixels or bytes and would be wrong of others.
_STALE = (
    *("SmallestImagePixelValue", "LargestImagePixelValue", "SmallestPixelValueInSeries", "LargestPixelValueInSeries"),
    *("SmallestImagePixelValueInPlane", "LargestImagePixelValueInPlane", "IconImageSequence", "PixelDataProviderURL"),
    *("ExtendedOffsetTable", "ExtendedOffsetTableLengths", "DataSetTrailingPadding", "DigitalSignaturesSequence"),
    *("MACParametersSequence", "EncryptedAttributesSequence", "PixelData", "FloatPixelData", "DoubleFloatPixelData"),
)
_MODALITY = (
    "ModalityLUTSequence",
    "RescaleSlope",
    "RescaleIntercept",
    "RescaleType",
    "PixelValueTransformationSequence",
)
_PADDING = ("PixelPaddingValue", "PixelPaddingRangeLimit")
_WINDOW = (
    *("WindowCenter", "WindowWidth", "WindowCenterWidthExplanation", "VOILUTFunction", "VOILUTSequence"),
    *("FrameVOILUTSequence", "PresentationLUTSequence"),
)
_COLOURS = (
    "PlanarConfiguration",
    "PaletteColorLookupTableUID",
    *(
        f"{part[0]}{colour}PaletteColorLookupTable{part[1]}"
        for colour in ("Red", "Green", "Blue", "Alpha")
        for part in (("", "Descriptor"), ("", "Data"), ("Segmented", "Data"))
    ),
)
_WORD_BYTES = {"OW": 2, "OF": 4, "OL": 4, "OD": 8, "OV": 8}
_CURVES, _OVERLAYS = range(0x5000, 0x5100), range(0x6000, 0x6100)


def derived(source: Dataset, encoding: Encoding, shape: tuple[int, int], made: Provenance, *, lossy: bool) -> Dataset:
    """Describe a restored image as what it is: made from another one, of the same patient, in a series of its own.

    Names, dates and everything else that says whose image it is stay as they are. Private elements, overlays and
    thumbnails go.

    Args:
        source: The original's elements without its pixels; it is changed and returned.
        encoding: How the values are stored.
        shape: Height and width.
        made: Who made it, and how many times larger it became.
        lossy: Whether the original had been compressed with loss.

    Returns:
        The elements of the new object, ready for its pixels.
    """
    reference = _reference(source)
    instance = UID(pydicom.uid.generate_uid(prefix=None))
    series = _uid(str(source.get("SeriesInstanceUID") or reference.ReferencedSOPInstanceUID), made.identity)
    _clean(source, encoding)
    _describe_pixels(source, encoding, shape)
    scale_geometry(source, made.scale)
    _say_derived(source, made, [reference], lossy=lossy)
    source.SOPInstanceUID, source.SeriesInstanceUID = instance, series
    source.SeriesDescription = f"{str(source.get('SeriesDescription') or '')[:40]} srexp x{made.scale}".strip()
    return _as_file(source)


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
    image.SOPClassUID, image.SOPInstanceUID = SecondaryCaptureImageStorage, UID(pydicom.uid.generate_uid(prefix=None))
    image.StudyInstanceUID, image.SeriesInstanceUID = _uid(digest), _uid(digest, made.identity)
    for keyword in (
        *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID"),
        *("AccessionNumber", "ReferringPhysicianName", "Manufacturer", "Laterality", "PatientOrientation"),
    ):
        setattr(image, keyword, "")
    image.Modality, image.ConversionType, image.SeriesNumber, image.InstanceNumber = "OT", "WSD", None, 1
    _describe_pixels(image, encoding, shape)
    _say_derived(image, made, [], lossy=False)
    return _as_file(image)


def _uid(*texts: str) -> UID:
    """Make an identifier that is the same for the same texts (PS3.5 B.2)."""
    return UID(f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, '/'.join(texts)).int}")


def _reference(source: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = source.SOPClassUID, source.SOPInstanceUID
    item.PurposeOfReferenceCodeSequence = [_code(codes.DCM.SourceImageForImageProcessingOperation)]
    return item


def _code(code: object) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code.value, code.scheme_designator, code.meaning  # type: ignore[attr-defined]
    return item


def _clean(image: Dataset, encoding: Encoding) -> None:
    """Take away what would be wrong of the new pixels."""
    image.remove_private_tags()
    gone = set(_STALE)
    gone |= set() if encoding.modality_kept and encoding.padding else set(_PADDING)
    gone |= set() if encoding.modality_kept else set(_MODALITY)
    gone |= set() if encoding.window_kept else set(_WINDOW)
    gone |= set(_COLOURS) if encoding.samples > 1 else {"PlanarConfiguration"}
    for part in [image, *_functional_groups(image)]:
        for keyword in gone:
            if keyword in part:
                delattr(part, keyword)
    for element in [each for each in image if each.tag.group in _CURVES or each.tag.group in _OVERLAYS]:
        del image[element.tag]
    if not encoding.window_kept and "PresentationLUTShape" in image:
        image.PresentationLUTShape = "IDENTITY"
    if not encoding.modality_kept and encoding.samples == 1:
        image.RescaleIntercept, image.RescaleSlope, image.RescaleType = "0", "1", "US"


def _describe_pixels(image: Dataset, encoding: Encoding, shape: tuple[int, int]) -> None:
    image.Rows, image.Columns = shape
    image.SamplesPerPixel, image.PhotometricInterpretation = encoding.samples, encoding.photometric
    image.BitsAllocated, image.BitsStored, image.HighBit = encoding.allocated, encoding.bits, encoding.bits - 1
    image.PixelRepresentation = int(encoding.signed)
    if encoding.samples > 1:
        image.PlanarConfiguration = 0


def _say_derived(image: Dataset, made: Provenance, references: list[Dataset], *, lossy: bool) -> None:
    now = datetime.now().astimezone()
    image.ImageType = _kinds(image.get("ImageType"))
    image.DerivationDescription = made.sentence()
    image.DerivationCodeSequence = [_code(codes.DCM.SpatialResampling)]
    image.InstanceCreationDate, image.InstanceCreationTime = now.strftime("%Y%m%d"), now.strftime("%H%M%S")
    equipment = Dataset()
    equipment.PurposeOfReferenceCodeSequence = [_code(codes.DCM.ProcessingEquipment)]
    equipment.Manufacturer, equipment.SoftwareVersions = "srexp", made.version
    equipment.ContributionDescription = made.sentence()
    equipment.ContributionDateTime = now.strftime("%Y%m%d%H%M%S")
    image.ContributingEquipmentSequence = [*(image.get("ContributingEquipmentSequence") or []), equipment]
    if references:
        image.SourceImageSequence = references
    if lossy:
        image.LossyImageCompression = "01"
    for group in _functional_groups(image):
        for element in group:
            if element.keyword.endswith("FrameTypeSequence") and element.value:
                element.value[0].FrameType = _kinds(element.value[0].get("FrameType"))
        if "DerivationImageSequence" in group:
            del group.DerivationImageSequence
    if shared := image.get("SharedFunctionalGroupsSequence"):
        derivation = Dataset()
        derivation.DerivationDescription = made.sentence()
        derivation.DerivationCodeSequence = [_code(codes.DCM.SpatialResampling)]
        derivation.SourceImageSequence = references
        shared[0].DerivationImageSequence = [derivation]
        image.SourceImageEvidenceSequence = [_evidence(image, references)]


def _kinds(given: object) -> list[str]:
    """Say that an image is derived, and keep what its type says from the third value on."""
    values = [given] if isinstance(given, str) else list(given or [])  # type: ignore[call-overload]
    return ["DERIVED", "SECONDARY", *map(str, values[2:])]


def _evidence(image: Dataset, references: list[Dataset]) -> Dataset:
    """Say in which study and series the originals lie, as objects with functional groups must (PS3.3 C.8.13.2)."""
    series, study = Dataset(), Dataset()
    series.SeriesInstanceUID, series.ReferencedSOPSequence = image.SeriesInstanceUID, references
    study.StudyInstanceUID, study.ReferencedSeriesSequence = image.StudyInstanceUID, [series]
    return study


def _functional_groups(image: Dataset) -> Iterator[Dataset]:
    for name in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        yield from image.get(name) or []


def _as_file(image: Dataset) -> Dataset:
    """Give the object a file header of its own; the original's preamble and encoding are not taken over."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = image.SOPClassUID, image.SOPInstanceUID
    image.file_meta = meta
    _turn_little_endian(image)
    if hasattr(image, "preamble"):
        image.preamble = b"\0" * 128
    return image


def _turn_little_endian(image: Dataset) -> None:
    """Swap the bytes of what an old big-endian file holds as words; pydicom swaps numbers, and leaves such to us."""
    if image.original_encoding[1] is not False:
        return
    for element in image.iterall():
        if (size := _WORD_BYTES.get(str(element.VR))) and isinstance(element.value, bytes):
            element.value = np.frombuffer(element.value, f">u{size}").astype(f"<u{size}").tobytes()
    image.set_original_encoding(is_implicit_vr=False, is_little_endian=True)
