"""Accounts of somebody else's table: pages of candidates, locks, and what decides about them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from retention_worker.domain.errors import StatementFailed
from retention_worker.domain.lane.lane import LaneState, Position
from retention_worker.domain.scope import Scope
from retention_worker.store.connection.answers import Pending
from retention_worker.store.connection.keys import Key, id_text, key_parameters, parse_id
from retention_worker.store.connection.session import Session
from retention_worker.store.mapsql import CompiledMap

# SQLSTATE classes: the text is no value of the type, or a domain's check refuses it.
_NO_SUCH_VALUE = ("22", "23")


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """An account whose activity is not after the cutoff, seen without a lock."""

    key: Key
    activity: str

    @property
    def position(self) -> Position:
        """Its place in the order of the keyset."""
        return Position(activity=self.activity, key=self.key)


@dataclass(frozen=True, kw_only=True)
class Locked:
    """An account that is there: its activity in the column's own text, and as an instant's text."""

    id: str
    activity: str | None
    active_at: str | None
    due: bool


@dataclass(frozen=True, kw_only=True)
class Found:
    """What decides about an account beside its own row.

    `hold`: the end of an active hold as text, 'infinity' without one. `newer_activity`: the latest
    activity after the cutoff, as text; `latest_activity`: the latest at all that is not on its own
    row, credentials and what is remembered among it. `newest_credential`: when that was made, as
    text; it `credential_is_newer` where that is after the cutoff. `has_other` is False where the
    scope is biometrics, and where there are biometrics if nobody asked for more. `units`: how many
    rows hang directly under the account, counted no further than asked. `is_astray`: a row below it
    says another tenant, or none, so that the statements that erase may not reach everything.
    """

    id: str
    hold: str | None
    newer_activity: str | None
    latest_activity: str | None
    newest_credential: str | None
    credential_is_newer: bool
    has_biometric: bool
    has_other: bool
    units: int
    is_astray: bool


def page(
    session: Session,
    compiled: CompiledMap,
    tenant_id: str,
    cutoff: str,
    *,
    after: Position | None,
    limit: int,
) -> list[Candidate]:
    """The next candidates after a position; `cutoff` is a bound in the column's own text."""
    rows = session.send(
        compiled.accounts.page,
        {"tenant": tenant_id, "cutoff": cutoff, "limit": limit} | _after(after),
        replan=True,
    ).rows()
    return [Candidate(key=tuple(row["key"]), activity=row["activity"]) for row in rows]


def lock(
    session: Session,
    compiled: CompiledMap,
    tenant_id: str,
    keys: Sequence[Key],
    cutoff: str,
) -> Pending[dict[str, Locked]]:
    """Lock the accounts that still match, by id; another's locks are passed over."""
    sql = compiled.accounts
    answer = session.send(
        sql.lock,
        {"tenant": tenant_id, "cutoff": cutoff} | key_parameters(keys, len(sql.id_columns)),
    )
    return Pending(answer, lambda given: {row["id"]: _locked(row, True) for row in given.rows()})


def lock_waiting(
    session: Session, compiled: CompiledMap, tenant_id: str, key: Key
) -> Locked | None:
    """Lock one account whatever its activity, and wait for it; None where there is none.

    Its id comes back as the database writes it, which may differ from how a person wrote it.
    """
    sql = compiled.accounts
    row = session.row(
        sql.lock_waiting, {"tenant": tenant_id} | key_parameters([key], len(sql.id_columns))
    )
    return _locked(row | {"id": id_text(tuple(row["key"]))}, True) if row else None


def present(
    session: Session, compiled: CompiledMap, tenant_id: str, keys: Sequence[Key], cutoff: str
) -> dict[str, Locked]:
    """The accounts among the keys that are there, without a lock."""
    sql = compiled.accounts
    rows = session.rows(
        sql.present,
        {"tenant": tenant_id, "cutoff": cutoff} | key_parameters(keys, len(sql.id_columns)),
    )
    return {row["id"]: _locked(row, row["due"]) for row in rows}


def _locked(row: dict[str, Any], due: bool) -> Locked:
    return Locked(id=row["id"], activity=row["activity"], active_at=row["active_at"], due=due)


def look(
    session: Session,
    compiled: CompiledMap,
    tenant_id: str,
    scope: Scope,
    keys: Sequence[Key],
    *,
    cutoff: datetime | None,
    now: datetime,
    max_units: int,
) -> dict[str, Found]:
    """Holds, newer activity and credentials, what is there: in one statement of its own."""
    return ask_look(
        session,
        compiled,
        tenant_id,
        scope,
        keys,
        cutoff=cutoff,
        now=now,
        max_units=max_units,
        thorough=True,
    ).get()


def ask_look(  # noqa: PLR0913 - what decides, and how much of it
    session: Session,
    compiled: CompiledMap,
    tenant_id: str,
    scope: Scope,
    keys: Sequence[Key],
    *,
    cutoff: datetime | None,
    now: datetime,
    max_units: int,
    thorough: bool = False,
) -> Pending[dict[str, Found]]:
    """Ask what is there of accounts; sent behind the lock, it sees what was committed before that.

    Where it is not `thorough`, other credentials are not looked for where there are biometrics.
    """
    sql = compiled.accounts
    bounds = {
        name: at.bound(cutoff) if cutoff is not None else None for name, at in sql.newer.items()
    }
    answer = session.send(
        sql.look,
        {
            "tenant": tenant_id,
            "scope": scope,
            "now": now,
            "cutoff_at": cutoff,
            "max_units": max_units,
            "thorough": thorough,
        }
        | bounds
        | key_parameters(keys, len(sql.id_columns)),
    )
    return Pending(answer, lambda given: {row["id"]: Found(**row) for row in given.rows()})


def living(
    session: Session,
    compiled: CompiledMap,
    tenant_id: str,
    looked: Mapping[str, Found],
    *,
    cutoff: datetime | None,
) -> dict[str, Found]:
    """What was looked at, but credentials that were erased and are back are no activity.

    Asked only for accounts that a newer credential keeps, which are few.
    """
    kept = [
        parse_id(each.id, compiled.id_width) for each in looked.values() if each.credential_is_newer
    ]
    if not kept:
        return dict(looked)
    parameters = {"tenant": tenant_id, "cutoff_at": cutoff}
    rows = session.rows(
        compiled.accounts.living, parameters | key_parameters(kept, compiled.id_width)
    )
    changed = {
        row["id"]: replace(
            looked[row["id"]], newest_credential=row["at"], credential_is_newer=row["is_newer"]
        )
        for row in rows
    }
    return dict(looked) | changed


def activity_now(
    session: Session, compiled: CompiledMap, tenant_id: str, keys: Sequence[Key]
) -> dict[str, str | None]:
    """The accounts' activity as this transaction sees it now."""
    sql = compiled.accounts
    rows = session.rows(
        sql.activity_now, {"tenant": tenant_id} | key_parameters(keys, len(sql.id_columns))
    )
    return {row["id"]: row["activity"] for row in rows}


def count_due(
    session: Session,
    compiled: CompiledMap,
    tenant_id: str,
    cutoff: str,
    *,
    after: Position | None,
    limit: int,
) -> int:
    """Candidates after a position, by the index alone, counted no further than `limit`."""
    return int(
        session.value(
            compiled.accounts.count_due,
            {"tenant": tenant_id, "cutoff": cutoff, "limit": limit} | _after(after),
        )
    )


def count_live(
    session: Session,
    compiled: CompiledMap,
    tenant_id: str,
    after: Position | None,
    limit: int,
) -> int:
    """Accounts with activity after a position, counted no further than `limit`."""
    return int(
        session.value(
            compiled.accounts.count_live, {"tenant": tenant_id, "limit": limit} | _after(after)
        )
    )


def count_live_lanes(
    session: Session, compiled: CompiledMap, lanes: Sequence[LaneState], limit: int
) -> list[int]:
    """Accounts with activity after each lane's watermark, each counted no further than `limit`."""
    rows = session.rows(
        compiled.accounts.live_lanes,
        {
            "tenants": [lane.tenant_id for lane in lanes],
            "activities": [lane.watermark.activity if lane.watermark else None for lane in lanes],
            "after_ids": [_id_json(lane.watermark) for lane in lanes],
            "limit": limit,
        },
    )
    return [row["live"] for row in rows]


def one_tenant(
    session: Session, compiled: CompiledMap, tenant_ids: Sequence[str]
) -> list[list[str]]:
    """Groups of these that are one tenant to the database, such as `1` and `01` of a number."""
    if compiled.accounts.one_tenant is None:
        return []
    rows = session.rows(compiled.accounts.one_tenant, {"tenants": list(tenant_ids)})
    return [row["tenants"] for row in rows]


def refused_tenants(
    session: Session, compiled: CompiledMap, tenant_ids: Sequence[str]
) -> list[str]:
    """Tenants that can be no value of the tenant column, such as a word where it has numbers.

    One of them in a statement for all would fail it for everybody, so they are found by halving.
    """
    statement, wanted = compiled.accounts.refused_tenants, list(tenant_ids)
    if statement is None or not wanted:
        return []
    try:
        with session.conn.transaction():
            return [row["tenant"] for row in session.rows(statement, {"tenants": wanted})]
    except StatementFailed as exc:
        if not (exc.sqlstate or "").startswith(_NO_SUCH_VALUE):
            raise
    if len(wanted) == 1:
        return wanted
    middle = len(wanted) // 2
    return [
        each
        for half in (wanted[:middle], wanted[middle:])
        for each in refused_tenants(session, compiled, half)
    ]


def known_tenants(session: Session, compiled: CompiledMap, limit: int) -> list[str]:
    """The tenants that accounts have, as the column's texts, so many at the most."""
    statement = compiled.accounts.known_tenants
    if statement is None:
        return []
    return [row["tenant"] for row in session.rows(statement, {"limit": limit})]


def any_without_tenant(session: Session, compiled: CompiledMap) -> bool:
    """Whether an account has no tenant, or a blank one."""
    statement = compiled.accounts.without_tenant
    return statement is not None and bool(session.value(statement))


def ahead(
    session: Session, compiled: CompiledMap, tenant_ids: Sequence[str], after: datetime
) -> set[str]:
    """Tenants among these with an account whose activity lies after an instant."""
    parameters = {"tenants": list(tenant_ids), "bound": compiled.accounts.activity.bound(after)}
    return {row["tenant"] for row in session.rows(compiled.accounts.ahead, parameters)}


def same_tenant(
    session: Session, compiled: CompiledMap, tenant_id: str, known: Sequence[str]
) -> str:
    """A tenant as the policies write it, or the column: a uuid may be written in capitals.

    Everything that is kept by tenant is kept by that text.
    """
    if compiled.accounts.same_tenant is None:
        return tenant_id
    parameters = {"tenant": tenant_id, "tenants": list(known)}
    return str(session.value(compiled.accounts.same_tenant, parameters))


def without_accounts(
    session: Session, compiled: CompiledMap, tenant_ids: Sequence[str]
) -> set[str]:
    """Tenants among these that have no account: one statement for all."""
    rows = session.rows(compiled.accounts.without_accounts, {"tenants": list(tenant_ids)})
    return {row["tenant"] for row in rows}


def due_lanes(
    session: Session,
    compiled: CompiledMap,
    lanes: Sequence[LaneState],
    cutoffs: Sequence[datetime],
) -> set[int]:
    """The indexes of the lanes that have a candidate: one statement for all."""
    bound = compiled.accounts.activity.bound
    positions = [lane.watermark for lane in lanes]
    rows = session.rows(
        compiled.accounts.due_lanes,
        {
            "tenants": [lane.tenant_id for lane in lanes],
            "cutoffs": [bound(cutoff) for cutoff in cutoffs],
            "activities": [place.activity if place else None for place in positions],
            "after_ids": [_id_json(lane.watermark) for lane in lanes],
        },
    )
    return {row["position"] - 1 for row in rows}


def _id_json(position: Position | None) -> str | None:
    return json.dumps(list(position.key)) if position else None


def _after(position: Position | None) -> dict[str, Any]:
    return {
        "after_activity": position.activity if position else None,
        "after_id": list(position.key) if position else None,
    }
