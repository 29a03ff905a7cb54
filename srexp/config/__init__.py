"""Configuration: where it lies, how it is composed, checked against types, and turned into objects.

What the objects do is the business of their parts; what several verbs make of a configuration is in `experiment`.
Fifteen files: the four that bound what others wrote belong beside those that read and compose it.
"""
