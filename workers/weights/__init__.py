"""Weights: where checkpoints lie, how they are downloaded and loaded."""
