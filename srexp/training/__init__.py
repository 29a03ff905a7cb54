"""Training: what is minimised, how weights move, and the loop around it.

Networks are in `models`, batches in `data.batches`; what is logged of a training is decided in `experiment.fitting`.
"""
