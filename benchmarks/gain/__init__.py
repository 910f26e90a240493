"""Benchmark of the data: what a run adds to a few real images, in the world of the tiny models."""
