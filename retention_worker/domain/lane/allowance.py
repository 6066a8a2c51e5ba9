"""How many accounts may go without a person: an allowance that refills with the natural flow.

Accounts of a tenant that lives steadily become due at about live accounts / period. An allowance
that refills at three times that flow lets every ordinary day pass, and after an outage the backlog
of it; a mistake makes accounts due faster than that, empties it, and waits for a person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

# Three times the natural flow: a tenant's accounts come in waves, and a backlog has to heal.
_FLOW_FACTOR = 3
# Four days of refill are twelve of natural flow: a long weekend's outage heals without a person.
_DAYS_KEPT = 4
_DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Allowance:
    """A number of accounts that may go, as it was at an instant."""

    accounts: float
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Flow:
    """A lane's live accounts (active after its watermark) and the days of its period."""

    live: int
    days: int


def capacity(flows: Sequence[Flow], percent: int, minimum: int) -> float:
    """The most that an allowance over these lanes holds, in accounts.

    The largest of a minimum, a percentage of the live accounts, and four days' refill; never over
    half of the live accounts, where those exceed the minimum.
    """
    live = sum(flow.live for flow in flows)
    most = max(minimum, live * percent / 100, _per_day(flows) * _DAYS_KEPT)
    return min(most, live / 2) if live > minimum else most


def refilled(
    known: Allowance | None,
    flows: Sequence[Flow],
    *,
    percent: int,
    minimum: int,
    now: datetime,
    waits: bool,
) -> Allowance:
    """The allowance at `now`: full at first, then refilling, but not while the lane waits."""
    most = capacity(flows, percent, minimum)
    if known is None:
        return Allowance(accounts=most, at=now)
    days = 0.0 if waits else max(0.0, (now - known.at) / _DAY)
    return Allowance(accounts=min(most, known.accounts + _per_day(flows) * days), at=now)


def _per_day(flows: Sequence[Flow]) -> float:
    return _FLOW_FACTOR * sum(flow.live / flow.days for flow in flows)
