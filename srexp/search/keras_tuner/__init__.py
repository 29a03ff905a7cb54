"""Keras Tuner as an engine of a search: its oracles, shared by processes or reached over the network.

When a trial is drawn, and what becomes of one whose worker dies, is in `search.study` for both engines.
"""
