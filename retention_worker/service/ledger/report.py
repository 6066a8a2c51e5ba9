"""Makes the report of a month from the ledger and what stands beside it, in one snapshot."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from retention_worker.configfiles.policies import load_policies
from retention_worker.domain.errors import ConfigurationError, UnknownSubject
from retention_worker.domain.ledger.monthly import (
    ApprovalOfMonth,
    ErasedGroup,
    MonthReport,
    RequestGroup,
    TenantMonth,
    month_of,
)
from retention_worker.domain.policy.period import Period
from retention_worker.domain.scope import Scope
from retention_worker.service.context import Context
from retention_worker.service.tenants import tenant_id_of
from retention_worker.store.ledger.ledger_report import Month, ReportGroup

_MOMENT = timedelta(microseconds=1)
_NO_HOLDS = {"placed": 0, "released": 0, "in_force": 0}
_NAMES = {Scope.ALL: "all_credentials", Scope.BIOMETRICS: "biometrics"}


def report(context: Context, month: str, *, tenant: str | None = None) -> MonthReport:
    """What was erased in a month (YYYY-MM, UTC), of a tenant or of all.

    Raises:
        ConfigurationError: the month is none, or has not begun.
        UnknownSubject: nobody knows the tenant.
    """
    try:
        start, end = month_of(month)
    except ValueError as exc:
        raise ConfigurationError(f"{month!r} is no month: {exc}") from exc
    now = context.clock()
    if start > now:
        raise ConfigurationError(f"{month} has not begun")
    files = load_policies(context.settings.config_dir, context.settings.bounds)
    tenant_id = tenant_id_of(files, tenant, single=False) if tenant is not None else None
    with context.reading() as session:
        # What was erased in this very microsecond is in it.
        numbers = Month(session, start, min(end, now + _MOMENT), tenant_id)
        tenants = _Tenants(numbers, context.settings.overdue_after).made()
    if tenant is not None and not tenants and tenant not in files.files.keys() | files.broken:
        raise UnknownSubject(
            f"nothing is known of a tenant {tenant!r}: it has no policy file, and nothing of it is "
            "in the ledger"
        )
    return MonthReport(
        month=month, start=start, end=min(end, now), over=end <= now, tenants=tenants
    )


class _Tenants:
    def __init__(self, month: Month, allowed: timedelta) -> None:
        self._erased = month.erased()
        self._rows = month.rows()
        self._objects = month.objects()
        self._transactions = month.transactions()
        self._holds = month.holds()
        self._approvals = month.approvals()
        self._requests = month.requests()
        digests = {group.policy_digest for group in self._erased if group.policy_digest}
        self._ids = sorted(
            {group.tenant_id for group in self._erased}
            | self._holds.keys()
            | self._objects.keys()
            | {row["tenant_id"] for row in (*self._approvals, *self._requests)}
        )
        policies = month.policies(sorted(digests), self._ids)
        self._names = {row["tenant_id"]: row["tenant"] for row in policies}
        self._rules = _rules(policies)
        self._margins = month.margins(self._rules, allowed)

    def made(self) -> tuple[TenantMonth, ...]:
        """The tenants that have something to report."""
        return tuple(self._tenant(tenant_id) for tenant_id in self._ids)

    def _tenant(self, tenant_id: str) -> TenantMonth:
        return TenantMonth(
            tenant_id=tenant_id,
            tenant=self._names.get(tenant_id, tenant_id),
            erased=tuple(
                self._group(group, row)
                for group, row in self._erased.items()
                if group.tenant_id == tenant_id
            ),
            objects_deleted=self._objects.get(tenant_id, 0),
            holds=self._holds.get(tenant_id, _NO_HOLDS),
            approvals=tuple(ApprovalOfMonth(**row) for row in _of(tenant_id, self._approvals)),
            requests=tuple(RequestGroup(**row) for row in _of(tenant_id, self._requests)),
        )

    def _group(self, group: ReportGroup, row: Mapping[str, Any]) -> ErasedGroup:
        rule = self._rules.get((group.policy_digest or "", group.scope))
        margin = self._margins.get(group, {})
        return ErasedGroup(
            scope=group.scope,
            source=group.source,
            policy_digest=group.policy_digest,
            period=str(rule) if rule else None,
            accounts=row["accounts"],
            transactions=self._transactions.get(group, 0),
            rows=self._rows.get(group, {}),
            objects=row["objects"],
            batches=row["batches"],
            earliest=_length(margin.get("earliest")),
            latest=_length(margin.get("latest")),
            early=margin.get("early", 0),
            late=margin.get("late", 0),
        )


def _of(tenant_id: str, rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """A tenant's rows, without the column that says whose they are."""
    for row in rows:
        if row["tenant_id"] == tenant_id:
            yield {name: value for name, value in row.items() if name != "tenant_id"}


def _rules(policies: list[dict[str, Any]]) -> dict[tuple[str, str], Period]:
    """The periods by digest and scope."""
    return {
        (row["digest"], scope): Period.parse(row["effective"][name])
        for row in policies
        for scope, name in _NAMES.items()
        if row["effective"][name] is not None
    }


def _length(microseconds: int | None) -> timedelta | None:
    return None if microseconds is None else timedelta(microseconds=microseconds)
