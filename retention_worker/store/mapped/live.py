"""Which objects live rows still name."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from retention_worker.domain.datamap.uritemplate import Split, TooManyReadings
from retention_worker.store.connection.session import Session
from retention_worker.store.mapped import accounts
from retention_worker.store.mapsql import CompiledMap
from retention_worker.store.mapsql.live import LiveSql


def named(session: Session, compiled: CompiledMap, uris: Mapping[str, Sequence[str]]) -> set[str]:
    """Of these URIs, by the tenant whose row went, those that a row names now.

    A column that holds the URI, or makes it without the tenant or an account, is asked for the
    rows of all tenants; one whose template names the tenant, for those of each tenant that the URI
    can be read as; one that names an account alone, for those of the tenant whose row went.
    """
    found: set[str] = set()
    everything = sorted({uri for of_tenant in uris.values() for uri in of_tenant})
    for sql in compiled.live:
        if sql.source.uri is None and sql.is_text:
            found |= _asked(session, sql, everything, None)
            continue
        readings, unclear = _read(sql, everything)
        found |= unclear
        if sql.by_tenant:
            found |= _by_tenant(session, compiled, sql, uris, readings)
        else:
            values = {split.value for each in readings.values() for split in each}
            found |= _asked(session, sql, values, None)
    return found & set(everything)


def _read(sql: LiveSql, uris: Sequence[str]) -> tuple[dict[str, list[Split]], set[str]]:
    """The readings of each URI, and the URIs that have too many: a row may name those."""
    readings, unclear = {}, set()
    for uri in uris:
        try:
            readings[uri] = sql.values(uri)
        except TooManyReadings:
            unclear.add(uri)
    return readings, unclear


def _by_tenant(
    session: Session,
    compiled: CompiledMap,
    sql: LiveSql,
    uris: Mapping[str, Sequence[str]],
    readings: Mapping[str, Sequence[Split]],
) -> set[str]:
    values: dict[str, set[str]] = {}
    for tenant, mine in uris.items():
        for split in (split for uri in mine for split in readings.get(uri, ())):
            values.setdefault(split.tenant or tenant, set()).add(split.value)
    others = sorted(values.keys() - uris.keys())
    # Most other ways to read a URI name no tenant that there is.
    nobody = accounts.without_accounts(session, compiled, others) if others else set()
    found: set[str] = set()
    for tenant in sorted(values.keys() - nobody):
        found |= _asked(session, sql, values[tenant], tenant)
    return found


def _asked(session: Session, sql: LiveSql, values: Collection[str], tenant: str | None) -> set[str]:
    if not values:
        return set()
    rows = session.rows(sql.statement, {"values": sorted(values), "tenant": tenant})
    return {row["uri"] for row in rows if row["uri"]}
