"""What a model is worth: scores, statistics, times and figures.

Metrics themselves are in `metrics`; images and scores come in as values, for no data set and no store is known here.
"""
