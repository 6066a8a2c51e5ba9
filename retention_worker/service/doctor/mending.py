"""`doctor --sql`: what mends the findings, and the grants of the role, as one script."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from retention_worker.domain.datamap.datamap import DataMap
from retention_worker.service.checks.finding import Finding, Severity
from retention_worker.service.doctor.grants import grants_sql
from retention_worker.settings import WorkerSettings
from retention_worker.store.catalog import Catalog

_HEADER = """\
-- For the owner of the tables, or a superuser. Read it before you run it, and run it statement by
-- statement (psql --file, without --single-transaction): CREATE INDEX CONCURRENTLY takes no
-- transaction around it. One that is interrupted leaves an invalid index; `doctor --sql` then
-- drops it first."""
# The grants below have them.
_GRANTED = {"privilege"}


def mending_sql(
    findings: Iterable[Finding],
    datamap: DataMap,
    catalog: Catalog,
    settings: WorkerSettings,
    role: str,
) -> str:
    """The script; findings that no SQL mends are named in comments.

    Args:
        findings: of `examine`.
        datamap: the map.
        catalog: of the mapped tables.
        settings: for the name of the worker's own schema.
        role: the worker's role.
    """
    found = list(findings)
    blocks = [_HEADER, *_by_hand(found), *_statements(found)]
    blocks.append(
        grants_sql(
            datamap,
            catalog,
            settings.schema_name,
            role,
            bypass_row_security=any(each.check == "row-security" for each in found),
        ).rstrip()
    )
    return "\n\n".join(blocks) + "\n"


def _by_hand(findings: Iterable[Finding]) -> Iterator[str]:
    lines = [
        _comment(each)
        for each in findings
        if each.sql is None and each.severity is not Severity.NOTE
    ]
    if lines:
        yield "\n".join(["-- What no SQL mends:", *lines])


def _statements(findings: Iterable[Finding]) -> Iterator[str]:
    for each in findings:
        # Row security is mended by the role, among its grants.
        if each.sql is not None and each.check not in {*_GRANTED, "row-security"}:
            yield f"{_comment(each)}\n{each.sql}"


def _comment(finding: Finding) -> str:
    # A name may hold a line break, which would end the comment.
    text = f"{finding.severity}: {finding.subject}: {finding.message}"
    return "-- " + " ".join(text.split())
