"""A multirun: its parent run, its jobs, what finished before, and the summary over them.

How one job trains is in `experiment.pipeline`; Hydra's launchers start the jobs.
"""
