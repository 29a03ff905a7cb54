"""Everything between a file on a disk and a batch: sources, splits, degradation, patches."""
