"""The sentences of an explanation: plain, whole, without what is none of the person's business."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from retention_worker.domain.explain import obstacle
from retention_worker.domain.explain.explanation import (
    Activity,
    ExplainedEntry,
    Explanation,
    Obstacle,
    OpenRequest,
    PastErasure,
    PolicyRule,
    State,
    explain_entry,
    explain_lane,
)
from retention_worker.domain.explain.explanation_words import distance, in_short, sentences
from retention_worker.domain.lane.lane import DeferReason, StopReason
from retention_worker.domain.objects.object import ObjectCounts
from retention_worker.domain.policy.period import Period
from retention_worker.domain.policy.window import Window
from retention_worker.domain.scope import CredentialClass, Scope

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
ENTRY = ExplainedEntry(name="images", table="public.images", class_=CredentialClass.OTHER, rows=3)
ERASURE = PastErasure(
    kind="account",
    id="7",
    scope=Scope.ALL,
    erased_at=NOW - DAY,
    source="sweep",
    period="360 days",
    policy_digest="0123456789abcdef",
    policy_applied_at=NOW - 30 * DAY,
)


def explanation(
    idle: timedelta = 100 * DAY, *obstacles: Obstacle, rule: PolicyRule | None = None, rows: int = 3
) -> Explanation:
    """An account with one scope."""
    at = NOW - idle
    lane = explain_lane(
        Scope.ALL,
        rule or PolicyRule(period=Period(days=90)),
        own=Activity(source="accounts.at", at=at),
        others=(),
        rows=rows,
        obstacles=obstacles,
        now=NOW,
        overdue_after=365 * DAY,
    )
    return Explanation(
        account="7",
        tenant="acme",
        tenant_id="acme",
        at=NOW,
        present=True,
        activities={"accounts.at": at},
        lanes=(lane,),
        entries=(explain_entry(replace(ENTRY, rows=rows), [lane]),),
        erasures=(),
        requests=(),
        last_sweep=None,
    )


HELD = obstacle.held(number=1, placed_at=NOW, by="jo", reason="court", until=NOW + DAY)
OBSTACLES = [
    (HELD, "a legal hold keeps everything of this account until 2026-06-02 12:00:00 UTC"),
    (
        obstacle.held(number=1, placed_at=NOW, by="jo", reason="court", until=None),
        "until it is released",
    ),
    (obstacle.paused(at=NOW, by="jo", reason="secret", until=None), "all erasure by age is paused"),
    (obstacle.paused_in_file("acme.yaml"), "paused for this tenant"),
    (obstacle.waiting(since=NOW - DAY, reason="secret"), "waits for somebody to approve it"),
    (obstacle.refused("secret"), "until the operator has mended something"),
    (obstacle.stopped(StopReason.FAILED, "secret"), "could not do its work"),
    (
        obstacle.deferred(DeferReason.ERROR, attempts=2, retry_at=NOW + DAY, detail="secret"),
        "the database refused to erase it; tried 2 times, next at 2026-06-02 12:00:00 UTC",
    ),
    (
        obstacle.deferred(DeferReason.PARTIAL, attempts=0, retry_at=NOW, detail=None),
        "a part of it is erased, and the rest follows, next at",
    ),
    (obstacle.window_closed(Window.parse("01:00-05:00")), "only in the hours 01:00-05:00 UTC"),
    (obstacle.behind(), "after sweeps had passed its date"),
]


@pytest.mark.parametrize(("found", "words"), OBSTACLES)
def test_each_obstacle_in_plain_words(found: Obstacle, words: str) -> None:
    """What is in the way, and never who or why: that is for those who may know."""
    text = " ".join(sentences(explanation(100 * DAY, found)))
    assert f"but still there: {found.text}." in text
    assert words in text
    assert not {"secret", "court", "jo", "acme.yaml"} & set(text.split())


def test_before_the_due_date() -> None:
    """When, by which rule, in how many days, and what would change it."""
    assert sentences(explanation(80 * DAY)) == [
        "The account was last active 2026-03-13 12:00:00 UTC.",
        "All credentials are due 2026-06-11 12:00:00 UTC, 90 days after the last activity "
        "(in 10 days), unless the account is active before.",
    ]
    assert "(in 10 days), but a legal hold" in sentences(explanation(80 * DAY, HELD))[1]


def test_several_obstacles_are_all_told() -> None:
    """Who mends one must not be surprised by the next."""
    found = explanation(100 * DAY, HELD, obstacle.paused_in_file("acme.yaml"))
    assert "; also, erasure by age is paused" in sentences(found)[1]


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (State.NO_POLICY, "This tenant has no retention rule"),
        (State.INVALID_POLICY, "cannot be read"),
        (State.NEVER, "never erases them by age"),
    ],
)
def test_without_a_period(state: State, words: str) -> None:
    """Why nothing is erased."""
    assert words in " ".join(sentences(explanation(rule=PolicyRule(state=state))))


def test_what_was_erased() -> None:
    """When, after which period, under which policy since when; the empty scope says no more."""
    found = replace(explanation(rows=0), erasures=(ERASURE,))
    assert sentences(found) == [
        "The account was last active 2026-02-21 12:00:00 UTC.",
        "All credentials were erased 2026-05-31 12:00:00 UTC, 360 days after the last activity "
        "(policy 0123456789ab, in force since 2026-05-02 12:00:00 UTC).",
    ]


def test_what_the_log_of_policies_does_not_know() -> None:
    """Then the digest has to do; an erasure on request names its source."""
    unknown = replace(ERASURE, period=None, policy_applied_at=None)
    asked = replace(ERASURE, kind="transaction", id="t1", source="api", policy_digest=None)
    text = " ".join(sentences(replace(explanation(rows=0), erasures=(unknown, asked))))
    assert "UTC, under policy 0123456789ab." in text
    assert "All credentials of transaction t1 were erased" in text
    assert "on request (api)" in text


def test_objects_that_are_still_queued() -> None:
    """Rows are gone, objects are not yet: both numbers, and no word once they are."""
    found = explanation(rows=0)
    outbox = ObjectCounts(
        gone=1, left={"queued": 2, "denied": 1}, since={"denied": "2026-05-31 12:00:00 UTC"}
    )
    gone = replace(ENTRY, rows=0, erased_at=NOW - DAY, outbox=outbox)
    entries = (explain_entry(gone, found.lanes),)
    assert sentences(replace(found, entries=entries))[-1] == (
        "images: rows erased 2026-05-31 12:00:00 UTC, 1 of 4 objects gone, 2 queued, "
        "1 denied since 2026-05-31 12:00:00 UTC."
    )
    assert in_short(entries[0], NOW) == (
        "erased, 1 of 4 objects gone, 2 queued, 1 denied since 2026-05-31 12:00:00 UTC"
    )
    done = (explain_entry(replace(gone, outbox=ObjectCounts(gone=4)), found.lanes),)
    assert "objects" not in " ".join(sentences(replace(found, entries=done)))
    assert in_short(done[0], NOW) == "erased"


def test_a_request_that_is_open() -> None:
    """Since when, and by when."""
    request = OpenRequest(
        kind="account", id="7", scope=Scope.BIOMETRICS, requested_at=NOW, due_by=NOW + 30 * DAY
    )
    assert sentences(replace(explanation(), requests=(request,)))[-1] == (
        "Biometrics: their erasure was asked for 2026-06-01 12:00:00 UTC and is not finished; "
        "it has to be by 2026-07-01 12:00:00 UTC."
    )


def test_an_account_that_is_gone() -> None:
    """Only the ledger speaks."""
    found = replace(explanation(), present=False, lanes=(), erasures=(ERASURE,))
    assert sentences(found)[0] == "The account itself is not in the database any more."


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (timedelta(), "less than an hour"),
        (timedelta(minutes=59), "less than an hour"),
        (timedelta(hours=1), "1 hour"),
        (timedelta(hours=47), "1 day"),
        (timedelta(days=1200), "1,200 days"),
    ],
)
def test_distances(length: timedelta, words: str) -> None:
    """In the largest unit, rounded down."""
    assert distance(length) == words


@pytest.mark.parametrize("state", list(State))
def test_each_state_has_short_words(state: State) -> None:
    """A table has a few words for every state that an entry can have."""
    found = explanation(80 * DAY)
    shown = replace(found.entries[0], state=state)
    assert 0 < len(in_short(shown, NOW)) <= 40
