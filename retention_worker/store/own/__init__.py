"""The worker's own tables, one a file."""
