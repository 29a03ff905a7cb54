"""Everything between a file on a disk and a batch: sources, splits, degradation, patches.

Writing a restored image is here, too, beside what reads it; restoring one is in `enhance`.
"""
