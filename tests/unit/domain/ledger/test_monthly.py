"""Months, and the words of the proof."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from retention_worker.domain.ledger.monthly import ErasedGroup, month_of

GROUP = ErasedGroup(
    scope="all",
    source="sweep",
    policy_digest="p",
    period="1 year",
    accounts=1,
    transactions=0,
    rows={},
    objects=0,
    batches=1,
    earliest=timedelta(0),
    latest=timedelta(0),
    early=0,
    late=0,
)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2026-02", (2026, 2), (2026, 3)),
        ("2024-02", (2024, 2), (2024, 3)),
        ("2026-12", (2026, 12), (2027, 1)),
        ("2026-01", (2026, 1), (2026, 2)),
    ],
)
def test_months(text: str, start: tuple[int, int], end: tuple[int, int]) -> None:
    """From the first of the month to the first of the next, in UTC."""
    assert month_of(text) == tuple(datetime(*each, 1, tzinfo=UTC) for each in (start, end))


@pytest.mark.parametrize("text", ["2026-00", "2026-13", "26-01", "0000-01", "9999-12", "2026-1 "])
def test_what_is_no_month(text: str) -> None:
    """It says how to write one."""
    with pytest.raises(ValueError, match="YYYY-MM"):
        month_of(text)


@pytest.mark.parametrize(
    ("earliest", "said"),
    [
        (timedelta(0), "less than a minute"),
        (timedelta(seconds=119), "1 minute"),
        (timedelta(hours=23, minutes=59), "23 hours"),
        (timedelta(days=1), "1 day"),
        (timedelta(days=9, hours=23), "9 days"),
    ],
)
def test_the_proof_never_says_more_than_it_was(earliest: timedelta, said: str) -> None:
    """Rounded down."""
    assert replace(GROUP, earliest=earliest).proof == f"earliest: {said} after due"


def test_the_proof_where_no_rule_is_known() -> None:
    """A request has none; a policy that this database never applied is not known."""
    assert replace(GROUP, earliest=None).proof == "rule not known here"
    assert replace(GROUP, earliest=None, policy_digest=None).proof == "asked for"
    assert replace(GROUP, early=2).proof == "2 too early"
