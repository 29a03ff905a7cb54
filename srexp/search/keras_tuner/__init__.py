"""Keras Tuner as an engine of a search: its oracles, shared by processes or reached over the network.

What both engines have in common is in `search.study`.
"""
