"""A time of somebody else's table as an instant, whatever the type of its column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import LiteralString

from psycopg.sql import SQL, Composable

from retention_worker.domain.datamap.columns import TimeColumn
from retention_worker.domain.errors import DriftError
from retention_worker.store.catalog import Table
from retention_worker.store.quoting import column, listed, literal

_FLOATS = {"float4", "float8"}
_NUMBERS = {"int2", "int4", "int8", "numeric", *_FLOATS}
# Numbers that no timestamp can hold are a product's own words for never. Of the others, what
# lies before year 1 is as old as can be, and nobody meant what lies after year 9999.
_LOWEST_SECOND = -210_866_803_200
_FIRST_SECOND = -62_135_596_800
_LAST_SECOND = 253_402_300_799


def instant(info: Table, times: Sequence[TimeColumn], alias: LiteralString) -> Composable:
    """The latest of the columns as timestamptz; NULL only where all are NULL.

    A date counts as its day's end, a part of a microsecond as a whole one. What lies beyond the
    year 9999, or is no number, counts as infinite.

    Raises:
        DriftError: a column is missing or its type is no time.
    """
    parts = [_single(info, time, alias) for time in times]
    return parts[0] if len(parts) == 1 else SQL("GREATEST({})").format(listed(parts))


def _single(info: Table, time: TimeColumn, alias: LiteralString) -> Composable:
    kind = info.column(time.column).type_name
    value = column(alias, time.column)
    if time.unit is not None and kind in _NUMBERS:
        wide = SQL("{}::float8" if kind in _FLOATS else "{}::numeric").format(value)
        return _epoch(wide, time.unit.per_second)
    if time.unit is None and kind == "timestamptz":
        return value
    if time.unit is None and kind in ("timestamp", "date"):
        day = "({} + 1)::timestamp" if kind == "date" else "{}"
        local = SQL(day).format(value)
        return SQL(
            "CASE WHEN {value} > '9999-12-30' THEN 'infinity'::timestamptz "
            "WHEN {value} = '-infinity' THEN '-infinity'::timestamptz "
            "WHEN {value} < '0001-01-02' THEN '0001-01-01 00:00:00+00'::timestamptz "
            "ELSE {local} AT TIME ZONE {zone} END"
        ).format(value=value, local=local, zone=literal(time.time_zone or "UTC"))
    raise DriftError(
        f"config/datamap.yaml: {info.name}.{time.column} has type {kind}, which is no time as it "
        "is mapped: a number takes {column: ..., unit: s|ms|us}"
    )


def _epoch(value: Composable, per_second: int) -> Composable:
    """NaN and infinity sort last in PostgreSQL."""
    return SQL(
        "CASE WHEN {value} > {last} THEN 'infinity'::timestamptz "
        "WHEN {value} < {lowest} THEN '-infinity'::timestamptz "
        "WHEN {value} < {first} THEN '0001-01-01 00:00:00+00'::timestamptz "
        "ELSE to_timestamp(0) + ceil({value} * {micro}) * interval '1 microsecond' END"
    ).format(
        value=value,
        lowest=SQL(str(_LOWEST_SECOND * per_second)),
        first=SQL(str(_FIRST_SECOND * per_second)),
        last=SQL(str(_LAST_SECOND * per_second)),
        micro=SQL(str(1_000_000 // per_second)),
    )
