"""Optuna as an engine of a search: samplers, pruners, and the storage that workers share.

When a trial is drawn, and what becomes of one whose worker dies, is in `search.study` for both engines.
"""
