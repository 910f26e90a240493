"""Profiles: which models a run uses, with their settings."""
