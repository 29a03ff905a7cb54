"""The trials of a search: their table, figures and page.

Trials come as plain values from `experiment.search`; no engine is asked.
"""
