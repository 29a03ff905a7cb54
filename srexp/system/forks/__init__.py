"""Processes that are forked from one which has TensorFlow imported, in place of the seconds that its import takes.

`forked` is for who asks, `server` runs in the process that is asked; what the forked ones do belongs to those who ask.
"""
