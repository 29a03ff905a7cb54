"""Processes, on one machine or several, that train one network together; TensorFlow's collectives join them.

`environment` reads who they are, a `team` is what they tell each other. The loop over epochs is that of `training/fit`.
"""
