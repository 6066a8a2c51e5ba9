"""The outbox of objects whose rows are gone: claimed, put back, or noted as gone."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from retention_worker.domain.datamap.datamap import DataMap
from retention_worker.domain.document import in_json
from retention_worker.domain.explain.obstacle import day_and_time
from retention_worker.domain.objects.object import ObjectCounts, ObjectState
from retention_worker.domain.objects.uri import shown
from retention_worker.store.catalog import Catalog
from retention_worker.store.connection.session import Session
from retention_worker.store.mapsql.live import stores_sql

# Objects of one column lie in a few stores: so many rows show them.
_ROWS = 1_000

_STATES = {state.value: state for state in ObjectState}


@dataclass(kw_only=True, slots=True)
class Claimed:
    """An object that this drain has in hand. Not frozen: there are many, and that is dear.

    `is_along`: a further row that names an object in hand, and goes with it.
    """

    id: int
    tenant_id: str
    account_id: str
    batch_id: int
    entry: str
    uri: str
    shared: bool
    state: ObjectState
    attempts: int
    is_along: bool = False


@dataclass(frozen=True, kw_only=True)
class PutBack:
    """An object that is still there; `error` a code, `retry_at` when it is asked for again."""

    id: int
    state: ObjectState
    error: str | None
    attempts: int
    retry_at: datetime


@dataclass(frozen=True, kw_only=True)
class ListedObject:
    """An object of the outbox as a person sees it."""

    id: int
    tenant_id: str
    account_id: str = field(metadata=in_json("account"))
    batch_id: int = field(metadata=in_json("batch"))
    entry: str
    uri: str = field(metadata=in_json(by=shown))
    state: ObjectState
    error: str | None
    attempts: int
    queued_at: datetime
    since: datetime | None
    retry_at: datetime


@dataclass(frozen=True, kw_only=True)
class Sampled:
    """An object that should be gone."""

    id: int
    tenant_id: str
    uri: str
    gone_at: datetime
    store: str


def stores(session: Session, now: datetime) -> list[str]:
    """The names of the stores with an object whose time has come."""
    return [row["store"] for row in session.rows("objects.stores", {"now": now})]


def stores_of_outbox(session: Session) -> list[str]:
    """The names of the stores of all objects in the outbox."""
    return [row["store"] for row in session.rows("objects.stores_of_outbox")]


def stores_named(session: Session, datamap: DataMap, catalog: Catalog) -> list[str]:
    """The stores of the outbox, of the data map's templates, and of a thousand rows each column."""
    found = set()
    if session.value("objects.is_there", {"schema_name": session.schema_name}):
        found |= set(stores_of_outbox(session))
    for sql in stores_sql(datamap, catalog, _ROWS):
        found |= {row["store"] for row in session.rows(sql)}
    # A template may begin with `s3://{tenant}`: its buckets show in the outbox.
    return sorted(found - {"s3://"})


def claim(
    session: Session,
    store: str,
    *,
    now: datetime,
    until: datetime,
    limit: int,
    paused: bool,
    paused_tenants: Sequence[str],
) -> list[Claimed]:
    """Take the next objects of a store in hand; where paused only those that requests queued."""
    rows = session.rows(
        "objects.claim",
        {
            "store": store,
            "now": now,
            "until": until,
            "limit": limit,
            "paused": paused,
            "paused_tenants": list(paused_tenants),
        },
    )
    return sorted(
        (Claimed(**(row | {"state": _STATES[row["state"]]})) for row in rows),
        key=lambda each: each.id,
    )


def hold_on(session: Session, ids: Sequence[int], until: datetime) -> None:
    """Keep what was claimed in hand until a later time."""
    session.run("objects.hold_on", {"ids": list(ids), "until": until})


def spoken_for(session: Session, uris: Collection[str], now: datetime, *, shared: bool) -> set[str]:
    """URIs that another row of the outbox keeps: its account is on hold, or its grace runs.

    `shared`: whether rows share objects at all. Most of the time there is nothing to ask.
    """
    if not shared and not session.value("objects.any_hold", {"now": now}):
        return set()
    rows = session.rows("objects.spoken_for", {"uris": list(uris), "now": now})
    return {row["uri"] for row in rows}


def same_objects(session: Session, claimed: Sequence[Claimed]) -> list[Claimed]:
    """Further rows of the outbox that name the same objects, whoever's they are."""
    mine = {each.id for each in claimed}
    rows = session.rows(
        "objects.same_objects",
        {
            "uris": sorted({each.uri for each in claimed}),
            "batches": sorted({each.batch_id for each in claimed}),
        },
    )
    return [
        Claimed(**(row | {"state": _STATES[row["state"]]}), is_along=True)
        for row in rows
        if row["id"] not in mine
    ]


def put_back(session: Session, objects: Sequence[PutBack], now: datetime) -> None:
    """Note what became of objects that are still there."""
    if objects:
        session.run(
            "objects.put_back",
            {
                "ids": [each.id for each in objects],
                "states": [each.state for each in objects],
                "errors": [each.error for each in objects],
                "attempts": [each.attempts for each in objects],
                "times": [each.retry_at for each in objects],
                "now": now,
            },
        )


def lock_chains(session: Session, tenants: Iterable[str]) -> dict[str, str | None]:
    """The hashes of the heads of the tenants' chains of requests, locked."""
    names = sorted(set(tenants))
    session.run("objects.make_chains", {"tenants": names})
    rows = session.rows("objects.lock_chains", {"tenants": names})
    return {row["tenant_id"]: row["head_hash"] for row in rows}


def take(
    session: Session,
    objects: Mapping[int, int],
    *,
    gone_batch: int,
    now: datetime,
    keep_uri: bool,
) -> set[int]:
    """Take rows whose objects are gone out of the outbox; only those that nobody took before.

    Args:
        session: of the drain.
        objects: the rows' numbers, each with its object's: the same for all that name one.
        gone_batch: the batch that will say so.
        now: the time of it.
        keep_uri: keep the URI for a while.

    Returns:
        The numbers of the rows that were taken.
    """
    rows = session.rows(
        "objects.take",
        {
            "ids": list(objects),
            "objects": list(objects.values()),
            "gone_batch": gone_batch,
            "now": now,
            "keep_uri": keep_uri,
        },
    )
    return {row["id"] for row in rows}


def scopes(session: Session, batches: Collection[int]) -> dict[int, str]:
    """Which scope each batch erased."""
    rows = session.rows("objects.scopes", {"batches": list(batches)})
    return {row["id"]: row["scope"] for row in rows}


def forget_uris(session: Session, before: datetime, limit: int) -> int:
    """Forget the URIs of what was gone before a time; how many."""
    return session.run("objects.forget_uris", {"before": before, "limit": limit})


def counts(session: Session, tenant_id: str | None = None) -> dict[ObjectState, int]:
    """The outbox by state."""
    rows = session.rows("objects.counts", {"tenant": tenant_id})
    return {ObjectState(row["state"]): row["objects"] for row in rows}


def late(session: Session, tenant_id: str | None, before: datetime, now: datetime) -> int:
    """Objects that are queued since before a time, but for those that a hold keeps."""
    parameters = {"tenant": tenant_id, "before": before, "now": now}
    return int(session.value("objects.late", parameters))


def in_hand(session: Session, now: datetime) -> datetime | None:
    """Until when drains have objects in hand, at the latest; None: none has."""
    found = session.value("objects.in_hand", {"now": now})
    assert found is None or isinstance(found, datetime)
    return found


def listed(
    session: Session, *, tenant_id: str | None, state: ObjectState | None, limit: int
) -> list[ListedObject]:
    """Objects of the outbox, those that need a person first."""
    rows = session.rows("objects.listed", {"tenant": tenant_id, "state": state, "limit": limit})
    return [ListedObject(**(row | {"state": ObjectState(row["state"])})) for row in rows]


def retry(
    session: Session,
    *,
    tenant_id: str | None,
    state: ObjectState | None,
    ids: Sequence[int] | None,
    now: datetime,
) -> int:
    """Have objects asked for again at once; how many. A grace that runs is not cut short."""
    parameters = {
        "tenant": tenant_id,
        "state": state,
        "ids": list(ids) if ids is not None else None,
        "now": now,
    }
    return int(session.value("objects.retry", parameters))


def of_batches(
    session: Session, tenant_id: str, batches: Sequence[int], account: str | None
) -> dict[int, ObjectCounts]:
    """What is gone and what is left of the objects whose rows batches erased.

    Of one account, where one is named: others may have been in the same batch.
    """
    parameters = {"tenant": tenant_id, "batches": list(batches), "account": account}
    rows = session.rows("objects.of_batches", parameters)
    return {batch: counted(rows, "batch_id", batch) for batch in batches}


def completions(
    session: Session, tenant_id: str, batch: int, account: str | None
) -> list[tuple[str, str]]:
    """Bodies and hashes of the batches that say which of a batch's objects are gone."""
    parameters = {"tenant": tenant_id, "batch": batch, "account": account}
    rows = session.rows("objects.completions", parameters)
    return [(row["body"], row["hash"]) for row in rows]


def counted(rows: Sequence[Mapping[str, Any]], column: str, value: object) -> ObjectCounts:
    """The counts in those rows that have a value in a column."""
    mine = [row for row in rows if row[column] == value]
    return ObjectCounts(
        gone=sum(row["objects"] for row in mine if row["state"] == "gone"),
        left={row["state"]: row["objects"] for row in mine if row["state"] != "gone"},
        since={row["state"]: day_and_time(row["since"]) for row in mine if row["since"]},
    )


def sample(session: Session, limit: int, tenant_id: str | None) -> list[Sampled]:
    """Some objects that are gone, at random, whose URIs are still known."""
    rows = session.rows("objects.sample", {"limit": limit, "tenant": tenant_id})
    return [Sampled(**row) for row in rows]
