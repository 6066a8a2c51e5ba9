"""Triggers and rules that an erasure would fire: they may keep, copy or touch what it erases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from retention_worker.domain.datamap.columns import TableName
from retention_worker.service.checks.examined import Examined, blanked, deleted, erased_tables
from retention_worker.service.checks.finding import Finding, refuse, warn
from retention_worker.service.checks.text import comma
from retention_worker.store.examine import Trigger


@dataclass(frozen=True, kw_only=True)
class _Writes:
    """What an erasure does to a table."""

    deletes: bool
    columns: frozenset[str]

    @classmethod
    def of(cls, case: Examined, name: TableName) -> _Writes:
        columns = [
            column
            for entry, erase in blanked(case.datamap)
            if entry.table == name
            for column in erase.columns
        ]
        deletes = any(entry.table == name for entry in deleted(case.datamap))
        return cls(deletes=deletes, columns=frozenset(columns))

    def fire(self, on_delete: bool, on_update: bool, of: tuple[str, ...] = ()) -> list[str]:
        """The events, of those that something waits for, that happen."""
        changed = self.columns & set(of) if of else self.columns
        return [
            event
            for event, happens in (
                ("DELETE", on_delete and self.deletes),
                ("UPDATE", on_update and bool(changed)),
            )
            if happens
        ]


def triggers(case: Examined) -> Iterator[Finding]:
    """Triggers of the tables and their partitions; the worker's own are looked at already."""
    for root in erased_tables(case.datamap):
        writes = _Writes.of(case, root)
        for relation in case.facts.of(root):
            for trigger in case.facts.triggers.get(relation.oid, ()):
                events = writes.fire(trigger.on_delete, trigger.on_update, trigger.columns)
                full = _full_name(relation.name, trigger.name)
                if not events or trigger.is_ours or _accepted(case, full, root):
                    continue
                make = refuse if trigger.each_row else warn
                yield make(
                    "trigger" if trigger.each_row else "statement-trigger",
                    relation.name,
                    f"trigger {trigger.name} fires on {comma(events)}, and could keep a copy of "
                    "what is erased or make the account active: look at what it does, then write "
                    f'"{full}" under accepted_triggers, or disable it',
                )


def accepted_triggers(case: Examined) -> Iterator[tuple[TableName, Trigger]]:
    """The accepted triggers that an erasure fires, each with its table or partition."""
    for root in erased_tables(case.datamap):
        writes = _Writes.of(case, root)
        for relation in case.facts.of(root):
            for trigger in case.facts.triggers.get(relation.oid, ()):
                fires = writes.fire(trigger.on_delete, trigger.on_update, trigger.columns)
                full = _full_name(relation.name, trigger.name)
                if fires and not trigger.is_ours and _accepted(case, full, root):
                    yield relation.name, trigger


def rules(case: Examined) -> Iterator[Finding]:
    """Rules that rewrite what an erasure does."""
    for root in erased_tables(case.datamap):
        writes = _Writes.of(case, root)
        for relation in case.facts.of(root):
            for rule in case.facts.rules.get(relation.oid, ()):
                events = writes.fire(rule.on_delete, rule.on_update)
                full = _full_name(relation.name, rule.name)
                if events and not _accepted(case, full, root):
                    yield refuse(
                        "rule",
                        relation.name,
                        f"rule {rule.name} rewrites {comma(events)}, and could keep what is "
                        "erased: look at what it does, then write "
                        f'"{full}" under accepted_triggers, or drop it',
                    )


def accepted_nothing(case: Examined) -> Iterator[Finding]:
    """Names under accepted_triggers that no trigger or rule has: misspelt, or gone."""
    names = {
        form
        for relation in case.facts.relations
        for name in (
            *(each.name for each in case.facts.triggers.get(relation.oid, ())),
            *(each.name for each in case.facts.rules.get(relation.oid, ())),
        )
        for form in _forms(_full_name(relation.name, name), relation.root)
    }
    for accepted in case.datamap.accepted_triggers:
        if accepted not in names:
            yield warn(
                "accepted-trigger",
                f"accepted_triggers[{accepted}]",
                "no trigger or rule for DELETE or UPDATE on a mapped table has this name: correct "
                "it as schema.table.trigger, or take it out",
            )


def _full_name(table: TableName, name: str) -> str:
    return f"{table}.{name}"


def _forms(full: str, root: TableName) -> tuple[str, ...]:
    """A trigger of a partition may be accepted by the name of the table that is partitioned."""
    table, _, name = full.rpartition(".")
    short = table.partition(".")[2]
    return (name, f"{short}.{name}", full, f"{root.name}.{name}", f"{root}.{name}")


def _accepted(case: Examined, full: str, root: TableName) -> bool:
    return any(form in case.datamap.accepted_triggers for form in _forms(full, root))
