"""The command `policy schedule`: the retention schedule, for people, documents and scripts."""

from __future__ import annotations

import csv
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from retention_worker.cli.terminal.context import open_context, read_settings
from retention_worker.cli.terminal.options import AsJson
from retention_worker.cli.terminal.output import complain, print_json
from retention_worker.domain.scope import Scope

if TYPE_CHECKING:
    from retention_worker.service.policy.schedule import ScheduleLine

_COLUMNS = ("tenant", "what", "credentials", "period", "counted from", "since", "paused", "policy")
_WHAT = {Scope.ALL: "all credentials", Scope.BIOMETRICS: "biometrics only"}
# A spreadsheet takes a cell that starts so for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class ScheduleFormat(StrEnum):
    """How it is written."""

    MARKDOWN = "markdown"
    CSV = "csv"
    JSON = "json"


def schedule(
    form: Annotated[
        ScheduleFormat, typer.Option("--format", help="How it is written.")
    ] = ScheduleFormat.MARKDOWN,
    as_json: AsJson = False,
) -> None:
    """Print the retention schedule: every tenant, what is erased when, and since when that holds.

    Since when is read from the database; where none is set, it stays empty.
    """
    from retention_worker.service.policy.schedule import schedule as make_schedule

    settings = read_settings()
    if settings.database_url is None:
        found = make_schedule(settings, None)
    else:
        with open_context() as context:
            found = make_schedule(settings, context)
    if as_json or form is ScheduleFormat.JSON:
        print_json(found)
    else:
        rows = [_cells(line, found.counted_from) for line in found.lines]
        rows += [(tenant, *_INVALID) for tenant in found.broken]
        {ScheduleFormat.CSV: _csv, ScheduleFormat.MARKDOWN: _markdown}[form](rows)
    for problems in found.broken.values():
        for problem in problems:
            complain(problem)
    raise typer.Exit(1 if found.broken else 0)


_INVALID = ("everything", "", "not swept: the file is wrong", "", "", "", "")


def _cells(line: ScheduleLine, counted_from: str) -> tuple[str, ...]:
    return (
        line.tenant,
        _WHAT[line.scope],
        ", ".join(line.credentials),
        line.period or "never",
        counted_from if line.period else "",
        f"{line.since:%Y-%m-%d}" if line.since else "",
        "paused" if line.paused else "",
        line.digest[:12],
    )


def _markdown(rows: list[tuple[str, ...]]) -> None:
    """A table with columns of equal width, so that it reads as text as well."""
    escaped = [tuple(cell.replace("|", "\\|") for cell in row) for row in (_COLUMNS, *rows)]
    widths = [max(len(row[i]) for row in escaped) for i in range(len(_COLUMNS))]
    ruled = [escaped[0], tuple("-" * width for width in widths), *escaped[1:]]
    for row in ruled:
        line = " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        sys.stdout.write(f"| {line} |\n")


def _csv(rows: list[tuple[str, ...]]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for row in rows:
        writer.writerow(f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in row)
