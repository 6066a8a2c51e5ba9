"""The chain's name, and the exact text of a batch."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from retention_worker.domain.instant import stamp
from retention_worker.domain.ledger.chain import BatchRecord, chain_of, hash_of

RECORD = BatchRecord(
    batch=7,
    sweep=3,
    request=None,
    tenant="äcme",
    scope="all",
    source="sweep",
    cutoff=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    policy_digest="p",
    map_digest="m",
    accounts=1,
    counts={"b": 2, "a": 1},
    objects=0,
    erased_at=datetime(2026, 1, 2, 3, 4, 5, 60, tzinfo=timezone(timedelta(hours=1))),
    erasures="e",
    previous=None,
)


@pytest.mark.parametrize(
    ("tenant", "scope", "source", "name"),
    [
        ("acme", "all", "sweep", "acme/all"),
        ("acme", "biometrics", "sweep", "acme/biometrics"),
        ("acme", "all", "replay", "acme/all"),
        ("acme", "all", "cli", "acme/requests"),
        ("acme", "biometrics", "api", "acme/requests"),
        ("acme", "biometrics", "objects", "acme/requests"),
        ("a/requests", "all", "sweep", "a/requests/all"),
    ],
)
def test_chains(tenant: str, scope: str, source: str, name: str) -> None:
    """A lane has a chain, and everything else of a tenant has one."""
    assert chain_of({"tenant": tenant, "scope": scope, "source": source}) == name


def test_the_exact_text() -> None:
    """Sorted, without spaces, in UTC with six digits: a changed text is another hash."""
    body = RECORD.body()

    assert body == (
        '{"accounts":1,"batch":7,"counts":{"a":1,"b":2},"cutoff":"2026-01-02T03:04:05.000000Z",'
        '"erased_at":"2026-01-02T02:04:05.000060Z","erasures":"e","format":1,"map_digest":"m",'
        '"objects":0,"policy_digest":"p","previous":null,"request":null,"scope":"all",'
        '"source":"sweep","sweep":3,"tenant":"äcme"}'
    )
    assert chain_of(json.loads(body)) == "äcme/all"
    assert hash_of(body) != hash_of(replace(RECORD, objects=1).body())


def test_naive_times_are_refused() -> None:
    """A time without a zone could mean several."""
    with pytest.raises(ValueError, match="time zone"):
        stamp(datetime(2026, 1, 1))  # noqa: DTZ001
