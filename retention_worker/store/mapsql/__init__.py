"""The data map as SQL: each statement that reads or erases somebody else's tables."""

from retention_worker.store.mapsql.compiled import CompiledMap, compile_map, compile_on

__all__ = ["CompiledMap", "compile_map", "compile_on"]
