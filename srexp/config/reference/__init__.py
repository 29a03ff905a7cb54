"""What can be configured, said to people: help, completion in shells, the schema for editors, and the documentation.

All of it comes from the comments of `conf/` and `sweeps/` and from `schema.json` beside them; nothing is composed here.
"""
