"""Training: the sprite world, and the training of the micro checkpoints on it."""
