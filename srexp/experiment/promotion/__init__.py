"""Challenger, champion and bicubic scored on the same test images, as the case for the gate.

The gate itself is in `evaluation.promotion_gate`, the aliases are in `tracking.registry`.
"""
