"""The data map as SQL: each statement that reads or erases somebody else's tables."""

from retention_worker.store.mapsql.compiled import CompiledMap, compile_map

__all__ = ["CompiledMap", "compile_map"]
