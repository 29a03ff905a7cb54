"""Runs: opening and ending one, what it ran on, and looking up those that are over.

How an entry reaches the store is the business of `tracking.journal`.
"""
