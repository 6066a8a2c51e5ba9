"""A time that somebody else's table holds, in whatever type, compared without losing the index.

The parameter is converted to the column's type, never the column to the parameter's, and always
to the safe side: a value at or below `bound(instant)` can't denote a time after the instant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from psycopg.sql import SQL, Composable

from retention_worker.domain.datamap import TimeColumn
from retention_worker.domain.errors import DriftError
from retention_worker.store.catalog import Column, Table
from retention_worker.store.mapsql.fragments import TRUE, column, constant, listed, type_of

__all__ = ["TimeSql", "latest_local", "time_sql"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_INTEGERS = {"int2", "int4", "int8"}
_FRACTIONS = {"numeric", "float4", "float8"}
_CLOCK_TYPES = {"timestamptz", "timestamp", "date"}


@dataclass(frozen=True, kw_only=True)
class TimeSql:
    """One time of a table: a column, or the greatest of several of one type."""

    columns: tuple[str, ...]
    info: Column
    per_second: int | None
    zone: str

    def expression(self, alias: str) -> Composable:
        """The value in the column's own type; NULL only where all columns are NULL."""
        parts = [column(alias, name) for name in self.columns]
        return parts[0] if len(parts) == 1 else SQL("GREATEST({})").format(listed(parts))

    def parameter(self, name: str) -> Composable:
        """A text parameter, cast to the column's type."""
        return SQL("%({})s::text::{}").format(SQL(name), type_of(self.info))

    def finite(self, alias: str) -> Composable:
        """TRUE unless the value is -infinity, which no period can be counted from.

        Infinity and NaN sort after every bound, so that they are never due either.
        """
        if self.info.type_name in _INTEGERS:
            return TRUE
        return SQL("{} > '-infinity'::{}").format(self.expression(alias), type_of(self.info))

    def instant(self, alias: str) -> Composable:
        """The value as timestamptz, for people and the ledger, never for a comparison."""
        return self.instant_of(self.expression(alias))

    def instant_of(self, value: Composable) -> Composable:
        """An expression of the column's type as timestamptz; a date counts as its day's end."""
        if self.per_second is not None:
            return SQL("to_timestamp(({})::float8 / {})").format(value, constant(self.per_second))
        if self.info.type_name == "timestamptz":
            return value
        local = SQL("({} + 1)::timestamp" if self.info.type_name == "date" else "({})").format(
            value
        )
        return SQL("({} AT TIME ZONE {})").format(local, constant(self.zone))

    def bound(self, instant: datetime) -> str:
        """The largest value of the column's type that can't denote a time after `instant`."""
        if self.per_second is not None:
            return self._epoch(instant)
        if self.info.type_name == "timestamptz":
            return instant.astimezone(UTC).isoformat(sep=" ")
        local = latest_local(instant, ZoneInfo(self.zone))
        if self.info.type_name == "timestamp":
            return local.isoformat(sep=" ")
        return (local.date() - timedelta(days=1)).isoformat()

    def _epoch(self, instant: datetime) -> str:
        assert self.per_second is not None
        microseconds = (instant - _EPOCH) // _MICROSECOND
        if self.info.type_name in _INTEGERS:
            return str(microseconds * self.per_second // 1_000_000)
        return str(Decimal(microseconds) * self.per_second / 1_000_000)


def latest_local(instant: datetime, zone: ZoneInfo) -> datetime:
    """The latest wall-clock time (naive) of which no reading lies after `instant`.

    In the hour that a zone runs through twice, a wall-clock time stands for two instants; while
    the first is running, the second may be what a row means, so the answer stays before that hour.
    """
    local = instant.astimezone(zone)
    if local.fold == 0 and local.utcoffset() != local.replace(fold=1).utcoffset():
        before, after = local.utcoffset(), local.replace(fold=1).utcoffset()
        assert before is not None
        assert after is not None
        if before > after:
            return _start_of_repeated(instant, zone, before, after) - _MICROSECOND
    return local.replace(tzinfo=None, fold=0)


def _start_of_repeated(
    instant: datetime, zone: ZoneInfo, before: timedelta, after: timedelta
) -> datetime:
    """The wall-clock time at which the repeated stretch begins, found by halving."""
    low, high = instant, instant + (before - after)  # the change lies in (low, high]
    while high - low > _MICROSECOND:
        middle = low + (high - low) // 2
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high.astimezone(zone).replace(tzinfo=None, fold=0)


def time_sql(table: Table, columns: Sequence[TimeColumn], key: str) -> TimeSql:
    """The SQL of a time of `table`.

    Args:
        table: where the columns are.
        columns: one, or several of which the latest counts.
        key: what the data map calls it, for the message.

    Raises:
        DriftError: a column is missing, or its type is no time, or several differ.
    """
    infos = [table.column(each.column) for each in columns]
    kinds = {
        (info.type_name, each.unit, each.time_zone)
        for info, each in zip(infos, columns, strict=True)
    }
    if len(kinds) > 1:
        raise DriftError(
            f"config/datamap.yaml: {key}: the columns of {table.name} differ in type, unit or "
            "time zone: GREATEST needs one kind"
        )
    info, first = infos[0], columns[0]
    numeric = info.type_name in _INTEGERS | _FRACTIONS
    if numeric != (first.unit is not None) or not (numeric or info.type_name in _CLOCK_TYPES):
        raise DriftError(
            f"config/datamap.yaml: {key}: {table.name}.{first.column} has type {info.type_name}: "
            "a timestamptz, timestamp or date takes no unit, a number takes "
            "{column: ..., unit: s|ms|us}"
        )
    return TimeSql(
        columns=tuple(each.column for each in columns),
        info=info,
        per_second=first.unit.per_second if first.unit else None,
        zone=first.time_zone or "UTC",
    )
