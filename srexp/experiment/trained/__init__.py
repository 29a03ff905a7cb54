"""A network that was trained before, taken up again: loaded, described, or put into the package.

Building a new one is in `network`; where models are kept is the registry's business, in `tracking`.
"""
