"""An explanation in plain sentences that can be passed on to the person whom it is about."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from retention_worker.domain.explain.explanation import (
    EntryExplained,
    Explanation,
    LaneExplained,
    OpenRequest,
    PastErasure,
    State,
)
from retention_worker.domain.explain.obstacle import day_and_time
from retention_worker.domain.scope import Scope

_NOUNS = {Scope.BIOMETRICS: "Biometrics", Scope.ALL: "All credentials"}
_SHORT_DIGEST = 12


def sentences(found: Explanation) -> list[str]:
    """What there is to say, in order: activity, each scope, what was erased, what is queued."""
    said = list(_presence(found))
    if found.ahead:
        said.append(
            f"Of its activities {', '.join(found.ahead)} lie in the future, and nothing goes "
            "before a period after them is over: the operator has to mend the times."
        )
    for lane in _worth_saying(found):
        said.append(_lane(lane, found))
        if lane.overdue:
            said.append(_overdue(found.last_sweep))
    said += [_request(each) for each in found.requests]
    said += [_erasure(each) for each in found.erasures]
    said += [line for entry in found.entries if (line := _outbox(entry))]
    return said


def in_short(found: EntryExplained, at: datetime) -> str:
    """The state of an entry in a few words, for a table."""
    entry, lane = found.entry, found.lane
    if found.state is State.ERASED:
        objects = "" if entry.outbox.is_complete else f", {entry.outbox.in_words()}"
        return f"erased{objects}"
    if found.state is State.NOTHING and not entry.outbox.is_complete:
        return f"rows gone, {entry.outbox.in_words()}"
    if lane and lane.due_at and not lane.due:
        if found.state is State.NOT_DUE:
            return f"goes in {distance(lane.due_at - at)}"
        if found.state is State.PAUSED:
            return f"paused; due in {distance(lane.due_at - at)}"
    return _SHORT[found.state]


_SHORT = {
    State.NOTHING: "nothing there",
    State.ORPHANED: "stays: its account is gone",
    State.NO_POLICY: "stays: no policy file",
    State.INVALID_POLICY: "stays: the policy file is wrong",
    State.NEVER: "stays: the policy says never",
    State.NO_ACTIVITY: "stays: no activity known",
    State.DUE: "due: the next sweep",
    State.ON_HOLD: "kept: legal hold",
    State.PAUSED: "due, but paused",
    State.WAITING: "due, waits for approval",
    State.STOPPED: "due, but sweeps are stopped",
    State.DEFERRED: "due, tried again later",
    State.OUTSIDE_WINDOW: "due: in the next window",
    State.BEHIND: "due, behind the sweeps",
}


def distance(length: timedelta) -> str:
    """A length of time in its largest unit, rounded down: 12 days, 5 hours, less than an hour."""
    hours = int(length.total_seconds() // 3600)
    for size, unit in ((24, "day"), (1, "hour")):
        if hours >= size:
            number = hours // size
            return f"{number:,} {unit}{'' if number == 1 else 's'}"
    return "less than an hour"


def _presence(found: Explanation) -> Iterator[str]:
    if not found.present:
        yield "The account itself is not in the database any more."
        if any(each.state is State.ORPHANED for each in found.entries):
            yield "Credentials of it are left, which no sweep reaches: the operator has to look."
        return
    deciding = [lane.activity.at for lane in found.lanes if lane.activity]
    if deciding:
        yield f"The account was last active {day_and_time(max(deciding))}."
    elif not any(found.activities.values()):
        yield "No activity of the account is known."


def _worth_saying(found: Explanation) -> list[LaneExplained]:
    """Without a rule both scopes would say the same; what is erased is said by the erasure."""
    if not found.present:
        return []
    lanes = list(found.lanes)
    if len({lane.rule.state for lane in lanes}) == 1 and lanes[0].rule.state is not None:
        lanes = [max(lanes, key=lambda lane: lane.rows)]
    erased = {each.scope for each in found.erasures if each.kind == "account"}
    gone = erased | ({Scope.BIOMETRICS} if Scope.ALL in erased else set())
    return [lane for lane in lanes if lane.rows or lane.scope not in gone]


def _lane(lane: LaneExplained, found: Explanation) -> str:
    noun = _NOUNS[lane.scope]
    if lane.state is State.NOTHING:
        return f"{noun}: there are none."
    if lane.state is State.NO_POLICY:
        return "This tenant has no retention rule, so nothing is erased by age."
    if lane.state is State.INVALID_POLICY:
        return (
            "This tenant's retention rule cannot be read, so nothing is erased until it is mended."
        )
    if lane.state is State.NEVER:
        if any(each.scope is Scope.ALL and each.rule.period for each in found.lanes):
            return f"{noun} have no period of their own here: they go with all credentials."
        return f"{noun}: this tenant's rule never erases them by age."
    if lane.state is State.NO_ACTIVITY:
        return f"{noun}: nothing is known to count the time from, so they are never due."
    return _dated(lane, found.at)


def _dated(lane: LaneExplained, at: datetime) -> str:
    assert lane.due_at is not None
    noun, day = _NOUNS[lane.scope], day_and_time(lane.due_at)
    rule = f"{lane.rule.period} after the last activity"
    why = "; also, ".join(each.text for each in lane.obstacles)
    if not lane.due:
        when = f"{noun} are due {day}, {rule} (in {distance(lane.due_at - at)})"
        return f"{when}, but {why}." if why else f"{when}, unless the account is active before."
    since = f"{noun} are due since {day}, {rule}"
    return f"{since}, but still there: {why}." if why else f"{since}: the next sweep erases them."


def _overdue(last_sweep: datetime | None) -> str:
    ran = f"the last sweep began {day_and_time(last_sweep)}" if last_sweep else "no sweep ever ran"
    return f"They should be gone by now, and {ran}: the operator has to look."


def _request(request: OpenRequest) -> str:
    whose = f" of transaction {request.id}" if request.kind == "transaction" else ""
    return (
        f"{_NOUNS[request.scope]}{whose}: their erasure was asked for "
        f"{day_and_time(request.requested_at)} and is not finished; it has to be by "
        f"{day_and_time(request.due_by)}."
    )


def _erasure(erasure: PastErasure) -> str:
    noun = _NOUNS[erasure.scope]
    whose = f" of transaction {erasure.id}" if erasure.kind == "transaction" else ""
    return f"{noun}{whose} were erased {day_and_time(erasure.erased_at)}, {_under(erasure)}."


def _under(erasure: PastErasure) -> str:
    if erasure.policy_digest is None:
        return f"on request ({erasure.source})"
    digest = f"policy {erasure.policy_digest[:_SHORT_DIGEST]}"
    if erasure.period is None:
        return f"under {digest}"
    since = ""
    if erasure.policy_applied_at:
        since = f", in force since {day_and_time(erasure.policy_applied_at)}"
    return f"{erasure.period} after the last activity ({digest}{since})"


def _outbox(found: EntryExplained) -> str | None:
    outbox = found.entry.outbox
    if outbox.is_complete:
        return None
    when = f" {day_and_time(found.entry.erased_at)}" if found.entry.erased_at else ""
    return f"{found.entry.name}: rows erased{when}, {outbox.in_words()}."
