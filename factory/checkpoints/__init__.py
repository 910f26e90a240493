"""Checkpoints: list, download and test the models of a profile."""
