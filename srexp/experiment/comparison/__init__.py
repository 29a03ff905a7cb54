"""The parts of a comparison: the runs, their pictures, and what the report says of them.

Statistics, tables and figures over plain values are in `evaluation.comparison`.
"""
