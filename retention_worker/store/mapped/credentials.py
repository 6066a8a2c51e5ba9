"""Credentials of somebody else's tables: erase them, count them, walk a large account in parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.sql import SQL, Composed

from retention_worker.domain.scope import CredentialClass, Scope
from retention_worker.store.connection.answers import StatementAnswer
from retention_worker.store.connection.keys import Key, Part, key_parameters
from retention_worker.store.connection.session import Session
from retention_worker.store.mapsql import CompiledMap
from retention_worker.store.mapsql.entries import StepSql


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Rows an entry by the entry's name (only where there were any), and objects.

    However many rows name an object, it counts once. `newer` rows say that they were made after
    the cutoff: where nobody had seen those before, they were committed after the look.
    """

    rows: Mapping[str, int]
    objects: int
    newer: int = 0


class Erasing:
    """Statements that were sent, a step each."""

    def __init__(self, sent: Sequence[tuple[StepSql, StatementAnswer]]) -> None:
        self._sent = sent
        self._counts: Counts | None = None

    def counts(self) -> Counts:
        """Wait for them; what they erased and queued."""
        if self._counts is None:
            self._counts = self._read()
        return self._counts

    def _read(self) -> Counts:
        each = [erased(step, answer) for step, answer in self._sent]
        return Counts(
            rows={name: number for one in each for name, number in one.rows.items() if number},
            objects=sum(one.objects for one in each),
            newer=sum(one.newer for one in each),
        )


def erased(step: StepSql, answer: StatementAnswer) -> Counts:
    """What a statement of a step erased, of each of its entries, and queued."""
    if not step.returns_row:
        return Counts(rows={step.entries[0].entry.name: answer.count()}, objects=0)
    row = answer.row()
    assert row is not None  # it counts, whatever there was
    rows = {each.entry.name: row[f"erased{index}"] for index, each in enumerate(step.entries)}
    return Counts(rows=rows, objects=row["queued"], newer=row["newer"])


def erase(  # noqa: PLR0913 - what is erased, and how much of it at once
    session: Session,
    compiled: CompiledMap,
    scope: Scope,
    tenant_id: str,
    keys: Sequence[Key],
    *,
    batch: int,
    now: datetime,
    shared_from: datetime,
    cutoff: datetime | None = None,
    part: Part | None = None,
    transaction: Key | None = None,
) -> Erasing:
    """Erase the scope's credentials of locked accounts, children first, a statement a step.

    `cutoff`: count the rows that are newer. Objects are queued at `now`; those that rows share are
    not touched before `shared_from`.

    With a `part`, only those in its stretch, of the entries that are reached through its rows; at
    the end of the walk, only those that hang on the account itself. With a `transaction`, only
    those of it.
    """
    parameters: dict[str, Any] = {
        "tenant": tenant_id,
        "batch": batch,
        "now": now,
        "shared_from": shared_from,
        "cutoff": cutoff,
    }
    parameters |= key_parameters(keys, compiled.id_width)
    if part is not None:
        parameters |= {
            "part_after": list(part.after) if part.after else None,
            "part_upto": list(part.upto) if part.upto else None,
        }
    if transaction is not None:
        parameters["transaction"] = list(transaction)
    sent: list[tuple[StepSql, StatementAnswer]] = []
    for step in compiled.steps_of(scope):
        statement = _statement(step, part, transaction)
        if statement is not None:
            # The plan of a part depends on whether it has a beginning.
            sent.append((step, session.send(statement, parameters, replan=part is not None)))
    return Erasing(sent)


def _statement(step: StepSql, part: Part | None, transaction: Key | None) -> Composed | None:
    if transaction is not None:
        return step.of_transaction
    if part is None:
        return step.erase
    if step.top_name == part.name:
        return step.erase_part
    return step.erase_rest if part.name is None else None


def count(
    session: Session,
    compiled: CompiledMap,
    classes: Sequence[CredentialClass],
    tenant_id: str,
    keys: Sequence[Key],
) -> Counts:
    """What `erase` would erase and queue, of entries of these classes."""
    parameters = {"tenant": tenant_id} | key_parameters(keys, compiled.id_width)
    rows: dict[str, int] = {}
    objects = 0
    naming: list[Composed] = []
    for entry in compiled.entries:
        if entry.entry.class_ not in classes:
            continue
        found = session.row(entry.count, parameters)
        if found and found["erased"]:
            rows[entry.entry.name] = found["erased"]
            objects += found["queued"]
            naming += [entry.uris] if entry.uris is not None and found["queued"] else []
    if len(naming) > 1:
        every = SQL(" UNION ALL ").join(naming)
        objects = session.value(
            SQL("SELECT count(DISTINCT uri) AS objects FROM ({}) AS named").format(every),
            parameters,
        )
    return Counts(rows=rows, objects=objects)


def next_part(
    session: Session,
    compiled: CompiledMap,
    tenant_id: str,
    key: Key,
    *,
    done: Part | None,
    limit: int,
) -> Part:
    """The stretch after `done`: `limit` rows of one kind; at the end, the account itself."""
    names = [part.name for part in compiled.parts]
    start = names.index(done.name) if done is not None and done.name is not None else 0
    after = done.upto if done is not None else None
    for walk in compiled.parts[start:]:
        row = session.send(
            walk.upto,
            {
                "tenant": tenant_id,
                "part_after": list(after) if after else None,
                "part_limit": limit,
            }
            | key_parameters([key], compiled.id_width),
            replan=True,
        ).row()
        if row is not None:
            return Part(name=walk.name, after=after, upto=tuple(row["key"]))
        after = None
    return Part(name=None, after=None, upto=None)
