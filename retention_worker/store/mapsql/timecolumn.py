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

from retention_worker.domain.datamap.columns import TimeColumn
from retention_worker.domain.errors import DriftError
from retention_worker.store.catalog import Column, Table
from retention_worker.store.mapsql.wallclock import latest_local
from retention_worker.store.quoting import TRUE, column, listed, literal, type_of

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_INTEGERS = {"int4", "int8"}
# No float4: at today's numbers it counts in steps of two minutes.
_FRACTIONS = {"numeric", "float8"}
# The ends of what a timestamp holds, in seconds since the epoch, and for a date.
_FIRST_SECOND, _LAST_SECOND = -210_866_803_200, 9_224_318_015_999
_LAST_DATE = "294276-12-30"
_CLOCK_TYPES = {"timestamptz", "timestamp", "date"}


@dataclass(frozen=True, kw_only=True)
class TimeSql:
    """A time of a table: a column, or the greatest of several of one type."""

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
        return self.cast(SQL("%({})s::text").format(SQL(name)))

    def cast(self, text: Composable) -> Composable:
        """A text as a value to compare with; a bound may be more than an integer can hold."""
        if self.info.type_name in _INTEGERS:
            return SQL("{}::int8").format(text)
        return SQL("{}::{}").format(text, type_of(self.info))

    def finite(self, alias: str) -> Composable:
        """TRUE unless the value is -infinity, or a number before every timestamp.

        No period can be counted from those. Infinity and NaN sort after every bound, so that they
        are never due either.
        """
        if self.info.type_name == "int4":
            return TRUE
        if self.per_second is not None:
            return SQL("{} >= {}").format(
                self.expression(alias), literal(_FIRST_SECOND * self.per_second)
            )
        return SQL("{} > '-infinity'::{}").format(self.expression(alias), type_of(self.info))

    def instant(self, alias: str) -> Composable:
        """The value as timestamptz, for people and the ledger, never for a comparison."""
        return self.instant_of(self.expression(alias))

    def instant_of(self, value: Composable) -> Composable:
        """An expression of the column's type as timestamptz; a date counts as its day's end."""
        if self.per_second is not None:
            return self._instant_of_number(value, self.per_second)
        if self.info.type_name == "timestamptz":
            return value
        if self.info.type_name == "date":
            value = SQL(
                "(CASE WHEN {date} > {last} THEN 'infinity' ELSE ({date} + 1)::timestamp END)"
            ).format(date=value, last=SQL("{}::date").format(literal(_LAST_DATE)))
        return SQL("(({}) AT TIME ZONE {})").format(value, literal(self.zone))

    def _instant_of_number(self, value: Composable, per_second: int) -> Composable:
        """Numbers that no timestamp holds (a product's own `never`) are infinite, not an error."""
        return SQL(
            "(CASE WHEN {value} > {last} THEN 'infinity' WHEN {value} < {first} THEN '-infinity' "
            "ELSE to_timestamp(({value})::float8 / {per_second}) END)"
        ).format(
            value=value,
            first=literal(_FIRST_SECOND * per_second),
            last=literal(_LAST_SECOND * per_second),
            per_second=literal(per_second),
        )

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
