"""The MLflow store: its address, its tables, and values in the form that it takes.

What is written to it goes through `tracking.journal`; models are in `tracking.registry`.
"""
