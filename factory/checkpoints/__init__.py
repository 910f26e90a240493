"""Checkpoints: the models of a profile, listed, downloaded and tried."""
