"""Image files to pixels and back: one reader and one writer for each kind, and the registry that finds them.

DICOM has a room of its own; which files belong to a data set is the business of `data.sources`.
"""
