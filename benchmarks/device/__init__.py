"""Busy share of a device that is simulated by sleeping: real workers, rows, files and messages."""
