"""The demo's own book: what was stored, who was active when, and what was seen to disappear.

It is kept from the rows that the demo itself puts into the database and never from anything that
the worker says, so that it can contradict the worker.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from retention_worker.demo.tenants import SampleTenant
from retention_worker.embedded.tables import TableRows

BIOMETRIC = "biometric"
OTHER = "other"
AUDIT = "audit screenshots"
# Kinds of credentials and of what is kept, by table; a kind's name is its name in the data map.
CREDENTIALS: Mapping[str, tuple[str, str]] = {
    "public.images": ("selfies and ID images", OTHER),
    "public.extracted_data": ("extracted fields", OTHER),
    "public.face_vectors": ("face vectors", BIOMETRIC),
    "public.face_templates": ("face templates", BIOMETRIC),
    "public.authentication_vectors": ("authentication vectors", BIOMETRIC),
}
RETAINED: Mapping[str, str] = {
    "public.transactions": "transactions",
    "public.verification_results": "verification results",
    "public.authentications": "authentications",
}
# What counts as activity, and the columns that say when; an image does unless it is of the audit.
_ACTIVITY = {
    "public.accounts": ("last_activity_at",),
    "public.transactions": ("created_at", "completed_at"),
    "public.images": ("created_at",),
    "public.authentications": ("created_at",),
}

Holdings = Mapping[UUID, tuple[int, int]]
"""Rows that the database holds now, by account: biometric, other."""


@dataclass(kw_only=True)
class KnownAccount:
    """An account: `held` are its credentials by class as they were last seen, `lost` what went."""

    tenant: str
    activity: datetime
    held: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)


@dataclass(kw_only=True)
class Book:
    """Everything that was put in, and every fault that was seen.

    `stored` counts rows by tenant and kind. `gone` counts accounts that were seen to lose their
    biometrics or other credentials; `faults` says what should not have gone, or not so.
    """

    tenants: Mapping[str, SampleTenant]
    accounts: dict[UUID, KnownAccount] = field(default_factory=dict)
    stored: Counter[tuple[str, str]] = field(default_factory=Counter)
    gone: int = 0
    faults: list[str] = field(default_factory=list)
    holds: set[UUID] = field(default_factory=set)
    _owner: dict[UUID, UUID] = field(default_factory=dict)

    def noting(self, parts: Iterable[TableRows]) -> Iterator[TableRows]:
        """Pass the rows on, and note them."""
        for part in parts:
            for row in part.rows:
                self._note(part.table, dict(zip(part.columns, row, strict=True)))
            yield part

    def see(self, holdings: Holdings, now: datetime) -> int:
        """Look at what the database holds after a sweep; how many accounts lost something.

        What is gone must have been due by the book, and gone altogether.
        """
        seen = 0
        for name, account in self.accounts.items():
            left = dict(zip((BIOMETRIC, OTHER), holdings.get(name, (0, 0)), strict=True))
            missing = [kind for kind, rows in left.items() if rows != account.held[kind]]
            for kind in missing:
                self._disappeared(name, account, kind, left[kind], now)
            seen += bool(missing)
        self.gone += seen
        return seen

    def _disappeared(
        self, name: UUID, account: KnownAccount, kind: str, left: int, now: datetime
    ) -> None:
        tenant = self.tenants[account.tenant]
        due = tenant.due(account.activity, biometric=kind == BIOMETRIC)
        if tenant.paused:
            self.faults.append(f"{name}: {tenant.name} is paused")
        elif name in self.holds:
            self.faults.append(f"{name}: it is on hold")
        elif due is None:
            self.faults.append(f"{name}: {tenant.name} keeps {kind} credentials for ever")
        elif now < due:
            self.faults.append(f"{name}: erased at {now}, due at {due}")
        if left:
            self.faults.append(f"{name}: {left} of {account.held[kind]} {kind} credentials left")
        account.lost[kind] += account.held[kind] - left
        account.held[kind] = left

    def _note(self, table: str, row: Mapping[str, Any]) -> None:
        if table == "public.tenants":
            return
        account = self._account(table, row)
        kind, group = self._kind(table, row)
        self.stored[account.tenant, kind] += 1
        if group is not None:
            account.held[group] += 1
        if kind == AUDIT or row.get("succeeded") is False:
            return
        for column in _ACTIVITY.get(table, ()):
            if row[column] is not None:
                account.activity = max(account.activity, row[column])

    def _account(self, table: str, row: Mapping[str, Any]) -> KnownAccount:
        if table == "public.accounts":
            self.accounts[row["id"]] = KnownAccount(
                tenant=row["tenant_id"], activity=row["last_activity_at"]
            )
            return self.accounts[row["id"]]
        if table == "public.transactions":
            self._owner[row["id"]] = row["account_id"]
        owner = row.get("account_id") or self._owner[row["transaction_id"]]
        return self.accounts[owner]

    def _kind(self, table: str, row: Mapping[str, Any]) -> tuple[str, str | None]:
        if row.get("kind") == "AUDIT":
            return AUDIT, None
        return CREDENTIALS.get(table) or (RETAINED.get(table, "accounts"), None)
