"""Curation: verdicts revised after a run by thresholds, near-duplicates and reviews."""
