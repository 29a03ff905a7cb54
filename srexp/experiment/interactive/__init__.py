"""What a person at a Python prompt or in a notebook is given: a model to call, and the result of a verb to look at.

`srexp.load` and `srexp.run` are the doors to it. What commands print is in `commands.printing`.
"""
