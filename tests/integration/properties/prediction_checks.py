"""Every prediction and every proof of a play, held against its record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from retention_worker.domain.errors import UnknownSubject
from retention_worker.domain.explain.explanation import Explanation, LaneExplained
from retention_worker.domain.explain.forecast import Forecast, LaneForecast
from retention_worker.domain.ledger.monthly import ErasedGroup, MonthReport, TenantMonth
from retention_worker.domain.ledger.receipt import read, text_of
from retention_worker.domain.ledger.verification import LaneLeft, Verification
from retention_worker.service import ledger
from retention_worker.service.explain import explain
from retention_worker.service.ledger import report
from retention_worker.service.plan import forecast
from retention_worker.service.verify import verify
from tests.integration.properties.prediction_play import Counts, Play, without_zeros
from tests.integration.properties.prediction_record import (
    ALL,
    BIOMETRIC,
    MICROSECOND,
    MINUS_INFINITY,
    NEVER,
    SCOPES,
    Account,
    Erasure,
    instants,
    rows_of,
)

ALLOWED = timedelta(hours=24)
SKEW = timedelta(seconds=60)
# The earliest time that `verify` prints.
FIRST = datetime(1, 1, 2, tzinfo=UTC)


# --- explain ---------------------------------------------------------------------------------


@dataclass
class Promises:
    """When `explain` said that each credential goes; None: not by itself."""

    goes: dict[tuple[str, str], datetime | None] = field(default_factory=dict)

    def kept(self, gone: list[Erasure], after: datetime, now: datetime) -> None:
        """What went in a sweep is what was promised for the time since the sweep before."""
        for erasure in gone:
            for entry in {row.entry for row in erasure.rows}:
                at = self.goes.pop((erasure.account, entry))
                assert at is not None, (erasure.account, entry, now)
                assert after < at <= now, (erasure.account, entry, at, now)

    def left(self, now: datetime) -> None:
        """Nothing that was promised by now is still there."""
        late = {key: at for key, at in self.goes.items() if at is not None and at <= now}
        assert not late, now


def explain_all(play: Play) -> Promises:
    """What is said of every account: as the record has it now; and when its credentials go."""
    promises = Promises()
    for account in play.record.accounts.values():
        told = explain.explain(play.worker, account.id, tenant=account.tenant)
        _compare_explained(play, account, told)
        for entry in told.entries:
            if entry.entry.rows:
                due = entry.lane.due_at if entry.lane else None
                promises.goes[account.id, entry.entry.name] = _goes(play, account, due, entry.state)
    return promises


def _goes(play: Play, account: Account, due: datetime | None, state: str) -> datetime | None:
    """The first instant at which a sweep may take it, by the product's date and by its state."""
    if due is None or state not in {"not_due", "due", "on_hold"}:
        return None
    ends = [hold.end for hold in account.holds if hold.placed <= play.clock.now < hold.end]
    at = max([due, *ends])
    return at if at < NEVER and not play.record.policies[account.tenant].paused else None


def _compare_explained(play: Play, account: Account, told: Explanation) -> None:
    assert [str(lane.scope) for lane in told.lanes] == list(SCOPES)
    for lane in told.lanes:
        _compare_lane(play, account, lane)
    for entry in told.entries:
        _compare_entry(play, account, entry.entry.name, entry.entry.rows, str(entry.state))
    said = Counter((str(each.scope), each.erased_at) for each in told.erasures)
    assert said == Counter((e.scope, e.at) for e in _erased(play, account)), account


def _compare_lane(play: Play, account: Account, lane: LaneExplained) -> None:
    policy, now, scope = play.record.policies.get(account.tenant), play.clock.now, str(lane.scope)
    due = account.due(scope, policy)
    assert (lane.rows, lane.state) == (len(account.of(scope)), _state(play, account, scope)), (
        account
    )
    assert lane.due == account.is_due(scope, policy, now), account
    if lane.rows:  # where nothing is there, no date matters
        assert lane.due_at == due, account
    if lane.rows and due is not None:
        assert lane.activity is not None, account
        assert lane.activity.at == account.decides(scope), account
    late = due is not None and now - due > ALLOWED
    assert lane.overdue == (late and lane.state == "due"), account


def _compare_entry(play: Play, account: Account, name: str, rows: int, state: str) -> None:
    assert rows == sum(row.entry == name for row in account.rows), account
    scopes = [scope for scope in SCOPES if scope == ALL or name in BIOMETRIC]
    if rows:
        assert state in {_state(play, account, scope) for scope in scopes}, account
        return
    erased = [each for each in _erased(play, account) if each.scope in scopes]
    went = any(row.entry == name for each in erased for row in each.rows)
    # A batch of several accounts does not say whose the rows of an entry were.
    unknown = went and not play.alone
    assert state in ({"erased", "nothing"} if unknown else {"erased" if went else "nothing"}), (
        account,
        name,
    )


def _erased(play: Play, account: Account) -> list[Erasure]:
    return [each for each in play.record.erasures if each.account == account.id]


def _state(play: Play, account: Account, scope: str) -> str:
    """What holds for a scope, the weightiest first."""
    policy, now = play.record.policies.get(account.tenant), play.clock.now
    judged = (
        (not account.of(scope), "nothing"),
        (policy is None, "no_policy"),
        (policy is not None and policy.period(scope) is None, "never"),
        (account.due(scope, policy) is None, "no_activity"),
        (account.held(now), "on_hold"),
        (policy is not None and policy.paused, "paused"),
        (account.is_due(scope, policy, now), "due"),
    )
    return next((state for holds, state in judged if holds), "not_due")


# --- forecast --------------------------------------------------------------------------------


@dataclass(kw_only=True)
class Outlook:
    """A forecast, the lanes of which sweeps must do exactly that, and what they have done."""

    said: Forecast
    exact: set[tuple[str, str]]
    now: Counter[tuple[str, str]] = field(default_factory=Counter)
    days: dict[tuple[str, str], Counter[date]] = field(default_factory=dict)

    def note(self, did: Counts, at: datetime) -> None:
        """A sweep took so many accounts."""
        for key, (accounts, _) in did.items():
            if at == self.said.at:
                self.now[key] += accounts
            elif accounts:
                self.days.setdefault(key, Counter())[at.date()] += accounts

    def compare(self, ends: list[date]) -> None:
        """No more went by the end of any day than was forecast; in plain lanes exactly that."""
        for lane in self.said.lanes:
            key = (lane.tenant, str(lane.scope))
            did = self.days.get(key, Counter())
            for day in ends:
                most, went = _until(lane.days, day), _until(did, day)
                assert self.now[key] + went <= lane.now + most, (lane, day)
            if key in self.exact:
                days = {day: number for day, number in lane.days.items() if day in ends}
                assert (lane.now, days) == (self.now[key], dict(did)), lane


def _until(days: Mapping[date, int], last: date) -> int:
    return sum(number for day, number in days.items() if day <= last)


def forecast_all(play: Play, days: int) -> Outlook:
    """The forecast; of lanes that were never swept it is known to the account."""
    told = forecast.forecast(play.worker, days=days)
    policies = play.record.policies
    wanted = {(p.tenant, s): p.paused for p in policies.values() for s in SCOPES if p.period(s)}
    assert {(lane.tenant, str(lane.scope)): lane.paused for lane in told.lanes} == wanted
    for lane in told.lanes:
        if not play.seen.get((lane.tenant, str(lane.scope))):
            _compare_fresh(play, lane)
    exact = {key for key, paused in wanted.items() if not paused and _is_plain(play, *key)}
    return Outlook(said=told, exact=exact)


def _compare_fresh(play: Play, lane: LaneForecast) -> None:
    """Accounts by the day on which they are due by their own activity, and nothing else."""
    now, found, days = play.clock.now, 0, Counter[date]()
    period = play.record.policies[lane.tenant].period(str(lane.scope))
    assert period is not None
    for account in play.record.of(lane.tenant):
        at = account.activity
        due = period.due(at) if isinstance(at, datetime) else None
        if due is not None and due <= now:
            found += 1
        elif due is not None:
            days[due.date()] += 1
    last = max(lane.days, default=now.date())
    assert lane.now == found, lane
    assert dict(lane.days) == {day: n for day, n in days.items() if day <= last}, lane


def _is_plain(play: Play, tenant: str, scope: str) -> bool:
    """Whether nothing makes what goes fewer or later than what the forecast can see."""
    seen = play.seen.get((tenant, scope), set())
    return all(
        _is_foreseen(play, account, scope, passed=account.id in seen)
        for account in play.record.of(tenant)
    )


def _is_foreseen(play: Play, account: Account, scope: str, *, passed: bool) -> bool:
    policy = play.record.policies[account.tenant]
    if account.id in play.odd:
        return False
    if not account.of(scope):
        return passed or not isinstance(account.activity, datetime)
    if scope == ALL and policy.biometrics and account.of(scope) == account.of("biometrics"):
        return False  # the lane of biometrics leaves nothing of it: the forecast is an upper bound
    held, due = account.held(play.clock.now), account.due(scope, policy)
    if not passed:
        return not held and account.decides(scope) in {account.activity, None}
    ends = max((hold.end for hold in account.holds), default=NEVER)
    return not held or due is None or due <= ends


# --- verify ----------------------------------------------------------------------------------

Observed = tuple[str, str | None, bool]
"""A check, the tenant that it is about, and whether it is wrong."""


def verify_all(play: Play) -> Verification:
    """Exactly what the record has to say is said."""
    told = verify(play.worker)
    lanes = {(lane.tenant, str(lane.scope)): lane for lane in told.lanes}
    for policy in play.record.policies.values():
        for scope in SCOPES if play.record.of(policy.tenant) else ():
            _compare_left(play, policy.tenant, scope, lanes.pop((policy.tenant, scope), None))
    assert lanes == {}
    wanted, said = Counter[Observed](), Counter[Observed]()
    for key, number in _observed(play):
        if number or key[0] == "no-account":
            wanted[key] += number
    for each in told.observations:
        said[each.check, each.tenant, each.wrong] += each.count
    assert said == wanted, told.to_json()
    assert told.accounts == len(play.record.accounts)
    return told


def _left(play: Play, tenant: str, scope: str) -> Iterator[tuple[str, Account]]:
    """Accounts with credentials past their due date by a day, and what keeps each back."""
    since = play.clock.now - ALLOWED
    policy = play.record.policies[tenant]
    period = policy.period(scope)
    for account in play.record.of(tenant) if period else ():
        at = account.activity
        due = period.due(at) if period and isinstance(at, datetime) else None
        if due is None or due > since or not account.of(scope):
            continue
        decided = account.due(scope, policy)
        if any(hold.end > since for hold in account.holds):
            yield "on_hold", account
        elif decided is None or decided > since:
            yield "deferred", account
        else:
            yield "paused" if policy.paused else "overdue", account


def _compare_left(play: Play, tenant: str, scope: str, said: LaneLeft | None) -> None:
    found = list(_left(play, tenant, scope))
    numbers = Counter(why for why, _ in found)
    if said is None:
        assert not numbers, (tenant, scope)
        return
    names = ("overdue", "paused", "waiting", "on_hold", "deferred")
    assert {name: getattr(said, name) for name in names} == {n: numbers[n] for n in names}
    late = [account.activity for why, account in found if why in {"overdue", "paused"}]
    period = play.record.policies[tenant].period(scope)
    assert period is not None
    oldest = min((max(at, FIRST) for at in late if isinstance(at, datetime)), default=None)
    assert said.oldest == (period.due(oldest) if oldest else None), (tenant, scope)


def _observed(play: Play) -> Iterator[tuple[Observed, int]]:
    """What is worth saying, and of how many."""
    record, ahead = play.record, play.clock.now + SKEW
    for tenant in {account.tenant for account in record.accounts.values()}:
        people = record.of(tenant)
        for value in (None, MINUS_INFINITY):
            number = sum(account.activity == value for account in people)
            yield ("no-activity", tenant, number == len(people)), number
        later = [at for each in people for at in instants([each.activity]) if at > ahead]
        yield ("future", tenant, True), len(later)
        if tenant not in record.policies:
            yield ("no-policy", tenant, False), len(people)
    for tenant in record.policies:
        if not record.of(tenant):
            yield ("no-account", tenant, True), 0
        for scope in SCOPES:
            late = sum(why == "overdue" for why, _ in _left(play, tenant, scope))
            yield ("overdue", tenant, True), late
    rows = [row for account in record.accounts.values() for row in account.rows]
    made = sum(at > ahead for at in instants(row.made for row in rows))
    yield ("future", None, True), made


# --- report and receipts ---------------------------------------------------------------------


def report_all(play: Play, first: datetime) -> None:
    """Every month of the play: what the record says was erased in it, and how late."""
    month, last = first.replace(day=1, hour=0, minute=0, second=0, microsecond=0), play.clock.now
    found = [each.at for each in play.record.erasures]
    while month <= last:
        after = (month + timedelta(days=31)).replace(day=1)
        if any(month <= at < after for at in found) or after > last or month < first:
            _compare_month(play, report.report(play.worker, f"{month:%Y-%m}"), month, after)
        month = after


def _compare_month(play: Play, told: MonthReport, month: datetime, after: datetime) -> None:
    now = play.clock.now
    assert (told.start, told.end, told.over) == (month, min(after, now), after <= now)
    assert told.exit_code == 0
    erased = [each for each in play.record.erasures if month <= each.at < after]
    tenants = {tenant.tenant: tenant for tenant in told.tenants}
    for name in {each.tenant for each in erased} | tenants.keys():
        mine = [each for each in erased if each.tenant == name]
        _compare_tenant(play, tenants[name], mine)
        _compare_holds(play, tenants[name], month, told.end)


def _compare_tenant(play: Play, told: TenantMonth, erased: list[Erasure]) -> None:
    for scope in SCOPES:
        groups = [group for group in told.erased if group.scope == scope]
        mine = [each for each in erased if each.scope == scope]
        assert sum(group.accounts for group in groups) == len(mine), scope
        rows: Counter[str] = Counter()
        for group in groups:
            rows.update(group.rows)
            _compare_group(play, group, mine)
        assert without_zeros(rows) == rows_of(mine), scope


def _compare_holds(play: Play, told: TenantMonth, month: datetime, end: datetime) -> None:
    """Placed and released in the month, and in force at its end."""
    last = end if end < play.clock.now else end + MICROSECOND
    found = [hold for each in play.record.of(told.tenant) for hold in each.holds]
    assert dict(told.holds) == {
        "placed": sum(month <= hold.placed < last for hold in found),
        "released": sum(month <= (hold.released or NEVER) < last for hold in found),
        "in_force": sum(hold.placed < last < hold.end for hold in found),
    }


def _compare_group(play: Play, group: ErasedGroup, erased: list[Erasure]) -> None:
    """Under one policy: how long after the due date the first and the last one went."""
    mine = [each for each in erased if play.digests[group.policy_digest or ""] == each.policy]
    late = [each.at - each.due for each in mine]
    assert (group.accounts, group.source, group.early) == (len(mine), "sweep", 0)
    assert (group.earliest, group.latest) == (min(late), max(late)), (group, mine)
    holds = {each.account: play.record.accounts[each.account].holds for each in mine}
    kept = [each for each in mine if each.at - each.late_from(holds[each.account]) > ALLOWED]
    assert group.late == len(kept), (group, len(kept), mine, holds)


def receipts_all(play: Play) -> None:
    """Who was erased has a receipt of just that, with the activity that decided; others none."""
    for account in play.record.accounts.values():
        erased = _erased(play, account)
        if account.tenant not in play.record.policies or not erased:
            _has_none(play, account)
            continue
        receipt = ledger.issue(play.worker, account.id, tenant=account.tenant, kind="account")
        assert read(text_of(receipt)) == receipt
        said = [
            (row.scope, _instant(row.erased_at), _instant(row.last_activity))
            for row in (proof.erasure for proof in receipt.proofs)
            if row.complete
        ]
        wanted = [(each.scope, each.at, each.activity) for each in erased]
        assert said == wanted, (account, said, wanted)
    assert ledger.verify(play.worker).findings == ()


def _has_none(play: Play, account: Account) -> None:
    try:
        ledger.issue(play.worker, account.id, tenant=account.tenant, kind="account")
    except UnknownSubject:
        return
    raise AssertionError(f"a receipt of {account}")


def _instant(text: str | None) -> datetime:
    """A time of the ledger, which is written in UTC."""
    assert text is not None
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
