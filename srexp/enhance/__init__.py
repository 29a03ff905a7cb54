"""Use of a trained model on images of any size.

Files are read and written in `data`; which file, and with which model, is decided in `experiment.restoration`.
"""
