"""Legal holds: placed under the account's lock, so that an acknowledged one is never overtaken."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from retention_worker.domain.datamap.datamap import ACCOUNT
from retention_worker.domain.errors import ConfigurationError, UnknownSubject
from retention_worker.domain.scope import Scope
from retention_worker.service import subject
from retention_worker.service.config import load
from retention_worker.service.context import Context
from retention_worker.service.guard.holdfile import require_holds
from retention_worker.service.tenants import require_tenant, tenant_id_of, tenant_of
from retention_worker.store.connection.keys import Key, id_text, parse_id
from retention_worker.store.connection.session import Session
from retention_worker.store.mapped import accounts
from retention_worker.store.mapsql import CompiledMap
from retention_worker.store.own import holds
from retention_worker.store.own.holds import Hold


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A hold that is acknowledged; `credentials_left` False: nothing was there to keep any more."""

    id: int
    tenant_id: str
    account: str
    credentials_left: bool
    until: datetime | None


def place(
    context: Context,
    account: str,
    *,
    tenant: str | None,
    reason: str,
    actor: str,
    until: datetime | None,
) -> Placed:
    """Keep everything of an account until the hold ends.

    Raises:
        UnknownSubject: the tenant has no such account.
        ConfigurationError: `until` is in the past, or no tenant was named.
        BatchTimeout: the account is locked by somebody for longer than ten seconds.
    """
    now = context.clock()
    if until is not None and until <= now:
        raise ConfigurationError("--until: the time has passed: write a later one")
    with context.pool.connection() as conn:
        compiled, tenant_id = tenant_of(context, conn, tenant)
        key = parse_id(account, compiled.id_width)
        with context.patient(conn) as session:
            found = subject.lock_account(session, compiled, tenant_id, key)
            if found is None:
                raise UnknownSubject(f"tenant {tenant_id!r} has no account {account!r}")
            # As the database writes it, however the person did.
            key = parse_id(found.id, len(key))
            wanted = _Wanted(tenant_id=tenant_id, key=key, reason=reason, until=until)
            return _place(session, compiled, wanted, actor, now)


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """A hold to place; `key` is that of an account which the caller has locked."""

    tenant_id: str
    key: Key
    reason: str
    until: datetime | None


def _place(
    session: Session, compiled: CompiledMap, wanted: _Wanted, actor: str, now: datetime
) -> Placed:
    """Place it, and let it see what the account has."""
    tenant_id, name, keys = wanted.tenant_id, id_text(wanted.key), [wanted.key]
    number = holds.place(
        session, tenant_id, name, reason=wanted.reason, actor=actor, now=now, until=wanted.until
    )
    holds.see(session, compiled, tenant_id, keys, now=now, hold=number)
    left = accounts.look(
        session, compiled, tenant_id, Scope.ALL, keys, cutoff=None, now=now, max_units=1
    )[name]
    return Placed(
        id=number,
        tenant_id=tenant_id,
        account=name,
        credentials_left=left.has_biometric or left.has_other,
        until=wanted.until,
    )


def release(context: Context, account: str, *, tenant: str | None, reason: str, actor: str) -> int:
    """End the account's holds; the next sweep looks at it again. How many there were.

    Raises:
        UnknownSubject: the account has no active hold.
    """
    with context.pool.connection() as conn:
        compiled, tenant_id = tenant_of(context, conn, tenant)
        key = parse_id(account, compiled.id_width)
        with context.patient(conn) as session:
            # Where the account itself is gone, its hold can still be ended.
            found = subject.lock_account(session, compiled, tenant_id, key)
            ended = holds.release(
                session,
                tenant_id,
                found.id if found else id_text(key),
                reason=reason,
                actor=actor,
                now=context.clock(),
            )
    if ended == 0:
        raise _no_hold(account, tenant_id)
    return ended


def _no_hold(account: str, tenant_id: str) -> UnknownSubject:
    return UnknownSubject(
        f"account {account!r} of tenant {tenant_id!r} has no active hold: `hold list` has them all"
    )


def move(
    context: Context,
    account: str,
    *,
    to: str,
    tenant: str | None,
    to_tenant: str | None,
    reason: str,
    actor: str,
) -> list[Placed]:
    """Let the active holds of an account go on under another, as a person has decided.

    Whatever the holds have seen stays protected by them, wherever it is.

    Raises:
        UnknownSubject: the first has no active hold, or there is no such other account.
        ConfigurationError: both are one.
        BatchTimeout: the other account is locked by somebody for longer than ten seconds.
    """
    now = context.clock()
    with context.pool.connection() as conn:
        compiled, tenant_id = tenant_of(context, conn, tenant)
        _, new_tenant = tenant_of(context, conn, to_tenant or tenant)
        width = compiled.id_width
        with context.patient(conn) as session:
            name = id_text(parse_id(account, width))
            mine = [
                hold for hold in holds.listed(session, tenant_id, now) if hold.account_id == name
            ]
            if not mine:
                raise _no_hold(account, tenant_id)
            found = subject.lock_account(session, compiled, new_tenant, parse_id(to, width))
            if found is None:
                raise UnknownSubject(f"tenant {new_tenant!r} has no account {to!r}")
            if (found.id, new_tenant) == (name, tenant_id):
                raise ConfigurationError(
                    f"account {name!r} of tenant {tenant_id!r} has the hold already: name another"
                )
            key, said = parse_id(found.id, width), f"moved to account {found.id}: {reason}"
            moved = []
            for hold in mine:
                why = f"{hold.reason} (hold {hold.id} of account {hold.account_id}: {reason})"
                wanted = _Wanted(tenant_id=new_tenant, key=key, reason=why, until=hold.until)
                placed = _place(session, compiled, wanted, actor, now)
                holds.succeed(session, hold, placed.id, reason=said, actor=actor, now=now)
                moved.append(placed)
            return moved


@dataclass(frozen=True, kw_only=True)
class ListedHold:
    """An active hold, whether its account is there, and where else what it has seen is.

    `elsewhere` (tenant, account) is empty where all is as it was when the hold was placed.
    `forgotten`: it has seen rows of tables that the data map does not have any more, and nobody
    knows where those are.
    """

    hold: Hold
    in_place: bool
    elsewhere: tuple[tuple[str | None, str], ...] = ()
    forgotten: bool = False

    @property
    def astray(self) -> bool:
        """Whether a person has to say what becomes of it."""
        return not self.in_place or bool(self.elsewhere) or self.forgotten


def listed(context: Context, tenant: str | None) -> list[ListedHold]:
    """The active holds of a tenant, or of all, and what became of their accounts."""
    with context.pool.connection() as conn:
        loaded = load(context, conn)
        tenant_id = tenant_id_of(loaded.policies, tenant, single=False) if tenant else None
        require_holds(context, conn)
        with context.reading(conn) as session:
            found = _located(session, loaded.compiled, holds.listed(session, None, context.clock()))
            if tenant_id is not None:
                require_tenant(session, loaded.compiled, loaded.policies, tenant_id)
    if tenant_id is None:
        return found
    # Of the tenant too where what it holds is an account's of that tenant by now.
    return [
        each
        for each in found
        if each.hold.tenant_id == tenant_id or tenant_id in {name for name, _ in each.elsewhere}
    ]


def look_after(session: Session, compiled: CompiledMap, now: datetime) -> list[ListedHold]:
    """Let every active hold see what its account has by now; those that are astray.

    A sweep does so before it erases anything, so that what came under a hold stays under it.
    """
    found = holds.listed(session, None, now)
    for tenant_id, keys in _pages(compiled, found):
        holds.see(session, compiled, tenant_id, keys, now=now)
    return [each for each in _located(session, compiled, found) if each.astray]


def astray(session: Session, compiled: CompiledMap, now: datetime) -> list[ListedHold]:
    """The active holds that are astray, as a sweep would find them; nothing is written."""
    found = _located(session, compiled, holds.listed(session, None, now))
    return [each for each in found if each.astray]


def _located(session: Session, compiled: CompiledMap, found: Sequence[Hold]) -> list[ListedHold]:
    if not found:
        return []
    there = {
        (tenant_id, name)
        for tenant_id, keys in _pages(compiled, found)
        for name in holds.in_place(session, compiled, tenant_id, keys)
    }
    seen: dict[int, list[holds.Sighting]] = {}
    forgotten: set[int] = set()
    for start in range(0, len(found), _PAGE):
        page = [each.id for each in found[start : start + _PAGE]]
        seen |= holds.whereabouts(session, compiled, page)
        forgotten |= holds.forgotten(session, compiled, page)
    located = []
    for each in found:
        in_place = (each.tenant_id, each.account_id) in there
        # An account that once had the hold and is still there matters where nothing else is found.
        elsewhere = dict.fromkeys(
            (sighting.tenant, sighting.account)
            for sighting in seen.get(each.id, [])
            if sighting.kind != ACCOUNT or not in_place
        )
        located.append(
            ListedHold(
                hold=each,
                in_place=in_place,
                elsewhere=tuple(elsewhere),
                forgotten=each.id in forgotten,
            )
        )
    return located


def elsewhere(astray: Sequence[ListedHold]) -> dict[str, str]:
    """Accounts that have something a hold of another has seen, and until when.

    What a single row brings along is not found by the look of a batch, which goes by what hangs on
    the account directly. An account of another tenant with the same id waits, too, for the person
    who decides about the hold.
    """
    found: dict[str, str] = {}
    for each in astray:
        until = each.hold.until.isoformat() if each.hold.until else _FOR_EVER
        for _, account in each.elsewhere:
            found[account] = max(found.get(account, until), until, key=_by_end)
    return found


def _by_end(until: str) -> tuple[bool, str]:
    return until == _FOR_EVER, until


def in_words(found: ListedHold) -> str:
    """What a person has to decide of a hold that is astray."""
    hold = found.hold
    what = "holds what is another account's by now" if found.in_place else "lost its account"
    if found.forgotten and found.in_place and not found.elsewhere:
        return (
            f"hold {hold.id} of account {hold.account_id} of tenant {hold.tenant_id} has seen rows "
            "of tables that the data map does not have any more: `hold release`, and place it again"
        )
    return (
        f"hold {hold.id} of account {hold.account_id} of tenant {hold.tenant_id} {what}: "
        "see `hold list`, then `hold move` or `hold release`"
    )


_PAGE = 500
_FOR_EVER = "infinity"


def _pages(compiled: CompiledMap, found: Sequence[Hold]) -> Iterator[tuple[str, list[Key]]]:
    """The accounts of holds, by tenant, so many at once."""
    width = compiled.id_width
    by_tenant: dict[str, list[Key]] = {}
    for each in found:
        with suppress(UnknownSubject):  # of a map with other id columns: it is not there
            by_tenant.setdefault(each.tenant_id, []).append(parse_id(each.account_id, width))
    for tenant_id, keys in by_tenant.items():
        for start in range(0, len(keys), _PAGE):
            yield tenant_id, keys[start : start + _PAGE]
