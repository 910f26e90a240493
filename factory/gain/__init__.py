"""Gain of a dataset: train the same model with and without it, and measure on a real test set."""
