"""Modes of files in the data folder: pictures, prompts and captions are for their owner."""

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700
"""Of a new folder; an existing one keeps its mode."""
