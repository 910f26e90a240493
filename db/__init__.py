"""Persistence: records, queries, migrations and the image store; imports no models and no queue."""
