"""REMEMBER: records, queries, migrations and the image store; knows neither models nor the queue."""
