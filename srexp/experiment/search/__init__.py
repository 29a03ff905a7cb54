"""The work of a search: its driver, its workers, one trial, and the best trial's way into the registry.

Engines and spaces, which know no data and no MLflow, are in `srexp.search`; figures are in `evaluation.search_report`.
"""
