"""The numbers of a month, by tenant, scope, source and rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from retention_worker.domain.policy.period import Period
from retention_worker.store.connection.session import Session


class ReportGroup(NamedTuple):
    """What numbers are counted by."""

    tenant_id: str
    scope: str
    source: str
    policy_digest: str | None


class Month:
    """Reads from `start` up to, and without, `end`; of a tenant, or of all."""

    def __init__(
        self, session: Session, start: datetime, end: datetime, tenant: str | None
    ) -> None:
        self._session = session
        self._parameters = {"start": start, "end": end, "tenant": tenant}

    def erased(self) -> dict[ReportGroup, dict[str, Any]]:
        """Batches, accounts and objects."""
        return self._by_group("erased")

    def rows(self) -> dict[ReportGroup, dict[str, int]]:
        """Rows by entry."""
        found: dict[ReportGroup, dict[str, int]] = {}
        for row in self._rows("rows"):
            found.setdefault(_group(row), {})[row["entry"]] = row["number"]
        return found

    def objects(self) -> dict[str, int]:
        """Objects that were deleted, by tenant."""
        return {row["tenant_id"]: row["deleted"] for row in self._rows("objects")}

    def transactions(self) -> dict[ReportGroup, int]:
        """Transactions that were erased by themselves."""
        return {group: row["number"] for group, row in self._by_group("transactions").items()}

    def margins(
        self, rules: Mapping[tuple[str, str], Period], allowed: timedelta
    ) -> dict[ReportGroup, dict[str, int]]:
        """How long after the due date, in microseconds; `rules` by digest and scope."""
        keys = list(rules)
        return self._by_group(
            "margins",
            digests=[digest for digest, _ in keys],
            scopes=[scope for _, scope in keys],
            months=[rules[key].months for key in keys],
            days=[rules[key].days for key in keys],
            allowed=allowed // timedelta(microseconds=1),
        )

    def policies(self, digests: Sequence[str], tenants: Sequence[str]) -> list[dict[str, Any]]:
        """What was applied, by digest."""
        return self._rows("policies", digests=list(digests), tenants=list(tenants))

    def holds(self) -> dict[str, dict[str, int]]:
        """Placed, released and in force at the end, by tenant."""
        return {row.pop("tenant_id"): row for row in self._rows("holds")}

    def approvals(self) -> list[dict[str, Any]]:
        """Who let what go."""
        return self._rows("approvals")

    def requests(self) -> list[dict[str, Any]]:
        """Ad-hoc requests, by kind, scope and source."""
        return self._rows("requests")

    def _by_group(self, query: str, **more: Any) -> dict[ReportGroup, dict[str, Any]]:
        return {_group(row): row for row in self._rows(query, **more)}

    def _rows(self, query: str, **more: Any) -> list[dict[str, Any]]:
        return self._session.rows(f"ledger_report.{query}", self._parameters | more)


def _group(row: dict[str, Any]) -> ReportGroup:
    return ReportGroup(*(row.pop(name) for name in ReportGroup._fields))
