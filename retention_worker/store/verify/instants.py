"""A time of somebody else's table as an instant, whatever the type of its column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import LiteralString

from psycopg.sql import SQL, Composable

from retention_worker.domain.datamap import TimeColumn
from retention_worker.domain.errors import DriftError
from retention_worker.store.catalog import Table
from retention_worker.store.verify.names import Quote, column, joined, parameter_safe

__all__ = ["instant"]

_NUMBERS = {"int2", "int4", "int8", "numeric", "float4", "float8"}
# The last second of the year 9999: what lies beyond is no time that anybody meant.
_LAST_SECOND = 253_402_300_799


def instant(
    info: Table,
    times: Sequence[TimeColumn],
    alias: LiteralString,
    quote: Quote = parameter_safe,
) -> Composable:
    """The latest of the columns as timestamptz; NULL only where all are NULL.

    A date counts as its day's end. A number that is no time counts as infinite.

    Raises:
        DriftError: a column is missing or its type is no time.
    """
    parts = [_single(info, time, alias, quote) for time in times]
    return parts[0] if len(parts) == 1 else SQL("GREATEST({})").format(joined(parts))


def _single(info: Table, time: TimeColumn, alias: LiteralString, quote: Quote) -> Composable:
    kind = info.column(time.column).type_name
    value = column(alias, time.column)
    zone = quote(time.time_zone or "UTC")
    if time.unit is not None and kind in _NUMBERS:
        return _epoch(value, time.unit.per_second)
    if time.unit is None and kind == "timestamptz":
        return value
    if time.unit is None and kind == "timestamp":
        return SQL("({} AT TIME ZONE {})").format(value, zone)
    if time.unit is None and kind == "date":
        return SQL("(({} + 1)::timestamp AT TIME ZONE {})").format(value, zone)
    raise DriftError(
        f"config/datamap.yaml: {info.name}.{time.column} has type {kind}, which is no time as it "
        "is mapped: a number takes {column: ..., unit: s|ms|us}"
    )


def _epoch(value: Composable, per_second: int) -> Composable:
    """Exact to the microsecond; NaN and infinity sort last in PostgreSQL."""
    return SQL(
        "CASE WHEN {value} > {last} THEN 'infinity'::timestamptz "
        "WHEN {value} < -{last} THEN '-infinity'::timestamptz "
        "ELSE to_timestamp(0) + floor({value}::numeric * {micro}) * interval '1 microsecond' END"
    ).format(
        value=value,
        last=SQL(str(_LAST_SECOND * per_second)),
        micro=SQL(str(1_000_000 // per_second)),
    )
