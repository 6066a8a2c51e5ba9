"""Numbered SQL files that make the worker's own schema, and nothing in anybody else's."""

from retention_worker.store.migrations.runner import check, migrate, status

__all__ = ["check", "migrate", "status"]
