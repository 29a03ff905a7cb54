"""Data sets: which images there are, whose they are, and where public ones come from.

Reading a file is in `data.formats`, fetching one in `data.download`, splitting in `data.preparation`.
"""
