"""What `init` does with a folder that srexp hasn't seen: look at its files, and write an experiment for it.

What `data` tells of a data set once it is configured is in `experiment.dataset_report`.
"""
