"""Progress: how far a run has come, as numbers and as a live table."""
