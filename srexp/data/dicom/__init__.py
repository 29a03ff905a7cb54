"""DICOM files to pixels and back: header, codecs, grey scale, geometry, and the derived object that is written.

Other kinds are in `data.formats`; of a patient, only what the standard wants in a derived object leaves a file.
There are fifteen files, as each part of an object has rules of its own in the standard, and stands with them.
"""
