"""Runs the checks: those that refuse at every start, all of them for `doctor`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from retention_worker.configfiles.policies import PolicySet
from retention_worker.domain.datamap.columns import TableName
from retention_worker.domain.datamap.datamap import DataMap
from retention_worker.domain.errors import DriftError
from retention_worker.service.checks import (
    access,
    blanks,
    copies,
    indexes,
    keys,
    references,
    replication,
    rows,
    shape,
    triggers,
)
from retention_worker.service.checks import server as servers
from retention_worker.service.checks.examined import Compared, Examined
from retention_worker.service.checks.finding import Finding, Severity
from retention_worker.service.checks.parents import edges
from retention_worker.service.checks.recreation import recreation
from retention_worker.service.checks.requirements import named_columns, needs
from retention_worker.service.checks.requirements import privileges as wanted_privileges
from retention_worker.service.checks.trigger_functions import trigger_functions
from retention_worker.settings import WorkerSettings
from retention_worker.store import examine as facts_of
from retention_worker.store.catalog import Catalog
from retention_worker.store.connection.session import Session
from retention_worker.store.mapsql import CompiledMap, compile_on

Check = Callable[[Examined], Iterator[Finding]]

_CHECKS: tuple[Check, ...] = (
    servers.server,
    shape.missing,
    shape.relations,
    shape.drift,
    access.privileges,
    access.row_security,
    keys.types,
    keys.unique_accounts,
    keys.unique_parents,
    keys.kinds,
    triggers.triggers,
    triggers.rules,
    references.reaching,
    references.standing_in_the_way,
    references.links_to_their_rows,
    references.blanked_keys,
    blanks.blanks,
    blanks.unique_blanks,
    blanks.named_for_ever,
    replication.replica_identity,
)
# These never stop a lane, and some of them read more than the catalog of the mapped tables.
_WARNINGS: tuple[Check, ...] = (
    shape.inheritance,
    triggers.accepted_nothing,
    indexes.activity_order,
    indexes.join_keys,
    indexes.objects,
    indexes.foreign_keys,
    rows.never_analyzed,
    copies.undeclared_copies,
    copies.biometric_columns,
)


@dataclass(frozen=True, kw_only=True)
class MapInspection:
    """Why nothing may be erased, empty where it is safe; then the map is `compiled`."""

    refusals: tuple[Finding, ...]
    compiled: CompiledMap | None


def inspect(
    session: Session, datamap: DataMap, settings: WorkerSettings, *, policies: int | None = None
) -> MapInspection:
    """Whether credentials may be erased by this map on this database.

    A fixed number of catalog statements, whatever the number of tables.

    Args:
        session: of the worker's own role; inside a transaction or not.
        datamap: the map.
        settings: for the batch's deadline.
        policies: how many policy files there are, None where that is not known.
    """
    case = _read(session, datamap, settings, policies)
    found = _judge(case, _CHECKS)
    return MapInspection(
        refusals=tuple(each for each in found if each.severity is Severity.REFUSE),
        compiled=case.compiled,
    )


def examine(
    session: Session,
    datamap: DataMap,
    settings: WorkerSettings,
    *,
    policies: int | None = None,
    files: PolicySet | None = None,
    now: datetime | None = None,
) -> tuple[Finding, ...]:
    """Everything that is wrong, refusals first; arguments as those of `inspect`.

    `files` are all policies: whether the database has their tenants; `now` what is the future.

    Looks at rows too, each time for a few seconds at most; writes nothing.
    """
    case = _read(session, datamap, settings, policies)
    case = replace(case, around=facts_of.look_around(session, case.facts))
    found = _judge(case, (*_CHECKS, *_WARNINGS))
    found += rows.own_schema(session)
    found += rows.unclaimed_rows(session, case)
    found += rows.activity(session, case)
    found += recreation(session, case)
    found += trigger_functions(session, case)
    ill = any(each.severity is Severity.REFUSE or each.check == "own-schema" for each in found)
    if case.compiled is not None and not ill:
        # The last word is the server's, once every check is content.
        found += rows.statements(session, case.compiled)
        found += rows.other_tenants(session, case)
        found += rows.left_out_rows(session, case)
        found += rows.refused(session, case)
        if files is not None:
            found += rows.tenants(session, case, files)
        if now is not None:
            found += rows.made_in_the_future(session, case, now)
    return tuple(sorted(found, key=lambda each: list(Severity).index(each.severity)))


def _read(
    session: Session, datamap: DataMap, settings: WorkerSettings, policies: int | None
) -> Examined:
    facts = facts_of.read(session, datamap)
    wanted = [
        need
        for need in wanted_privileges(needs(datamap, facts.catalog))
        if need.column is None or _has(facts.catalog, need.table, need.column)
    ]
    compiled, drift = _compiled(datamap, facts.catalog, session.schema_name)
    return Examined(
        datamap=datamap,
        facts=facts,
        settings=settings,
        policies=policies,
        lacking=facts_of.lacking(session, facts.catalog, wanted),
        comparisons=_compare(session, datamap, facts.catalog),
        compiled=compiled,
        drift=drift,
    )


def _compare(session: Session, datamap: DataMap, catalog: Catalog) -> tuple[Compared, ...]:
    pairs = [
        (edge, left, right)
        for edge in edges(datamap)
        for left, right in zip(edge.key, edge.parent_key, strict=True)
        if _has(catalog, edge.child, left) and _has(catalog, edge.parent, right)
    ]
    found = facts_of.compare(
        session,
        catalog,
        [((edge.child, left), (edge.parent, right)) for edge, left, right in pairs],
    )
    return tuple(
        Compared(
            subject=edge.subject,
            child=f"{edge.child}.{left}",
            parent=f"{edge.parent}.{right}",
            found=comparison,
        )
        for (edge, left, right), comparison in zip(pairs, found, strict=True)
    )


def _compiled(
    datamap: DataMap, catalog: Catalog, schema_name: str
) -> tuple[CompiledMap | None, str | None]:
    """The compiled map, or why there is none, unless a name that is missing says so already."""
    for each in named_columns(datamap):
        if not all(_has(catalog, each.table, column) for column in (*each.read, *each.write)):
            return None, None
    try:
        return compile_on(catalog, datamap, schema_name), None
    except DriftError as exc:
        return None, str(exc)


def _has(catalog: Catalog, name: TableName, column: str) -> bool:
    table = catalog.tables.get(name)
    return table is not None and column in table.columns


def _judge(case: Examined, checks: Iterable[Check]) -> list[Finding]:
    return [finding for check in checks for finding in check(case)]
