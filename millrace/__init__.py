"""Millrace: augmented image batches for training. Same seed, same bits.

The rooms that the repository shows at its top (`pipeline`, `model`, `workers`, `datasets`) lie there, here are links;
in a wheel they are folders like the others.
"""
