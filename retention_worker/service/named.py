"""Which of the objects that are noted as gone, and are there, a row names now."""

from __future__ import annotations

from collections.abc import Sequence

from retention_worker.domain.datamap import DataMap
from retention_worker.objects import Store
from retention_worker.service.worker import Worker
from retention_worker.store import live
from retention_worker.store.mapsql import compile_map
from retention_worker.store.objects import Sampled
from retention_worker.store.pool import reading
from retention_worker.store.session import Session

__all__ = ["unnamed"]


def unnamed(
    worker: Worker, datamap: DataMap, store: Store, found: Sequence[Sampled]
) -> list[Sampled]:
    """Those that no row names: where rows share objects, one may have been written for another."""
    if not found:
        return []
    schema = worker.settings.schema_name
    ways = {each.uri: frozenset(store.spellings(each.uri)) for each in found}
    uris: dict[str, list[str]] = {}
    for each in found:
        uris.setdefault(each.tenant_id, []).extend(ways[each.uri])
    with worker.pool.connection() as conn:
        compiled = compile_map(conn, datamap, schema)
        with reading(conn):
            named = live.named(Session(conn, schema), compiled, uris)
    return [each for each in found if not ways[each.uri] & named]
