"""From a data set to splits whose images were looked at once: scan, index, split, manifest, caches.

What is wrong with them is found in `data.audit`; batches are cut in `data.batches`.
"""
