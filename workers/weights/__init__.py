"""Weights: find, download and load checkpoints."""
