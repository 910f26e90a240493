"""Transactions of a PostgreSQL database that wait for a lock."""

from sqlalchemy import text

BLOCKED = text(
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND backend_type = 'client backend'"
    " AND cardinality(pg_blocking_pids(pid)) > 0"
)
