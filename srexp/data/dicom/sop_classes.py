"""Kinds of DICOM objects (PS3.4 B.5): which hold no image, and which hold one whose geometry can be rewritten."""

from __future__ import annotations

import pydicom
from pydicom.uid import UID

from srexp.data.dicom.elements import text, uid
from srexp.data.image import UnreadableImageError

# PS3.3 C.7.3.1.1.1: modalities whose objects are no images that could be made sharper.
_NO_IMAGE = {
    "RTDOSE": "an RT dose grid",
    "RTPLAN": "an RT plan",
    "RTRECORD": "an RT treatment record",
    "RTSTRUCT": "an RT structure set",
    "SEG": "a segmentation",
    "SR": "a structured report",
    "KO": "a key object selection",
    "PR": "a presentation state",
    "REG": "a registration",
    "ECG": "a waveform",
    "DOC": "a document",
    "PLAN": "a plan",
}
#: Where enhanced objects describe all frames, and each (PS3.3 C.7.6.16).
FUNCTIONAL_GROUPS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
# PS3.3 C.8.20: segments, and their values as labels, whatever modality and class an object claims.
_OF_SEGMENTATIONS = ("SegmentSequence", "SegmentationType")
#: PS3.6 A: raw data, registrations and every kind of segmentation, among them those that pydicom doesn't know yet.
_NO_IMAGES = "1.2.840.10008.5.1.4.1.1.66."
# Images by another name: of what is called Storage, only what is called an image is one.
_ALSO_IMAGES = ("Enhanced US Volume Storage",)

_RADIOGRAPHS = "DigitalXRayImage DigitalMammographyXRayImage DigitalIntraOralXRayImage BreastProjectionXRayImage"
#: Keywords of the classes all of whose attributes `attributes.MEASURED` was compared with.
KNOWN_GEOMETRY = frozenset(
    f"{name}Storage{purpose}"
    for purpose, names in {
        "": """
            ComputedRadiographyImage CTImage EnhancedCTImage LegacyConvertedEnhancedCTImage MRImage EnhancedMRImage
            EnhancedMRColorImage LegacyConvertedEnhancedMRImage UltrasoundImage UltrasoundMultiFrameImage
            EnhancedUSVolume SecondaryCaptureImage MultiFrameGrayscaleByteSecondaryCaptureImage
            MultiFrameGrayscaleWordSecondaryCaptureImage MultiFrameTrueColorSecondaryCaptureImage
            HardcopyGrayscaleImage HardcopyColorImage XRayAngiographicImage EnhancedXAImage XRayRadiofluoroscopicImage
            EnhancedXRFImage XRayAngiographicBiPlaneImage XRay3DAngiographicImage XRay3DCraniofacialImage
            BreastTomosynthesisImage NuclearMedicineImage PositronEmissionTomographyImage
            LegacyConvertedEnhancedPETImage EnhancedPETImage RTImage VLEndoscopicImage VLMicroscopicImage
            VLSlideCoordinatesMicroscopicImage VLPhotographicImage VideoEndoscopicImage VideoMicroscopicImage
            VideoPhotographicImage OphthalmicPhotography8BitImage OphthalmicPhotography16BitImage
            OphthalmicTomographyImage DermoscopicPhotographyImage
        """,
        "ForPresentation": _RADIOGRAPHS,
        "ForProcessing": _RADIOGRAPHS,
        "Retired": "UltrasoundImage UltrasoundMultiFrameImage NuclearMedicineImage",
        "Trial": "VLImage VLMultiFrameImage",
    }.items()
    for name in names.split()
)


def sop_class(dataset: pydicom.Dataset) -> UID:
    """Tell of which class an object is.

    Args:
        dataset: Its elements, with those of the file's head.

    Returns:
        The class, of the head where the object itself does not say; the empty UID when neither does.
    """
    meta = getattr(dataset, "file_meta", None) or pydicom.Dataset()
    return uid(dataset, "SOPClassUID") or uid(meta, "MediaStorageSOPClassUID")


def is_enhanced(dataset: pydicom.Dataset) -> bool:
    """Tell whether an object is one of those that describe frames in functional groups.

    Args:
        dataset: Its elements.

    Returns:
        Whether it has such groups, or its class should have.
    """
    return "Enhanced" in sop_class(dataset).keyword or any(groups in dataset for groups in FUNCTIONAL_GROUPS)


def check_image(dataset: pydicom.Dataset) -> None:
    """Refuse what is no image, by modality, class and content: some segmentations call their modality OT.

    Args:
        dataset: Elements of an object.

    Raises:
        UnreadableImageError: It is none.
    """
    kind = _NO_IMAGE.get(text(dataset, "Modality"))
    if kind or any(keyword in dataset for keyword in _OF_SEGMENTATIONS):
        raise UnreadableImageError(f"is {kind or _NO_IMAGE['SEG']}, not an image")
    found = sop_class(dataset)
    if not is_image_class(found):
        raise UnreadableImageError(f"is no image but of the class {found.name!r}")


def is_image_class(found: UID) -> bool:
    """Whether objects of a class are images, as far as is known.

    Args:
        found: The class; empty, or of a private one, where that isn't known.
    """
    if not found.keyword:
        return not found.startswith(_NO_IMAGES)
    return "Image" in found.name or found.name in _ALSO_IMAGES


def check_geometry(dataset: pydicom.Dataset) -> None:
    """Refuse to change the grid of an object whose attributes may count pixels in ways that srexp doesn't know.

    Args:
        dataset: Elements of an image.

    Raises:
        UnreadableImageError: Its class is not among `KNOWN_GEOMETRY`.
    """
    found = sop_class(dataset)
    if found.keyword not in KNOWN_GEOMETRY:
        raise UnreadableImageError(
            f"is of the class {found.name!r}, whose geometry srexp can't rewrite for other pixels"
            if found.is_valid
            else "has no valid SOPClassUID (0008,0016), so srexp can't tell how its geometry is described",
            fix="format=png or format=tiff, which keep the pixels alone",
        )
