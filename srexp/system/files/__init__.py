"""Files as the operating system keeps them: written whole or not at all, locked, moved with their folder, digested.

What stands in them is for those who write it.
"""
