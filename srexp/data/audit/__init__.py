"""What limits the worth of a data set's scores: leaks, near-duplicates, shifted pairs, input equal to target.

It reads the splits of `data.preparation` and changes nothing.
"""
