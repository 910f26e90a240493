"""Tasks: the Celery tasks, the chain that they form, and the filter rules."""
