"""Several models on the same images: standings, tests, tables, conclusions, figures and the report's page.

Which runs these are, and where they come from, is known in `experiment.comparison` alone.
"""
