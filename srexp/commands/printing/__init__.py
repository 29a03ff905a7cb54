"""What a person reads at the end of a verb: results and warnings, and lists of runs and models.

What the numbers mean and how they are rounded is said once, in `metrics.table`; a verb prints nothing by itself.
"""
