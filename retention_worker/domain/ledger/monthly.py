"""The report of a month: what was erased under which rule, not too early, and what stood beside."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from retention_worker.domain.ledger.chain import stamp


def month_of(text: str) -> tuple[datetime, datetime]:
    """The first moment of a month, and of the next one, in UTC.

    Raises:
        ValueError: it is not written YYYY-MM.
    """
    if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", text) or text < "0001" or text >= "9999-12":
        raise ValueError("write a month as YYYY-MM, like 2026-05")
    start = datetime.fromisoformat(f"{text}-01").replace(tzinfo=UTC)
    return start, (start + timedelta(days=31)).replace(day=1)


@dataclass(frozen=True, kw_only=True)
class ErasedGroup:
    """What was erased in one scope from one source under one rule.

    `period` in words, None where no period applied (a request) or the policy is not known (then
    `policy_digest` is there). `earliest` and `latest`: how long after the due date the first and
    the last one went, None where no due date is known. `early`, `late`: how many before the due
    date, and how many later after it than allowed.
    """

    scope: str
    source: str
    policy_digest: str | None
    period: str | None
    accounts: int
    transactions: int
    rows: Mapping[str, int]
    objects: int
    batches: int
    earliest: timedelta | None
    latest: timedelta | None
    early: int
    late: int

    @property
    def proof(self) -> str:
        """The sentence that says whether something went too early."""
        if self.early:
            return f"{self.early} too early"
        if self.earliest is not None:
            return f"earliest: {_length(self.earliest)} after due"
        return "asked for" if self.policy_digest is None else "rule not known here"

    def to_json(self) -> dict[str, Any]:
        """The group as `report --json` prints it."""
        return {
            "scope": self.scope,
            "source": self.source,
            "policy_digest": self.policy_digest,
            "period": self.period,
            "accounts": self.accounts,
            "transactions": self.transactions,
            "rows": dict(self.rows),
            "objects_queued": self.objects,
            "batches": self.batches,
            "earliest_seconds_after_due": _seconds(self.earliest),
            "latest_seconds_after_due": _seconds(self.latest),
            "too_early": self.early,
            "overdue": self.late,
        }


@dataclass(frozen=True, kw_only=True)
class RequestGroup:
    """Ad-hoc requests of one kind; `late`: after the day by which they were due, or still open."""

    kind: str
    scope: str
    source: str
    requested: int
    done: int
    refused: int
    open: int
    late: int


@dataclass(frozen=True, kw_only=True)
class TenantMonth:
    """A tenant's part of the report; `approvals` as they are in the database."""

    tenant_id: str
    tenant: str
    erased: tuple[ErasedGroup, ...]
    objects_deleted: int
    holds: Mapping[str, int]
    approvals: tuple[Mapping[str, Any], ...]
    requests: tuple[RequestGroup, ...]

    def to_json(self) -> dict[str, Any]:
        """The tenant as `report --json` prints it."""
        return {
            "tenant_id": self.tenant_id,
            "tenant": self.tenant,
            "erased": [group.to_json() for group in self.erased],
            "objects_deleted": self.objects_deleted,
            "holds": dict(self.holds),
            "approvals": [
                {
                    "scope": each["scope"],
                    "cutoff": stamp(each["cutoff"]),
                    "at_most": each["at_most"],
                    "spent": each["spent"],
                    "approved_by": each["approved_by"],
                    "approved_at": stamp(each["approved_at"]),
                    "reason": each["reason"],
                }
                for each in self.approvals
            ],
            "requests": [vars(each) for each in self.requests],
        }


@dataclass(frozen=True, kw_only=True)
class MonthReport:
    """From `start` to `end`; a month that is not over ends at the report's own time."""

    month: str
    start: datetime
    end: datetime
    over: bool
    tenants: tuple[TenantMonth, ...]

    @property
    def exit_code(self) -> int:
        """0, or 1 where something went too early, or a request is late."""
        early = any(group.early for tenant in self.tenants for group in tenant.erased)
        late = any(each.late for tenant in self.tenants for each in tenant.requests)
        return int(early or late)

    def to_json(self) -> dict[str, Any]:
        """The report as `report --json` prints it."""
        return {
            "month": self.month,
            "from": stamp(self.start),
            "to": stamp(self.end),
            "over": self.over,
            "tenants": [tenant.to_json() for tenant in self.tenants],
        }


def _seconds(length: timedelta | None) -> float | None:
    return None if length is None else length.total_seconds()


def _length(length: timedelta) -> str:
    """Rounded down: never more than it was."""
    if length < timedelta(minutes=1):
        return "less than a minute"
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        number = int(length.total_seconds() // size)
        if number:
            return f"{number} {unit}{'' if number == 1 else 's'}"
    raise AssertionError("it is a minute or longer")
