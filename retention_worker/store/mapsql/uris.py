"""An object's URI as an expression over the row that names it."""

from __future__ import annotations

from psycopg.sql import SQL, Composable

from retention_worker.domain.datamap.credential import ObjectSource
from retention_worker.domain.datamap.uritemplate import pieces_of
from retention_worker.store.quoting import column, listed, literal


def uri_of(source: ObjectSource) -> Composable:
    """The URI, from `c`, `k.id` and the parameter `tenant`; NULL where the row names nothing."""
    value = SQL("NULLIF({}::text, '')").format(column("c", source.column))
    fields: dict[str, Composable] = {
        "{tenant}": SQL("%(tenant)s::text"),
        "{id}": SQL("k.id"),
        "{value}": value,
    }
    # Piece by piece, so that a value that itself reads {id} stays as it is.
    pieces = pieces_of(source.uri)
    return listed([fields.get(piece) or literal(piece) for piece in pieces], " || ")
