"""What a run writes, on disk first: the journal, sending it, and sending it again after a crash.

What there is to write is decided in `tracking.runs` and `tracking.registry`.
"""
