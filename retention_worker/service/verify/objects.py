"""Objects outside the database: what is not deleted yet, and whether what is gone is gone."""

from __future__ import annotations

from collections.abc import Iterator

from retention_worker.domain.datamap.credential import Credential
from retention_worker.domain.errors import StoreDown
from retention_worker.domain.ledger.verification import Observation
from retention_worker.domain.objects.object import ObjectState
from retention_worker.domain.scope import Scope
from retention_worker.objects import address_of
from retention_worker.service.objects.drain import open_stores
from retention_worker.service.objects.still_named import unnamed
from retention_worker.service.verify.moment import Moment
from retention_worker.store.connection.session import Session
from retention_worker.store.own import objects as outbox
from retention_worker.store.own.objects import Sampled
from retention_worker.store.verify import own_tables

_WORDS = {
    ObjectState.QUEUED: "queued, not deleted",
    ObjectState.DENIED: "not deleted: their store denies it",
    ObjectState.FAILED: "not deleted: they failed",
    ObjectState.KEPT: "kept: a row still names them",
}


def left(session: Session, scene: Moment) -> Iterator[Observation]:
    """Objects whose rows are gone, and that are still there."""
    late = scene.now - scene.context.settings.overdue_after
    for name, each in own_tables.objects(session, scene.only, scene.now, alone=scene.looks.alone):
        state = ObjectState(name)
        is_late = each.oldest is not None and each.oldest < late
        yield Observation(
            check="objects",
            wrong=state.needs_person or (state is ObjectState.QUEUED and is_late),
            tenant=scene.name(each.tenant_id),
            count=each.count,
            oldest=each.oldest,
            examples=each.examples,
            message=f"{each.count} object(s) are {_WORDS[state]}: see objects list",
        )


def keeping(session: Session, scene: Moment, entry: Credential) -> Iterator[Observation]:
    """Objects that the rows of erased accounts keep: nothing will ever let them go."""
    statement = scene.looks.keeping(entry)
    scopes = [scope for scope in Scope if scope.covers(entry.class_)]
    parameters = scene.tenants() | {"scopes": scopes}
    for row in session.rows(statement, parameters) if statement is not None else ():
        yield Observation(
            check="objects_kept",
            tenant=scene.name(row["tenant_id"]),
            count=row["subjects"],
            examples=tuple(row["examples"]),
            message=f"{entry.name}: {row['subjects']} {row['kind']}(s) were erased, and their own "
            "rows keep the objects: blank the column that names them, in set",
        )


def astray(session: Session, scene: Moment) -> Iterator[Observation]:
    """Every object that a batch queued is queued still, or gone and in the ledger as gone."""
    for each in own_tables.objects_astray(session, scene.only):
        yield Observation(
            check="objects_astray",
            tenant=scene.name(each.tenant_id),
            count=each.count,
            examples=each.examples,
            message=f"{each.count} batch(es) queued objects that are neither queued nor noted as "
            "gone: rows of the outbox were removed by somebody else",
        )


def still_there(scene: Moment, number: int) -> Iterator[Observation]:
    """Ask the stores for some of the objects that are noted as gone.

    No transaction is open meanwhile.
    """
    context = scene.context
    with context.reading() as session:
        sample = outbox.sample(session, number, scene.only)
    stores = open_stores(context)
    for name in sorted({each.store for each in sample}):
        store = stores.get(name)
        assert store is not None  # an object of no store is never noted as gone
        keys = {_key(each): each for each in sample if each.store == name}
        try:
            found = [keys[key] for key in store.there(list(keys))]
        except StoreDown as exc:
            yield _not_looked(name, len(keys), exc)
            continue
        yield from _back(scene, unnamed(context, scene.datamap, store, found))
    yield Observation(
        check="objects_sampled",
        wrong=False,
        count=len(sample),
        message=f"{len(sample)} object(s) noted as gone were looked for in their stores",
    )


def _key(each: Sampled) -> str:
    address = address_of(each.uri)
    assert address is not None
    return address.key


def _not_looked(store: str, number: int, exc: StoreDown) -> Observation:
    return Observation(
        check="objects_sampled",
        count=number,
        message=f"{store or 'files'} could not be asked for {number} object(s): {exc}",
    )


def _back(scene: Moment, found: list[Sampled]) -> Iterator[Observation]:
    for tenant in sorted({each.tenant_id for each in found}):
        mine = [each for each in found if each.tenant_id == tenant]
        yield Observation(
            check="objects_sampled",
            tenant=scene.name(tenant),
            count=len(mine),
            oldest=min(each.gone_at for each in mine),
            examples=tuple(str(each.id) for each in mine[:5]),
            message=f"{len(mine)} object(s) noted as gone are there (numbers of object_deleted): "
            "they were written again, or restored",
        )
