"""Pool, session, answers and failures of PostgreSQL."""
