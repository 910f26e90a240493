"""COORDINATE: the Celery tasks, the chain they form, and the filter rules."""
