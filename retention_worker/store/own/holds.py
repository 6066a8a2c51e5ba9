"""Legal holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from retention_worker.domain.document import in_json
from retention_worker.store.connection.keys import Key, key_parameters
from retention_worker.store.connection.session import Session
from retention_worker.store.mapped.accounts import Found
from retention_worker.store.mapsql import CompiledMap


@dataclass(frozen=True, kw_only=True)
class Hold:
    """An active hold."""

    id: int
    tenant_id: str
    account_id: str = field(metadata=in_json("account"))
    reason: str
    placed_by: str
    placed_at: datetime
    until: datetime | None


@dataclass(frozen=True, kw_only=True)
class Remembered:
    """An active hold with what it has seen (kind and id), as it is kept beside an export."""

    tenant_id: str
    account_id: str
    reason: str
    placed_by: str
    placed_at: datetime
    until: datetime | None
    seen: tuple[tuple[str, str], ...]


def remembered(session: Session, now: datetime) -> list[Remembered]:
    """All active holds with what they have seen."""
    return [
        Remembered(**(row | {"seen": tuple((kind, subject) for kind, subject in row["seen"])}))
        for row in session.rows("holds.remembered", {"now": now})
    ]


def missing(session: Session, known: Sequence[Remembered]) -> list[Remembered]:
    """Holds among those known that were never placed in this database."""
    if not known:
        return []
    rows = session.rows(
        "holds.missing",
        {
            "tenants": [each.tenant_id for each in known],
            "accounts": [each.account_id for each in known],
            "placed": [each.placed_at for each in known],
        },
    )
    return [known[row["position"] - 1] for row in rows]


def place_again(session: Session, lost: Remembered) -> None:
    """Place a hold as it was, with what it had seen."""
    parameters = {
        "tenant": lost.tenant_id,
        "account": lost.account_id,
        "reason": lost.reason,
        "actor": lost.placed_by,
        "now": lost.placed_at,
        "until": lost.until,
    }
    number = session.value("holds.place", parameters)
    session.run(
        "holds.place_again",
        {
            "hold": number,
            "kinds": [kind for kind, _ in lost.seen],
            "subjects": [subject for _, subject in lost.seen],
        },
    )


def place(
    session: Session,
    tenant_id: str,
    account: str,
    *,
    reason: str,
    actor: str,
    now: datetime,
    until: datetime | None,
) -> int:
    """Place a hold, or find the same; the caller has the account locked."""
    parameters = {
        "tenant": tenant_id,
        "account": account,
        "reason": reason,
        "actor": actor,
        "now": now,
        "until": until,
    }
    return int(session.value("holds.same", parameters) or session.value("holds.place", parameters))


def release(
    session: Session, tenant_id: str, account: str, *, reason: str, actor: str, now: datetime
) -> int:
    """End the account's active holds, let the next sweep look at it; how many there were."""
    parameters = {
        "tenant": tenant_id,
        "account": account,
        "reason": reason,
        "actor": actor,
        "now": now,
    }
    ended = session.run("holds.release", parameters)
    if ended:
        session.run("deferred.wake", parameters)
    return ended


def of_account(
    session: Session, compiled: CompiledMap, tenant_id: str, key: Key, now: datetime
) -> list[Hold]:
    """The active holds that count for an account, however they came to; the first one first."""
    parameters = {"tenant": tenant_id, "now": now} | _keys(compiled, [key])
    return [Hold(**row) for row in session.rows(compiled.holds.active, parameters)]


def on_hold(  # noqa: PLR0917 - as the look that it goes with
    session: Session,
    compiled: CompiledMap,
    tenant_id: str,
    looked: Mapping[str, Found],
    keys: Sequence[Key],
    now: datetime,
) -> dict[str, Found]:
    """What was looked at, with the holds on single credentials that came to these accounts.

    The look goes by what hangs on an account directly; this by every row that a hold has seen.
    """
    if not keys:
        return dict(looked)
    parameters = {"tenant": tenant_id, "now": now} | _keys(compiled, keys)
    ends = {row["id"]: row["until"] for row in session.rows(compiled.holds.ends, parameters)}
    return dict(looked) | {name: replace(looked[name], hold=until) for name, until in ends.items()}


def see(
    session: Session,
    compiled: CompiledMap,
    tenant_id: str,
    keys: Sequence[Key],
    *,
    now: datetime,
    hold: int | None = None,
) -> None:
    """Let the active holds of accounts that are in place (one hold, or all) see what they have."""
    parameters = {"tenant": tenant_id, "now": now, "hold": hold} | _keys(compiled, keys)
    session.run(compiled.holds.see, parameters)


def in_place(
    session: Session, compiled: CompiledMap, tenant_id: str, keys: Sequence[Key]
) -> set[str]:
    """The ids of those accounts that the tenant has."""
    parameters = {"tenant": tenant_id} | _keys(compiled, keys)
    return {row["id"] for row in session.rows(compiled.holds.in_place, parameters)}


@dataclass(frozen=True, kw_only=True)
class Sighting:
    """An account, not the hold's own, that has something that a hold has seen.

    `kind` is account where only the id is that of one that the hold was placed on before.
    """

    hold_id: int
    kind: str
    tenant: str | None
    account: str


def whereabouts(
    session: Session, compiled: CompiledMap, holds: Sequence[int]
) -> dict[int, list[Sighting]]:
    """Where else what these holds have seen is now, by hold."""
    found: dict[int, list[Sighting]] = {}
    parameters = {"tenant": None, "holds": list(holds)}
    for row in session.rows(compiled.holds.whereabouts, parameters):
        found.setdefault(row["hold_id"], []).append(Sighting(**row))
    return found


def forgotten(session: Session, compiled: CompiledMap, holds: Sequence[int]) -> set[int]:
    """Holds that have seen rows of kinds that the map does not have (any more)."""
    parameters = {"holds": list(holds), "kinds": list(compiled.holds.kinds)}
    return {row["hold_id"] for row in session.rows("holds.forgotten", parameters)}


def succeed(
    session: Session, old: Hold, new: int, *, reason: str, actor: str, now: datetime
) -> None:
    """End a hold in favour of another, which has seen all that it had."""
    session.run("holds.inherit", {"hold": old.id, "to": new})
    parameters = {"hold": old.id, "reason": reason, "actor": actor, "now": now}
    session.run("holds.end", parameters)


def _keys(compiled: CompiledMap, keys: Sequence[Key]) -> dict[str, Any]:
    return key_parameters(keys, compiled.id_width)


def listed(session: Session, tenant_id: str | None, now: datetime) -> list[Hold]:
    """The active holds of a tenant, or of all."""
    rows = session.rows("holds.list", {"tenant": tenant_id, "now": now})
    return [Hold(**row) for row in rows]
