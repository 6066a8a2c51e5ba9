"""Runs the checks: those that refuse at every start, all of them for `doctor`."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from retention_worker.domain.datamap import DataMap
from retention_worker.service.doctor import access, shape
from retention_worker.service.doctor import server as servers
from retention_worker.service.doctor.case import Case
from retention_worker.service.doctor.finding import Finding, Severity
from retention_worker.service.doctor.needs import needs
from retention_worker.service.doctor.needs import privileges as wanted_privileges
from retention_worker.settings import Settings
from retention_worker.store import examine as facts_of
from retention_worker.store.session import Session

__all__ = ["examine", "refusals"]

Check = Callable[[Case], Iterator[Finding]]

_CHECKS: tuple[Check, ...] = (
    servers.server,
    shape.missing,
    shape.relations,
    access.privileges,
    access.row_security,
    shape.inheritance,
)


def refusals(
    session: Session, datamap: DataMap, settings: Settings, *, policies: int | None = None
) -> tuple[Finding, ...]:
    """Why nothing may be erased by this map on this database; empty where it is safe.

    A fixed number of catalog statements, whatever the number of tables.

    Args:
        session: of the worker's own role; inside a transaction or not.
        datamap: the map.
        settings: for the batch's deadline.
        policies: how many policy files there are, None where that is not known.
    """
    found = _judge(_read(session, datamap, settings, policies))
    return tuple(each for each in found if each.severity is Severity.REFUSE)


def examine(
    session: Session, datamap: DataMap, settings: Settings, *, policies: int | None = None
) -> tuple[Finding, ...]:
    """Everything that is wrong, refusals first; arguments as those of `refusals`."""
    found = _judge(_read(session, datamap, settings, policies))
    return tuple(sorted(found, key=lambda each: each.severity is Severity.WARN))


def _read(session: Session, datamap: DataMap, settings: Settings, policies: int | None) -> Case:
    facts = facts_of.read(session, datamap)
    wanted = [
        need
        for need in wanted_privileges(needs(datamap, facts.catalog))
        if need.column is None
        or need.column in getattr(facts.catalog.tables.get(need.table), "columns", {})
    ]
    return Case(
        datamap=datamap,
        facts=facts,
        settings=settings,
        policies=policies,
        lacking=facts_of.lacking(session, facts.catalog, wanted),
    )


def _judge(case: Case) -> list[Finding]:
    return [finding for check in _CHECKS for finding in check(case)]
