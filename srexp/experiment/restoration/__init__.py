"""What `enhance`, `serve` and `export` share: a loaded model that restores files and folders, and images to try it on.

How a model gets from an address into memory is in `experiment.trained`; how it computes an image in `enhance`.
"""
