"""The sprite world and the code that trains the micro checkpoints on it."""
