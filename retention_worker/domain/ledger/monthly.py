"""The report of a month: what was erased under which rule, not too early, and what stood beside."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from retention_worker.domain.document import in_json


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
    objects: int = field(metadata=in_json("objects_queued"))
    batches: int
    earliest: timedelta | None = field(metadata=in_json("earliest_seconds_after_due"))
    latest: timedelta | None = field(metadata=in_json("latest_seconds_after_due"))
    early: int = field(metadata=in_json("too_early"))
    late: int = field(metadata=in_json("overdue"))

    @property
    def proof(self) -> str:
        """The sentence that says whether something went too early."""
        if self.early:
            return f"{self.early} too early"
        if self.earliest is not None:
            return f"earliest: {_length(self.earliest)} after due"
        return "asked for" if self.policy_digest is None else "rule not known here"


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
class ApprovalOfMonth:
    """An approval: up to which activity, of how many accounts, and how many of them went."""

    scope: str
    cutoff: datetime
    at_most: int
    spent: int
    approved_by: str
    approved_at: datetime
    reason: str


@dataclass(frozen=True, kw_only=True)
class TenantMonth:
    """A tenant's part of the report; `approvals` as they are in the database."""

    tenant_id: str
    tenant: str
    erased: tuple[ErasedGroup, ...]
    objects_deleted: int
    holds: Mapping[str, int]
    approvals: tuple[ApprovalOfMonth, ...]
    requests: tuple[RequestGroup, ...]


@dataclass(frozen=True, kw_only=True)
class MonthReport:
    """From `start` to `end`; a month that is not over ends at the report's own time."""

    month: str
    start: datetime = field(metadata=in_json("from"))
    end: datetime = field(metadata=in_json("to"))
    over: bool
    tenants: tuple[TenantMonth, ...]

    @property
    def exit_code(self) -> int:
        """0, or 1 where something went too early, or a request is late."""
        early = any(group.early for tenant in self.tenants for group in tenant.erased)
        late = any(each.late for tenant in self.tenants for each in tenant.requests)
        return int(early or late)


def _length(length: timedelta) -> str:
    """Rounded down: never more than it was."""
    if length < timedelta(minutes=1):
        return "less than a minute"
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        number = int(length.total_seconds() // size)
        if number:
            return f"{number} {unit}{'' if number == 1 else 's'}"
    raise AssertionError("it is a minute or longer")
