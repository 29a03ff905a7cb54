"""Models: packed, logged, registered, promoted, found by address, and loaded without running their code.

Whether a version deserves its alias is decided in `evaluation.promotion_gate`.
"""
