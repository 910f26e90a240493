"""Painters by capability: pipelines of many classes, with a table of what differs."""
