"""Notifications: commands and webhooks called when a run ends or pauses."""
