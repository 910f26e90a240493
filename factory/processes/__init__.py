"""Processes: workers, the dispatcher, and the start and end of runs."""
