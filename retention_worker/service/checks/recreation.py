"""Are the triggers in force that keep erased biometrics from being created again."""

from __future__ import annotations

from collections.abc import Iterator

from retention_worker.domain.errors import DriftError
from retention_worker.service.checks.examined import Examined
from retention_worker.service.checks.finding import Finding, warn
from retention_worker.service.checks.text import ident, table_sql
from retention_worker.store.connection.session import Session
from retention_worker.store.examine.recreation import Guard, TriggerState, guards, state

_CHECK = "recreation"
_LOCK = (
    "-- It locks the table for a moment: behind a long transaction, writers would queue. Whoever\n"
    "-- runs this owns the function, and must be able to read and lock the accounts.\n"
)


def recreation(session: Session, case: Examined) -> Iterator[Finding]:
    """A guard that is missing, of another definition, switched off, or blind."""
    try:
        wanted = guards(case.datamap, case.facts.catalog, session.schema_name)
    except DriftError:
        return  # other checks tell why
    for guard in wanted:
        relation = case.facts.table(guard.entry.table)
        # A view has no such triggers, and a foreign table's rows are written elsewhere.
        if relation is not None and relation.kind in "rp":
            found = state(session, case.facts.catalog, guard.entry)
            yield from _judge(session.schema_name, guard, found)
            yield from _left_behind(guard, found, wanted)
    if wanted and case.datamap.transactions and case.datamap.transactions.created_at is None:
        yield warn(
            _CHECK,
            "transactions.created_at",
            "is left out, so that nobody can tell a returning person's new transaction from one "
            "that was erased with its account: write the column",
        )


def _judge(schema_name: str, guard: Guard, found: tuple[TriggerState, ...]) -> Iterator[Finding]:
    entry = guard.entry
    mine = next((each for each in found if each.trigger == guard.trigger), None)
    about = f"credentials[{entry.name}]"
    if mine is None:
        text = "no trigger keeps biometrics from being created again once they were erased: add it"
    elif (mine.comment, mine.body) != (guard.comment, guard.body):
        text = f"trigger {guard.trigger} is of another data map or version: renew it"
    elif not mine.in_force:
        text = f"trigger {guard.trigger} does not fire always, or not as its owner: renew it"
    elif not mine.can_read:
        yield warn(
            _CHECK,
            about,
            f"role {mine.owner}, which owns the function of trigger {guard.trigger}, may not read "
            "what was erased, so that nothing is refused: grant it",
            f"GRANT USAGE ON SCHEMA {ident(schema_name)} TO {ident(mine.owner)};\n"
            f"GRANT SELECT ON {ident(schema_name)}.{ident('erasure')}, "
            f"{ident(schema_name)}.{ident('erased_transaction')} TO {ident(mine.owner)};",
        )
        return
    else:
        return
    yield warn(_CHECK, about, text, _LOCK + guard.sql)


def _left_behind(
    guard: Guard, found: tuple[TriggerState, ...], wanted: tuple[Guard, ...]
) -> Iterator[Finding]:
    """Triggers of entries that the map does not have any more; each told by one guard only."""
    mine = [each for each in wanted if each.entry.table == guard.entry.table]
    if guard is not mine[0]:
        return
    for each in found:
        if each.trigger not in {known.trigger for known in mine}:
            yield warn(
                _CHECK,
                guard.entry.table,
                f"trigger {each.trigger} is of an entry that the data map does not have: drop it",
                f"DROP TRIGGER {ident(each.trigger)} ON {table_sql(guard.entry.table)};",
            )
