"""How near a restored image is to its target, and the rules under which that is measured.

Means, intervals and tests over images are in `evaluation`. There is a file for each metric, so they are as many.
"""
