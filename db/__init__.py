"""REMEMBER: records, queries, migrations, image store; knows neither models nor queue."""
