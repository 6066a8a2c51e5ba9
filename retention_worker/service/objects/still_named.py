"""How rows may name objects, and which of those that are noted as gone a row names now."""

from __future__ import annotations

from collections.abc import Sequence

from retention_worker.domain.datamap.datamap import DataMap
from retention_worker.objects import ObjectStore
from retention_worker.service.context import Context
from retention_worker.store.mapped import live
from retention_worker.store.mapsql import compile_map
from retention_worker.store.own.objects import Claimed, Sampled


def spelled(
    store: ObjectStore, objects: Sequence[Claimed | Sampled]
) -> tuple[dict[str, frozenset[str]], dict[str, list[str]]]:
    """Every way to write each URI; and all of them by tenant, as `live.named` takes them."""
    ways = {each.uri: frozenset(store.spellings(each.uri)) for each in objects}
    by_tenant: dict[str, list[str]] = {}
    for each in objects:
        by_tenant.setdefault(each.tenant_id, []).extend(ways[each.uri])
    return ways, by_tenant


def unnamed(
    context: Context, datamap: DataMap, store: ObjectStore, found: Sequence[Sampled]
) -> list[Sampled]:
    """Objects that no row names; where rows share them, one may be named anew for another."""
    if not found:
        return []
    ways, uris = spelled(store, found)
    with context.pool.connection() as conn:
        compiled = compile_map(conn, datamap, context.settings.schema_name)
        with context.reading(conn) as session:
            named = live.named(session, compiled, uris)
    return [each for each in found if not ways[each.uri] & named]
