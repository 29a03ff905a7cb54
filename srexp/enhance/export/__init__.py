"""A model as files for other programs, checked on real images, with a model card.

Translating the graph is in `enhance.runtimes`, which runs what it gives.
"""
