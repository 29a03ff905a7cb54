"""What an image that was made of another one says as its Image Type (PS3.3 C.7.6.1.1.2), which classes restrict."""

from __future__ import annotations

from collections.abc import Sequence

import pydicom

from srexp.data.dicom.sop_classes import is_enhanced, sop_class

# Have to say how they were derived, as third value: module C.8.17.2.
_TELLING = {"OphthalmicPhotography8BitImageStorage", "OphthalmicPhotography16BitImageStorage"}
# Fourth value isn't how contrast was derived, and may stay NONE: modules C.8.19.2, C.8.21.1.
_3D = {"XRay3DAngiographicImageStorage", "XRay3DCraniofacialImageStorage"}
_WITHOUT_CONTRAST = {"EnhancedXAImageStorage", "EnhancedXRFImageStorage", *_3D}
# Primary whoever made them, as enhanced ones are: modules C.8.4.9, C.8.9.4, C.8.17.2, C.8.21.1.
_NUCLEAR = {"NuclearMedicineImageStorage", "NuclearMedicineImageStorageRetired"}
_PRIMARY = {"PositronEmissionTomographyImageStorage", "BreastTomosynthesisImageStorage", *_NUCLEAR, *_TELLING, *_3D}
_HOW = "RESAMPLED"


def derived_type(image: pydicom.Dataset, said: Sequence[str]) -> list[str]:
    """Say that an image, or a frame of it, is derived, and keep what its type says from the third value on.

    Images with functional groups say how their contrast was derived, which is never NONE (C.8.16.1.4).

    Args:
        image: Elements of the image, with the class that it will have.
        said: Image Type or Frame Type of the original.

    Returns:
        That of the derived image.
    """
    found, enhanced, rest = sop_class(image).keyword, is_enhanced(image), list(said[2:])
    if enhanced and found not in _WITHOUT_CONTRAST and rest[1:] == ["NONE"]:
        rest[1] = _HOW
    if found in _TELLING and not "".join(rest[:1]):
        rest[:1] = [_HOW]
    return ["DERIVED", "PRIMARY" if enhanced or found in _PRIMARY else "SECONDARY", *rest]
