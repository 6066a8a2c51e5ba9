"""What an ad-hoc erasure would take and what it would leave, told before anybody confirms it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from retention_worker.domain.datamap.credential import Credential
from retention_worker.domain.datamap.datamap import ACCOUNT, DataMap
from retention_worker.domain.explain.explanation import Explanation, State
from retention_worker.domain.scope import Scope
from retention_worker.service.config import load
from retention_worker.service.context import Context
from retention_worker.service.explain.details import describe
from retention_worker.service.explain.explain import explain
from retention_worker.store.connection.keys import parse_id
from retention_worker.store.mapped import transactions

_MOST_UNENDED = 5


@dataclass(frozen=True, kw_only=True)
class ConsequenceLine:
    """An entry of the data map, or what stays for good; without a number where none is counted."""

    name: str
    rows: int | None = None
    objects: int = 0


@dataclass(frozen=True, kw_only=True)
class Consequences:
    """What goes and what stays; `hold` says why nothing would go at all.

    `in_progress`: transactions that have not ended, a few of them.
    """

    kind: str
    subject: str
    account: str
    scope: Scope
    goes: tuple[ConsequenceLine, ...]
    stays: tuple[ConsequenceLine, ...]
    hold: str | None
    in_progress: tuple[str, ...]

    @property
    def nothing(self) -> bool:
        """Whether there is nothing of the scope to erase."""
        return not any(line.rows for line in self.goes)


def consequences(
    context: Context, kind: str, subject: str, scope: Scope, *, tenant: str | None
) -> Consequences:
    """Tell them; nothing is written.

    Raises:
        UnknownSubject: the tenant has no such account or transaction.
    """
    with context.pool.connection() as conn:
        datamap = load(context, conn).compiled.datamap
    if kind == ACCOUNT:
        whole = explain(context, subject, tenant=tenant)
        unended = _unended(context, whole)
        counted = {each.entry.name: (each.entry.rows, each.entry.objects) for each in whole.entries}
        return _made(datamap, kind, whole.account, scope, counted, whole, in_progress=unended)
    shown = describe(context, subject, tenant=tenant)
    whole = explain(context, shown.account, tenant=tenant)
    counted = {each.name: (each.rows, each.objects) for each in shown.entries}
    return _made(
        datamap, kind, shown.id, scope, counted, whole, in_progress=(shown.id,) * shown.in_progress
    )


def _unended(context: Context, whole: Explanation) -> tuple[str, ...]:
    """Transactions of the account that have not ended."""
    with context.pool.connection() as conn:
        compiled = load(context, conn).compiled
        key = parse_id(whole.account, compiled.id_width)
        with context.reading(conn) as session:
            found = transactions.in_progress(session, compiled, whole.tenant_id, key, _MOST_UNENDED)
    return tuple(found)


def _made(  # noqa: PLR0917 - the parts of one answer
    datamap: DataMap,
    kind: str,
    subject: str,
    scope: Scope,
    counted: dict[str, tuple[int, int]],
    whole: Explanation,
    *,
    in_progress: tuple[str, ...],
) -> Consequences:
    mine = [each for each in datamap.credentials if each.name in counted]
    others = [each for each in datamap.credentials if each.name not in counted]
    return Consequences(
        kind=kind,
        subject=subject,
        account=whole.account,
        scope=scope,
        goes=_lines((each for each in mine if scope.covers(each.class_)), counted),
        stays=(
            *_lines((each for each in mine if not scope.covers(each.class_)), counted),
            *(ConsequenceLine(name=f"{each.name} of the account") for each in others),
            *_kept(datamap),
        ),
        hold=hold_of(whole),
        in_progress=in_progress,
    )


def hold_of(whole: Explanation) -> str | None:
    """What the account's legal hold says, if it has one."""
    for lane in whole.lanes:
        for each in lane.obstacles:
            if each.state is State.ON_HOLD:
                return each.text
    return None


def _lines(
    entries: Iterable[Credential], counted: dict[str, tuple[int, int]]
) -> tuple[ConsequenceLine, ...]:
    return tuple(
        ConsequenceLine(name=each.name, rows=counted[each.name][0], objects=counted[each.name][1])
        for each in entries
    )


def _kept(datamap: DataMap) -> list[ConsequenceLine]:
    """What no erasure takes: the map promises it, or it was looked at and stays."""
    found = [ConsequenceLine(name="the account itself, and when it was last active")]
    if datamap.transactions is not None:
        names = (*datamap.transactions.metadata, *datamap.transactions.decision)
        shown = f": {', '.join(names)}" if names else ""
        found.append(
            ConsequenceLine(name=f"the metadata and the decision of each transaction{shown}")
        )
    found += [
        ConsequenceLine(name=f"{each.table}" + (" in part" if each.where else ""))
        for each in datamap.retained
    ]
    return found
