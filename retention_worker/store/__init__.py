"""Everything that speaks to PostgreSQL; functions take a connection and never commit."""
