"""Files from the network: ranges, resuming, checksums, and archives unpacked safely.

Addresses and checksums of public data sets are in `data.sources`.
"""
