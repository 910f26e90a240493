"""Progress of a run, as numbers and as a live table."""
