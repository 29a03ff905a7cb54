"""One short file per verb: it calls `experiment` and prints, in the words of `printing`.

A verb imports no verb; what a second one could use belongs to `experiment`. There are as many files as verbs.
"""
