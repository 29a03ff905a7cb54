"""Attributes that sound like pixels, places or spacings and are kept when the grid changes, each with the reason."""

from __future__ import annotations

#: Groups of the dictionary none of whose attributes describes the grid of an image that can be restored.
GROUPS = {
    0x0000: "network message",
    0x0002: "head of the file",
    0x0004: "list of a medium",
    0x0014: "industrial objects, which are refused",
    0x0024: "visual field measurements, no image",
    0x0034: "real-time streams, no file",
    0x003A: "waveforms, no image",
    0x0046: "lens and cornea measurements and maps, no image that is restored",
    0x0048: "whole slides, which are refused",
    0x0052: "intravascular tomography, which is refused",
    0x0064: "registrations, no image",
    0x0066: "surfaces, no image",
    0x0068: "implant templates, no image",
    0x006A: "annotations of slides, no image",
    0x0072: "hanging protocols, no image",
    0x0074: "treatment and work lists, no image",
    0x0078: "implant templates, no image",
    0x0080: "surface scans, no image",
    0x2010: "printing",
    0x2020: "printing",
    0x2030: "printing",
    0x2040: "printing",
    0x3004: "dose grids, which are refused, in millimetres",
    0x3006: "structure sets, in millimetres",
    0x300A: "treatment plans, in millimetres of the machine",
    0x300C: "treatment plans: references",
    0x3010: "treatment plans, in millimetres of the machine",
    0x4010: "security screening, which is refused",
}
_REASONS = {
    "a time, a number in a row or a share": """
        FileOffsetInContainer EventTimeOffset LongitudinalTemporalOffsetFromEvent MultiplexGroupTimeOffset
        TriggerTimeOffset TriggerSamplePosition TemporalPositionIdentifier NumberOfTemporalPositions TemporalResolution
        InStackPositionNumber TemporalPositionIndex TemporalPositionTimeOffset MaskPointers RWavePointer TIDOffset
        PixelShiftFrameRange NumberOfPolygonalVertices ReferencedSamplePositions ReferencedTimeOffsets
        FloatingPointValue NumberOfTableRows NumberOfTableColumns TableRowNumber TableColumnNumber TickPosition
        NumberOfMapPoints NumberOfLuminancePoints DetectorActivationOffsetFromExposure SubjectRelativePositionInImage
    """,
    "millimetres of patient, table or equipment, which stay": """
        SpacingBetweenSlices TableVerticalIncrement RadialPosition CenterOfRotationOffset RotationOffset XFocusCenter
        YFocusCenter SliceLocationVector CalculatedTargetPosition DisplayedZValue TagSpacingFirstDimension
        TagSpacingSecondDimension MidSlabPosition ASLMidSlabPosition DataCollectionCenterPatient
        ReconstructionTargetCenterPatient TablePosition DistanceSourceToDataCollectionCenter TableXPositionToIsocenter
        TableYPositionToIsocenter TableZPositionToIsocenter BreastSupportXPositionToIsocenter
        BreastSupportYPositionToIsocenter BreastSupportZPositionToIsocenter DetectorXPositionToIsocenter
        DetectorYPositionToIsocenter DetectorZPositionToIsocenter DetectorActiveAreaTLHCPosition OffsetDistance Location
        SliceLocation ApexPosition VolumeToTransducerMappingMatrix VolumeToTableMappingMatrix VertexDistance ZoomCenter
        ImageToEquipmentMappingMatrix XOffsetInSlideCoordinateSystem YOffsetInSlideCoordinateSystem
        ZOffsetInSlideCoordinateSystem DiaphragmPosition DevicePositionToEquipmentMappingMatrix
        OutlineLeftVerticalEdge OutlineRightVerticalEdge OutlineUpperHorizontalEdge OutlineLowerHorizontalEdge
        CenterOfCircularOutline VerticesOfThePolygonalOutline
    """,
    "an angle, a frequency, a colour or an energy": """
        AngularPosition ColumnAngulation PositionerPrimaryAngle PositionerSecondaryAngle PositionerPrimaryAngleIncrement
        PositionerSecondaryAngleIncrement PixelDataAreaRotationAngleRelativeToFOV ColumnAngulationPatient
        PositionerIsocenterPrimaryAngle PositionerIsocenterSecondaryAngle PositionerIsocenterDetectorRotationAngle
        TableHorizontalRotationAngle PrimaryPositionerScanArc SecondaryPositionerScanArc
        PrimaryPositionerScanStartAngle SecondaryPositionerScanStartAngle PrimaryPositionerIncrement
        SecondaryPositionerIncrement PrimaryPositionerIncrementSign SecondaryPositionerIncrementSign
        HorizontalFieldOfView CenterFrequency EnergyWindowCenterline WhitePoint CIExyWhitePoint ChemicalShiftReference
        DecouplingChemicalShiftReference ChemicalShiftMinimumIntegrationLimitInHz
        ChemicalShiftMaximumIntegrationLimitInHz ChemicalShiftMinimumIntegrationLimitInppm
        ChemicalShiftMaximumIntegrationLimitInppm
    """,
    "how the original was acquired, in elements of the detector or of k-space": """
        PercentSampling PixelBandwidth SpatialResolution AcquisitionMatrix DetectorElementSpacing DetectorActiveOrigin
        FieldOfViewOrigin PositionOfIsocenterProjection EchoPeakPosition SpectroscopyAcquisitionPhaseRows
        SpectroscopyAcquisitionDataColumns SpectroscopyAcquisitionPhaseColumns DataPointRows DataPointColumns OECFRows
        OECFColumns SpatialFrequencyResponseRows SpatialFrequencyResponseColumns ColorFilterArrayPatternRows
        ColorFilterArrayPatternColumns DepthSpatialResolution AlongScanSpatialResolution AcrossScanSpatialResolution
    """,
    "pixels of another image, which stay": "ReferenceCoordinates",
    "of a kind of object that is refused": """
        AnatomicStructureReferencePoint RegisteredLocalizerTopLeftHandCorner RegisteredLocalizerBottomRightHandCorner
        XCoordinatesCenterPixelViewAngle YCoordinatesCenterPixelViewAngle OphthalmicAnatomicReferencePointXCoordinate
        OphthalmicAnatomicReferencePointYCoordinate SurfaceMeshZPixelOffset PixelCoordinatesSetTrial
    """,
    "how a drawing or a presentation looks, not where it is": """
        GraphicDimensions NumberOfGraphicPoints GraphicLayerOrder GraphicLayerRecommendedDisplayGrayscaleValue
        GraphicLayerRecommendedDisplayRGBValue GraphicLayerRecommendedDisplayCIELabValue CompoundGraphicInstanceID
        ShadowOffsetX ShadowOffsetY GraphicGroupID PresentationPixelMagnificationRatio ContourUncertaintyRadius
        FrameOfReferenceToDisplayedCoordinateSystemTransformationMatrix PresentationSequencePositionIndex
        InputSequencePositionIndex MPRTopLeftHandCorner NumberOfVolumetricCurvePoints VolumetricCurvePoints
        ViewpointPosition ViewpointLookAtPoint SamplingStepSize
    """,
    "the same for both axes, so it stays": "PixelAspectRatio PresentationPixelAspectRatio",
    "written anew": """
        SamplesPerPixel SamplesPerPixelUsed Rows Columns PixelRepresentation PixelIntensityRelationshipSign
        ReferencePixelPhysicalValueX ReferencePixelPhysicalValueY
    """,
}
#: Attributes of the other groups, with the reason.
NOT_IN_PIXELS = {keyword: reason for reason, keywords in _REASONS.items() for keyword in keywords.split()}
