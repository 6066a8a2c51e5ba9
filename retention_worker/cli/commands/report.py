"""The command `report`: what was erased in a month, for people, spreadsheets and scripts."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Annotated

import typer

from retention_worker.cli.terminal.context import open_context
from retention_worker.cli.terminal.options import AsJson
from retention_worker.cli.terminal.output import clean, count, instant, print_json
from retention_worker.domain.ledger.monthly import ErasedGroup, MonthReport, TenantMonth

# A spreadsheet takes a cell that starts so for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_CSV = (
    "month",
    "tenant id",
    "tenant",
    "scope",
    "source",
    "policy",
    "period",
    "entry",
    "rows",
    "accounts of the group",
    "transactions of the group",
    "objects queued of the group",
    "too early",
    "overdue",
    "proof",
)


class ReportFormat(StrEnum):
    """How it is written."""

    MARKDOWN = "markdown"
    CSV = "csv"
    JSON = "json"


def report(
    month: Annotated[str, typer.Argument(metavar="MONTH", help="YYYY-MM, in UTC.")],
    tenant: Annotated[
        str | None, typer.Option("--tenant", metavar="TENANT", help="Default: all.")
    ] = None,
    form: Annotated[
        ReportFormat, typer.Option("--format", help="How it is written.")
    ] = ReportFormat.MARKDOWN,
    as_json: AsJson = False,
) -> None:
    """Report a month: what was erased under which rule, that nothing went too early, who approved.

    Exit 1: something went too early, or a request is late.
    """
    from retention_worker.service.ledger.report import report as make_report

    with open_context() as context:
        found = make_report(context, month, tenant=tenant)
    if as_json or form is ReportFormat.JSON:
        print_json(found)
    elif form is ReportFormat.CSV:
        _csv(found)
    else:
        _markdown(found)
    raise typer.Exit(found.exit_code)


def _csv(found: MonthReport) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(_CSV)
    for tenant in found.tenants:
        for group in tenant.erased:
            for entry, number in group.rows.items() or [("", 0)]:
                cells = _cells(found, tenant, group, entry, number)
                writer.writerow(f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in cells)


def _cells(
    found: MonthReport, tenant: TenantMonth, group: ErasedGroup, entry: str, number: int
) -> tuple[str, ...]:
    return (
        found.month,
        tenant.tenant_id,
        tenant.tenant,
        group.scope,
        group.source,
        group.policy_digest or "",
        group.period or "",
        entry,
        str(number),
        str(group.accounts),
        str(group.transactions),
        str(group.objects),
        str(group.early),
        str(group.late),
        group.proof,
    )


def _markdown(found: MonthReport) -> None:
    until = "" if found.over else ", not over yet"
    _line(f"# Erasures of {found.month}")
    _line(f"From {instant(found.start)} to {instant(found.end)}{until}.")
    if not found.tenants:
        _line("Nothing was erased, asked for, held or approved.")
    for tenant in found.tenants:
        _line(f"## {tenant.tenant}" + _unless_same(tenant))
        for text in _paragraphs(tenant):
            _line(text)


def _unless_same(tenant: TenantMonth) -> str:
    return "" if tenant.tenant == tenant.tenant_id else f" ({tenant.tenant_id})"


def _paragraphs(tenant: TenantMonth) -> Iterator[str]:
    yield _groups(tenant.erased) if tenant.erased else "Nothing was erased."
    queued = sum(group.objects for group in tenant.erased)
    if queued or tenant.objects_deleted:
        yield f"Objects: {count(queued)} queued, {count(tenant.objects_deleted)} deleted."
    holds = tenant.holds
    yield (
        f"Holds: {holds['placed']} placed, {holds['released']} released, {holds['in_force']} in "
        "force at the end."
    )
    if tenant.approvals:
        yield _table(
            ("approved", "scope", "by", "why", "last active up to", "at most", "erased"),
            [
                (
                    instant(each.approved_at),
                    each.scope,
                    each.approved_by,
                    each.reason,
                    instant(each.cutoff),
                    count(each.at_most),
                    count(each.spent),
                )
                for each in tenant.approvals
            ],
        )
    if tenant.requests:
        columns = ("kind", "scope", "source", "requested", "done", "refused", "open", "late")
        yield _table(
            columns,
            [[str(getattr(each, column)) for column in columns] for each in tenant.requests],
        )


def _groups(groups: Sequence[ErasedGroup]) -> str:
    rows = [
        (
            group.scope,
            group.source,
            _rule(group),
            count(group.accounts),
            count(group.transactions),
            ", ".join(f"{count(number)} {entry}" for entry, number in group.rows.items()) or "–",
            count(group.objects),
            group.proof,
            count(group.late),
        )
        for group in groups
    ]
    return _table(
        (
            "scope",
            "source",
            "rule",
            "accounts",
            "transactions",
            "rows",
            "objects queued",
            "not too early",
            "overdue",
        ),
        rows,
    )


def _rule(group: ErasedGroup) -> str:
    if group.policy_digest is None:
        return "–"
    return f"{group.period or 'not known'} ({group.policy_digest[:12]})"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table with columns of equal width, so that it reads as text as well."""
    said = [
        [" ".join(clean(cell).split()).replace("|", "\\|") for cell in row]
        for row in (columns, *rows)
    ]
    widths = [max(len(row[place]) for row in said) for place in range(len(columns))]
    ruled = [said[0], ["-" * width for width in widths], *said[1:]]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in ruled
    )


def _line(text: str) -> None:
    sys.stdout.write(f"{clean(text)}\n\n")
