"""Adaptive search: a space of configuration keys, and the engines that choose from it and remember what came of it."""
