"""Pictures of one run: panels, error maps, curves, and contact sheets.

Figures over several runs are in `evaluation.comparison`, those of a search in `evaluation.search_report`.
"""
