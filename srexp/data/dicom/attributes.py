"""What becomes of each attribute of an image that is restored: what is dropped, and what is recounted for other pixels.

Everything that stands in no table here is kept. References are to PS3.3. A
test holds `MEASURED` against pydicom's dictionary: whatever sounds like pixels, places or spacings must stand here or
in the test's list of what is measured in something else.
"""

from __future__ import annotations

from enum import Enum, auto

from pydicom.datadict import dictionary_has_tag
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from srexp.data.dicom.sop_classes import is_enhanced
from srexp.data.dicom.stored_values import Encoding


class Change(Enum):
    """How a number that depends on the grid of pixels changes, p being the old and s the scale."""

    SPACING = auto()  #: Millimetres, or another unit, for one pixel: p / s.
    LENGTH = auto()  #: A length, an offset, or a place counted from the image's corner, where 0 is the edge: p * s.
    CENTRE_FROM_0 = auto()  #: A pixel, the first being 0: (p + 1/2) * s - 1/2.
    CENTRE_FROM_1 = auto()  #: A pixel, the first being 1: (p - 1/2) * s + 1/2.
    FIRST_FROM_1 = auto()  #: The first pixel of an area, the first of the image being 1: (p - 1) * s + 1.
    LAST_FROM_0 = auto()  #: The last pixel of an area, the first of the image being 0: (p + 1) * s - 1.
    CORNER = auto()  #: Centre of the first pixel in millimetres: it moves with the pixel's shrinking side.


_RECTANGLE = "{0}LeftVerticalEdge {0}RightVerticalEdge {0}UpperHorizontalEdge {0}LowerHorizontalEdge"
_OUTLINE = f"{_RECTANGLE} CenterOfCircular{{0}} VerticesOfThePolygonal{{0}}"

#: Rule, attributes; behind them where the standard says what they count.
_MEASURED = (
    (Change.SPACING, "PixelSpacing"),  # 10.7.1
    (Change.SPACING, "ImagerPixelSpacing"),  # C.8.1.2, C.8.7.5, C.8.11.4, C.8.19.6.4
    (Change.SPACING, "NominalScannedPixelSpacing"),  # C.8.6.1, C.8.12.2
    (Change.SPACING, "ObjectPixelSpacingInCenterOfBeam"),  # C.8.19.6.9
    (Change.SPACING, "ReconstructionPixelSpacing"),  # C.8.15.3.7
    (Change.SPACING, "ImagePlanePixelSpacing"),  # C.8.8.2
    (Change.SPACING, "PresentationPixelSpacing"),  # C.10.4
    (Change.SPACING, "PhysicalDeltaX PhysicalDeltaY"),  # C.8.5.5.1.5
    (Change.CORNER, "ImagePositionPatient"),  # C.7.6.2, C.7.6.16.2.3, C.8.4.11
    (Change.CORNER, "ImagePosition"),  # C.7.6.2, retired
    (Change.CORNER, "ImagePositionVolume"),  # C.7.6.16.2.21
    (Change.CORNER, "RTImagePosition"),  # C.8.8.2
    (Change.LENGTH, "RegionLocationMinX0 RegionLocationMinY0"),  # C.8.5.5.1.3
    (Change.LAST_FROM_0, "RegionLocationMaxX1 RegionLocationMaxY1"),  # C.8.5.5.1.3
    (Change.CENTRE_FROM_0, "ReferencePixelX0 ReferencePixelY0"),  # C.8.5.5.1.7
    (Change.CENTRE_FROM_0, "DopplerSampleVolumeXPosition DopplerSampleVolumeYPosition"),  # C.8.5.5
    (Change.CENTRE_FROM_0, "TMLinePositionX0 TMLinePositionY0 TMLinePositionX1 TMLinePositionY1"),  # C.8.5.5
    (Change.CENTRE_FROM_0, "DopplerSampleVolumeXPositionRetired DopplerSampleVolumeYPositionRetired"),  # C.8.5.5
    (Change.CENTRE_FROM_0, "TMLinePositionX0Retired TMLinePositionY0Retired"),  # C.8.5.5
    (Change.CENTRE_FROM_0, "TMLinePositionX1Retired TMLinePositionY1Retired"),  # C.8.5.5
    (Change.CENTRE_FROM_1, _OUTLINE.format("Shutter")),  # C.7.6.11, C.7.6.16.2.16
    (Change.CENTRE_FROM_1, _OUTLINE.format("Collimator")),  # C.8.7.3, C.8.19.6.12
    (Change.CENTRE_FROM_1, _OUTLINE.format("ExposureControlSensingRegion")),  # C.8.19.6.3
    (Change.CENTRE_FROM_1, "VerticesOfTheRegion"),  # C.7.6.10
    (Change.LENGTH, "RadiusOfCircularShutter"),  # C.7.6.11
    (Change.LENGTH, "RadiusOfCircularCollimator"),  # C.8.7.3
    (Change.LENGTH, "RadiusOfCircularExposureControlSensingRegion"),  # C.8.19.6.3
    (Change.LENGTH, "MaskSubPixelShift"),  # C.7.6.10, C.7.6.16.2.14
    (Change.LENGTH, "PixelDataAreaOriginRelativeToFOV"),  # C.8.19.6.4
    (Change.LENGTH, "StereoHorizontalPixelOffset StereoVerticalPixelOffset"),  # C.8.18.2
    (Change.LENGTH, "LocalizingCursorPosition"),  # C.8.21.5.2
    (Change.LENGTH, "SubjectLocation SubjectArea"),  # C.8.12.11
    (Change.FIRST_FROM_1, "DisplayedAreaTopLeftHandCorner DisplayedAreaTopLeftHandCornerTrial"),  # C.10.4
    (Change.LENGTH, "DisplayedAreaBottomRightHandCorner DisplayedAreaBottomRightHandCornerTrial"),  # C.10.4
    (Change.LENGTH, "GraphicData RotationPoint AnchorPoint"),  # C.10.5
    (Change.LENGTH, "BoundingBoxTopLeftHandCorner BoundingBoxBottomRightHandCorner"),  # C.10.5
)
#: The rule of each attribute that depends on the grid of pixels, by keyword.
MEASURED = {keyword: change for change, keywords in _MEASURED for keyword in keywords.split()}

_REWRITTEN = (
    "SOPClassUID SOPInstanceUID SeriesInstanceUID SeriesDescription InstanceCreationDate InstanceCreationTime",
    "ImageType FrameType DerivationDescription DerivationCodeSequence DerivationImageSequence LossyImageCompression",
    "SourceImageSequence SourceImageEvidenceSequence ContributingEquipmentSequence",
    "SamplesPerPixel PhotometricInterpretation PlanarConfiguration Rows Columns BitsAllocated BitsStored HighBit",
    "PixelRepresentation",
)
#: Attributes that `derived` writes anew of every image.
REWRITTEN = frozenset(keyword for keywords in _REWRITTEN for keyword in keywords.split())

#: What says in which units these are given; only PIXEL and MATRIX count pixels of this image (C.10.5).
UNITS = {
    "GraphicData": ("GraphicAnnotationUnits", "CompoundGraphicUnits"),
    "RotationPoint": ("CompoundGraphicUnits",),
    "AnchorPoint": ("AnchorPointAnnotationUnits",),
    "BoundingBoxTopLeftHandCorner": ("BoundingBoxAnnotationUnits",),
    "BoundingBoxBottomRightHandCorner": ("BoundingBoxAnnotationUnits",),
}
# Beginnings of the names of sequences that describe other objects than this image, or an earlier state of it.
_OF_OTHERS = ("Referenced", "Source", "Original", "Contributing", "Predecessor", "Related", "XRay3DAcquisition")

_PALETTE = " ".join(
    f"{part}{colour}PaletteColorLookupTable{rest}"
    for colour in ("Red", "Green", "Blue", "Alpha")
    for part, rest in (("", "Descriptor"), ("", "Data"), ("Segmented", "Data"))
)
_ALWAYS, _VALUES, _WINDOW, _PADDING, _COLOURS, _FRAMES = range(6)

#: When it is dropped, attributes, and why.
_DROPPED = (
    # What was true of the old values or of bytes of the old file (C.7.6.3, C.7.6.5, C.11.15, PS3.5 A.4).
    (_ALWAYS, "SmallestImagePixelValue LargestImagePixelValue SmallestPixelValueInSeries LargestPixelValueInSeries"),
    (_ALWAYS, "SmallestImagePixelValueInPlane LargestImagePixelValueInPlane SmallestValidPixelValue"),
    (_ALWAYS, "LargestValidPixelValue LargestMonochromePixelValue UpperLowerPixelValues HistogramSequence"),
    (_ALWAYS, "PixelData FloatPixelData DoubleFloatPixelData PixelDataProviderURL IconImageSequence"),
    (_ALWAYS, "ExtendedOffsetTable ExtendedOffsetTableLengths EncapsulatedPixelDataValueTotalLength"),
    (_ALWAYS, "DataSetTrailingPadding"),
    # What was true of the old object: who made and signed it, and that it is a part of a larger one (C.12.1, C.7.6.16).
    (_ALWAYS, "DigitalSignaturesSequence MACParametersSequence EncryptedAttributesSequence InstanceCreatorUID"),
    (_ALWAYS, "SOPInstanceStatus SOPAuthorizationDateTime SOPAuthorizationComment"),
    (_ALWAYS, "AuthorizationEquipmentCertificationNumber ConcatenationUID SOPInstanceUIDOfConcatenationSource"),
    (_ALWAYS, "InConcatenationNumber InConcatenationTotalNumber ConcatenationFrameOffsetNumber"),
    # What refers to overlays, which are dropped (C.7.6.11, C.8.5.5), or counted pixels in ways long retired.
    (_ALWAYS, "ShutterOverlayGroup ActiveImageAreaOverlayGroup ImageTransformationMatrix ImageTranslationVector"),
    (_ALWAYS, "ImageLocation PredictorRows PredictorColumns BlockRows BlockColumns RowOverlap ColumnOverlap"),
    # An acquisition that only an original image of functional groups may describe (C.8.13.4, C.8.13.2).
    (_FRAMES, "PulseSequenceName MRAcquisitionType EchoPulseSequence MultipleSpinEcho MultiPlanarExcitation"),
    (_FRAMES, "PhaseContrast VelocityEncodingAcquisitionSequence TimeOfFlightContrast ArterialSpinLabelingContrast"),
    (_FRAMES, "SteadyStatePulseSequence EchoPlanarPulseSequence SaturationRecovery SpectrallySelectedSuppression"),
    (_FRAMES, "OversamplingPhase GeometryOfKSpaceTraversal RectilinearPhaseEncodeReordering SegmentedKSpaceTraversal"),
    (_FRAMES, "CoverageOfKSpace NumberOfKSpaceTrajectories BulkMotionCompensationTechnique"),
    # What stored values mean, when they are no longer those (C.11.1, C.7.6.16.2.11, C.8.9.1, C.8.5.5).
    (_VALUES, "ModalityLUTSequence RescaleSlope RescaleIntercept RescaleType PixelValueTransformationSequence"),
    (_VALUES, "RealWorldValueMappingSequence Units SUVType PixelIntensityRelationshipLUTSequence"),
    (_VALUES, "PixelValueMappingToCodedConceptSequence MappedPixelValue ZeroVelocityPixelValue"),
    (_VALUES, "PixelComponentOrganization PixelComponentMask PixelComponentRangeStart PixelComponentRangeStop"),
    (_VALUES, "PixelComponentPhysicalUnits PixelComponentDataType NumberOfTableBreakPoints TableOfXBreakPoints"),
    (_VALUES, "TableOfYBreakPoints NumberOfTableEntries TableOfPixelValues TableOfParameterValues"),
    (_VALUES, f"{_PALETTE} PaletteColorLookupTableUID StoredValueColorRangeSequence"),
    (_PADDING, "PixelPaddingValue PixelPaddingRangeLimit FloatPixelPaddingValue FloatPixelPaddingRangeLimit"),
    (_PADDING, "DoubleFloatPixelPaddingValue DoubleFloatPixelPaddingRangeLimit"),
    # How values are shown, when they are windowed already (C.11.2, C.11.6).
    (_WINDOW, "WindowCenter WindowWidth WindowCenterWidthExplanation VOILUTFunction VOILUTSequence"),
    (_WINDOW, "FrameVOILUTSequence PresentationLUTSequence"),
    # What grey images have not (C.7.6.3).
    (_COLOURS, "PlanarConfiguration"),
)
_DELIMITERS = 0xFFFE  # brackets of sequences that a damaged file left lying (PS3.5 7.5)


def dropped(image: Dataset, encoding: Encoding) -> frozenset[str]:
    """List what does not hold for the restored image.

    Args:
        image: The original's elements.
        encoding: How the new values are stored.

    Returns:
        Keywords.
    """
    holds = {
        _ALWAYS: True,
        _VALUES: not encoding.modality_kept,
        _WINDOW: not encoding.window_kept,
        _PADDING: not (encoding.modality_kept and encoding.padding),
        _COLOURS: encoding.samples == 1,
        _FRAMES: is_enhanced(image),
    }
    return frozenset(keyword for when, keywords in _DROPPED if holds[when] for keyword in keywords.split())


def is_foreign(tag: BaseTag) -> bool:
    """Tell what goes as a whole: private elements, curves and overlays (C.9.2, C.10.2), and what nobody knows."""
    return not dictionary_has_tag(tag) or tag.group == _DELIMITERS


def of_this_image(sequence: str) -> bool:
    """Tell whether the items of a sequence describe this image and not another one.

    Args:
        sequence: Keyword of the sequence.

    Returns:
        Whether its attributes follow the tables.

    Example:
        >>> of_this_image("PixelMeasuresSequence"), of_this_image("SourceImageSequence")
        (True, False)
    """
    return not sequence.startswith(_OF_OTHERS)
