"""What several networks are put together of, made of built-in Keras layers.

A block of one network alone stays in that network's file; weights to begin with are in `models.initializers`.
"""
