"""Submission: label words or pictures become runs, labels and batches in the database."""
