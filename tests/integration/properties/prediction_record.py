"""What should be there and what should go when: a plain record, from the documents alone.

It has its own calendar and its own idea of what is due, imports nothing of the product, and knows
no watermark, batch or deferral.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

BIOMETRICS, ALL = "biometrics", "all"
SCOPES = (BIOMETRICS, ALL)  # the order in which a tenant's lanes go
BIOMETRIC = frozenset({"face", "voice"})
ENTRIES = ("face", "voice", "images", "names")
MICROSECOND = timedelta(microseconds=1)
INFINITY, MINUS_INFINITY = "infinity", "-infinity"

When = datetime | str | None
"""A value of a time column: an instant, PostgreSQL's infinities, or NULL."""

# Later than every instant of a world: a time that never comes.
NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Period:
    """A period as its file writes it, and as it is counted: months first, then days."""

    text: str
    months: int = 0
    days: int = 0

    @property
    def spans(self) -> tuple[int, int]:
        """Days that it lasts at the least, and at the most (no more than roughly)."""
        return self.months * 28 + self.days, self.months * 31 + self.days

    def due(self, activity: datetime) -> datetime | None:
        """When what was last active then is due; None: after the end of the calendar.

        A month that is too short for the day ends with its last microsecond.
        """
        months = activity.year * 12 + activity.month - 1 + self.months
        year, month = months // 12, months % 12 + 1
        if year > 9999:
            return None
        length = calendar.monthrange(year, month)[1]
        if activity.day <= length:
            there = activity.replace(year=year, month=month)
        else:
            there = datetime.combine(date(year, month, length), time.max, tzinfo=UTC)
        room = (NEVER - there).days
        return there + timedelta(days=self.days) if self.days <= room else None

    def before(self, due: datetime) -> datetime:
        """An activity that is due about then: to begin a search for the edge with."""
        moved = due - timedelta(days=self.days)
        months = moved.year * 12 + moved.month - 1 - self.months
        year, month = months // 12, months % 12 + 1
        day = min(moved.day, calendar.monthrange(year, month)[1])
        return moved.replace(year=year, month=month, day=day)


@dataclass(frozen=True, kw_only=True)
class Policy:
    """A tenant's file."""

    tenant: str
    everything: Period | None = None
    biometrics: Period | None = None
    paused: bool = False

    def period(self, scope: str) -> Period | None:
        """The period of a scope; None: never."""
        return self.everything if scope == ALL else self.biometrics


@dataclass(frozen=True, kw_only=True)
class Row:
    """A credential: an entry of the data map, and the key that its row has."""

    entry: str
    key: int
    transaction: int | None = None
    made: When = None

    def is_in(self, scope: str) -> bool:
        """Whether an erasure of the scope takes it."""
        return scope == ALL or self.entry in BIOMETRIC


@dataclass(kw_only=True)
class Hold:
    """A legal hold; `end` None: until somebody releases it."""

    placed: datetime
    until: datetime | None
    released: datetime | None = None

    @property
    def end(self) -> datetime:
        """From when on it does not count any more."""
        return min(self.until or NEVER, self.released or NEVER)


@dataclass(kw_only=True)
class Account:
    """A person's account; `known` is evidence of activity that was erased meanwhile, by scope."""

    id: str
    tenant: str
    activity: When
    logins: list[When] = field(default_factory=list)
    transactions: dict[int, datetime] = field(default_factory=dict)
    rows: set[Row] = field(default_factory=set)
    holds: list[Hold] = field(default_factory=list)
    known: datetime | None = None

    def of(self, scope: str) -> set[Row]:
        """Its rows that the scope erases."""
        return {row for row in self.rows if row.is_in(scope)}

    def held(self, at: datetime) -> bool:
        """Whether a hold counts."""
        return any(hold.placed <= at < hold.end for hold in self.holds)

    def decides(self, scope: str) -> datetime | None:
        """The activity from which a period is counted; None: there is none to count from."""
        if not isinstance(self.activity, datetime):
            return None
        others = [*self.logins, *(row.made for row in self.rows)]
        seen = [self.known] if scope == ALL and self.known is not None else []
        return max([self.activity, *instants(others), *seen])

    def due(self, scope: str, policy: Policy | None) -> datetime | None:
        """When its credentials of a scope are due; None: never."""
        period = policy.period(scope) if policy else None
        at = self.decides(scope)
        return period.due(at) if period and at is not None else None

    def is_due(self, scope: str, policy: Policy | None, at: datetime) -> bool:
        """Whether it has credentials of the scope that are due, whatever keeps them back."""
        due = self.due(scope, policy)
        return due is not None and due <= at and bool(self.of(scope))

    def take(self, scope: str) -> set[Row]:
        """Erase it; what biometrics told of activity stays known to the lane that comes after."""
        gone = self.of(scope)
        made = list(instants(row.made for row in self.rows))
        if scope == ALL:
            self.known = None
        elif made and isinstance(self.activity, datetime) and max(made) > self.activity:
            self.known = max([*made, *([self.known] if self.known else [])])
        self.rows -= gone
        return gone


def instants(values: Iterator[When] | list[When]) -> Iterator[datetime]:
    """The values as instants: infinity never comes, minus infinity and NULL are none."""
    for value in values:
        if isinstance(value, datetime):
            yield value
        elif value == INFINITY:
            yield NEVER


@dataclass(frozen=True, kw_only=True)
class Erasure:
    """What went of one account: the activity that decided and the date that it gave."""

    account: str
    tenant: str
    scope: str
    at: datetime
    policy: Policy
    activity: datetime
    due: datetime
    rows: frozenset[Row]

    def late_from(self, holds: list[Hold]) -> datetime:
        """The later of the due date and the end of a hold that kept it back."""
        return max([self.due, *(hold.end for hold in holds if hold.end <= self.at)])


Lanes = dict[tuple[str, str], list[Erasure]]
"""What goes, by tenant and scope; a lane of which nothing goes has an empty list."""


@dataclass(kw_only=True)
class Record:
    """Accounts and policies, and everything that went."""

    accounts: dict[str, Account] = field(default_factory=dict)
    policies: dict[str, Policy] = field(default_factory=dict)
    erasures: list[Erasure] = field(default_factory=list)

    def of(self, tenant: str) -> list[Account]:
        """A tenant's accounts."""
        return [each for each in self.accounts.values() if each.tenant == tenant]

    def sweep(self, at: datetime) -> Lanes:
        """Let go what is due and nothing keeps back."""
        found: Lanes = {}
        for policy in self.policies.values():
            for scope in SCOPES:
                if policy.period(scope) is not None:
                    found[policy.tenant, scope] = list(self._lane(policy, scope, at))
        for lane in found.values():
            self.erasures += lane
        return found

    def _lane(self, policy: Policy, scope: str, at: datetime) -> Iterator[Erasure]:
        for account in self.of(policy.tenant) if not policy.paused else ():
            if not account.is_due(scope, policy, at) or account.held(at):
                continue
            activity, due = account.decides(scope), account.due(scope, policy)
            assert activity is not None
            assert due is not None
            yield Erasure(
                account=account.id,
                tenant=account.tenant,
                scope=scope,
                at=at,
                policy=policy,
                activity=activity,
                due=due,
                rows=frozenset(account.take(scope)),
            )

    def would_go(self, at: datetime, policies: Mapping[str, Policy] | None = None) -> Lanes:
        """What a sweep would take at another time, or under other policies.

        A paused tenant's lanes show what is due, each as if it were the only one.
        """
        found: Lanes = {}
        for policy in (policies or self.policies).values():
            for each in _running(policy):
                trial = deepcopy(self)
                trial.policies = {policy.tenant: each}
                found |= trial.sweep(at)
        return found


def _running(policy: Policy) -> Iterator[Policy]:
    if policy.paused:
        yield Policy(tenant=policy.tenant, biometrics=policy.biometrics)
        yield Policy(tenant=policy.tenant, everything=policy.everything)
    else:
        yield policy


def rows_of(lane: list[Erasure]) -> dict[str, int]:
    """How many rows go, by entry; entries of none are left out."""
    found = dict.fromkeys(ENTRIES, 0)
    for erasure in lane:
        for row in erasure.rows:
            found[row.entry] += 1
    return {entry: number for entry, number in found.items() if number}
