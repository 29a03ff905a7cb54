"""Optuna as an engine of a search: samplers, pruners, and the storage that workers share.

What both engines have in common is in `search.study`.
"""
