"""Adaptive search: a space of configuration keys, and the engines that choose from it and remember what came of it.

`study` has what both engines promise, `ask_and_tell` what a worker does. What trains a trial is in `experiment.search`.
"""
