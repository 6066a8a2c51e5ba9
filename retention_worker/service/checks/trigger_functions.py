"""What accepted triggers run, as whom, and what their functions need, as far as a look can tell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from retention_worker.domain.datamap.columns import TableName
from retention_worker.service.checks.examined import Examined
from retention_worker.service.checks.finding import Finding, note, warn
from retention_worker.service.checks.text import comma, ident, table_sql
from retention_worker.service.checks.trigger_source import Reading, read_source
from retention_worker.service.checks.triggers import accepted_triggers
from retention_worker.store.connection.session import Session
from retention_worker.store.examine.functions import (
    Function,
    Touched,
    called,
    function,
    on_path,
    touched,
)

_READABLE = {"plpgsql", "sql"}
# A function that calls others that call others: so many are read.
_MOST_FUNCTIONS = 50


def trigger_functions(session: Session, case: Examined) -> list[Finding]:
    """A note for each accepted trigger that an erasure fires, and warnings of what it lacks."""
    found: list[Finding] = []
    for relation, trigger in accepted_triggers(case):
        first = function(session, trigger.function)
        look = _Look(session)
        look.into(first, case.facts.server.role)
        found += _told(relation, trigger.name, first, look, case.facts.server.role)
    return found


@dataclass(kw_only=True)
class _Lack:
    """What a role needs and has not."""

    role: str
    what: str
    sql: str


@dataclass
class _Look:
    """What was found of one trigger's function and of those that it calls."""

    session: Session
    written: set[TableName] = field(default_factory=set)
    touched: set[TableName] = field(default_factory=set)
    lacks: dict[str, _Lack] = field(default_factory=dict)
    unread: dict[str, None] = field(default_factory=dict)
    seen: set[tuple[int, str]] = field(default_factory=set)

    def into(self, this: Function, caller: str) -> None:
        """Read a function and what it calls; `caller` is the role that calls it."""
        role = this.owner if this.definer else caller
        if (this.oid, role) in self.seen:
            return
        if len(self.seen) == _MOST_FUNCTIONS:
            self.unread["it calls too many functions"] = None
            return
        self.seen.add((this.oid, role))
        if this.language not in _READABLE:
            self.unread[f"{this} is written in {this.language}"] = None
            return
        reading = read_source(this.source)
        if reading.dynamic:
            self.unread[f"{this} uses EXECUTE"] = None
        with on_path(self.session, this.search_path):
            self._tables(this, role, reading)
            for oid in called(self.session, reading.calls):
                self.into(function(self.session, oid), role)

    def _tables(self, this: Function, role: str, reading: Reading) -> None:
        missing = set(reading.writes)
        for (name, _), each in touched(
            self.session, role, sorted(reading.touches, key=str)
        ).items():
            missing.discard(name)
            self.touched.add(each.name)
            if name in reading.writes:
                self.written.add(each.name)
            for lack in _lacks(role, each):
                self.lacks[lack.sql] = lack
        for name in sorted(missing, key=str):
            said = ".".join(part for part in name if part)
            self.unread[f"{this} writes {said}, which is not found"] = None


def _lacks(role: str, each: Touched) -> Iterator[_Lack]:
    to, schema = f" TO {ident(role)};", each.name.schema_name
    if not each.schema_usage:
        sql = f"GRANT USAGE ON SCHEMA {ident(schema)}{to}"
        yield _Lack(role=role, what=f"USAGE on schema {schema}", sql=sql)
    if not each.granted:
        sql = f"GRANT {each.privilege} ON {table_sql(each.name)}{to}"
        yield _Lack(role=role, what=f"{each.privilege} on {each.name}", sql=sql)
    for sequence in each.sequences:
        sql = f"GRANT USAGE ON SEQUENCE {table_sql(sequence)}{to}"
        yield _Lack(role=role, what=f"USAGE on sequence {sequence}", sql=sql)


def _told(
    relation: TableName, name: str, this: Function, look: _Look, role: str
) -> Iterator[Finding]:
    whom = f"its owner {this.owner} (SECURITY DEFINER)" if this.definer else f"{role} (invoker)"
    runs = f"trigger {name} runs {this} as {whom}"
    subject = f"{relation}.{name}"
    writes = sorted(map(str, look.written))
    reads = sorted(map(str, look.touched - look.written))
    does = [
        *([f"writes {comma(writes)}"] if writes else []),
        *([f"reads {comma(reads)}"] if reads else []),
    ]
    said = " and ".join(does) or "touches no table"
    if not look.unread:
        said = f"{said}, as far as its source tells"
        yield note("trigger-function", subject, f"{runs}; it {said}")
    else:
        known = f"; it {' and '.join(does)}" if does else ""
        yield warn(
            "trigger-function",
            subject,
            f"{runs}{known}; what else it does could not be read ({'; '.join(look.unread)}): "
            "run doctor --try",
        )
    yield from _grants(subject, runs, look.lacks.values())


def _grants(subject: str, runs: str, lacks: Iterable[_Lack]) -> Iterator[Finding]:
    by_role: dict[str, list[_Lack]] = {}
    for lack in lacks:
        by_role.setdefault(lack.role, []).append(lack)
    for role, mine in by_role.items():
        yield warn(
            "trigger-privilege",
            subject,
            f"{runs}, and role {role} lacks {comma(each.what for each in mine)}, so that erasing "
            "would be refused: grant it, or let the function be SECURITY DEFINER with a fixed "
            "search_path",
            "\n".join(each.sql for each in mine),
        )
