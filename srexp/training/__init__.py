"""Training: what is minimised, how weights move, and the loop around it."""
