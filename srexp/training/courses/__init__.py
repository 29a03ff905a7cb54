"""How steps of training are taken: `supervised`, or `adversarial` with a discriminator beside the network.

A course is a choice of `training`; the loop over epochs, its callbacks and checkpoints are those of `training/fit`.
"""
