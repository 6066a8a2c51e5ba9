"""A lane, what it may erase, and what came of it."""
