"""What several verbs share: a task's data, network and scores, and the course of a run up to a registered model.

A verb calls these functions and prints; what belongs to one part alone (data, models, training) lives there.
"""
