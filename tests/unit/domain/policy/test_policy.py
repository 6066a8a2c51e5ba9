"""Policies: their digest, their periods by scope, and the operator's bounds."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retention_worker.domain.errors import ConfigurationError
from retention_worker.domain.policy.period import Period
from retention_worker.domain.policy.policy import Policy, PolicyBounds
from retention_worker.domain.scope import Scope

ACME = Policy(
    tenant="acme",
    tenant_id="7f0c",
    all_credentials=Period.parse("360 days"),
    biometrics=Period.parse("90 days"),
)


def _policy(all_credentials: str | None, biometrics: str | None) -> Policy:
    return Policy(
        tenant="acme",
        tenant_id="acme",
        all_credentials=Period.parse(all_credentials) if all_credentials else None,
        biometrics=Period.parse(biometrics) if biometrics else None,
    )


def test_period_by_scope() -> None:
    """Each scope has its own period; None where the file says never."""
    assert ACME.period(Scope.ALL) == Period(days=360)
    assert ACME.period(Scope.BIOMETRICS) == Period(days=90)
    assert _policy(None, None).period(Scope.ALL) is None


def test_frozen_and_named() -> None:
    """A policy does not change after it was judged, and has a tenant."""
    with pytest.raises(FrozenInstanceError):
        ACME.paused = True  # type: ignore[misc]
    with pytest.raises(ValueError, match="write a name"):
        replace(ACME, tenant_id="")


def test_digest_leaves_out_the_notes_alone() -> None:
    """Notes erase nothing; everything else that is changed shows in the digest."""
    changes = [
        {"tenant": "other"},
        {"tenant_id": "other"},
        {"all_credentials": Period(days=361)},
        {"all_credentials": None},
        {"biometrics": Period(days=91)},
        {"biometrics": None},
        {"paused": True},
    ]
    digests = {replace(ACME, **change).digest for change in changes}  # type: ignore[arg-type]
    assert len(digests | {ACME.digest}) == len(changes) + 1
    assert replace(ACME, notes="agreed").digest == ACME.digest


def test_digest_is_kept_over_versions() -> None:
    """The digest is in the ledger for years: the same policy keeps the same one."""
    assert ACME.digest == ("9ae3d7bcc1c13306a6d35f178d74dc747470eebf2ae1fb06da7f96d0974dce04")
    assert _policy("12 months", "2 weeks").digest == _policy("1 year", "P14D").digest


@pytest.mark.parametrize(
    ("all_credentials", "biometrics", "wrong"),
    [
        ("360 days", "90 days", False),
        ("91 days", "90 days", False),
        ("90 days", "90 days", True),
        ("90 days", "91 days", True),
        ("1 year", "12 months", True),
        ("1 year", "364 days", False),
        ("1 year", "365 days", True),
        ("1 month", "27 days", False),
        ("1 month", "28 days", True),
        ("32 days", "1 month", False),
        ("31 days", "1 month", True),
        (None, "90 days", False),
        ("90 days", None, False),
        (None, None, False),
    ],
)
def test_biometrics_are_shorter(
    all_credentials: str | None, biometrics: str | None, wrong: bool
) -> None:
    """Their longest is shorter than the shortest of all credentials, on every day of the year."""
    keys = [p.key for p in PolicyBounds().check(_policy(all_credentials, biometrics))]
    assert keys == (["retention.biometrics"] if wrong else [])


@pytest.mark.parametrize(
    ("bounds", "all_credentials", "biometrics", "problems"),
    [
        ({"min_period": "30 days"}, "30 days", None, []),
        (
            {"min_period": "30 days"},
            "1 month",
            "1 week",
            [
                "retention.all_credentials: 1 month is less than the operator's minimum:"
                " write 30 days or longer",
                "retention.biometrics: 7 days is less than the operator's minimum:"
                " write 30 days or longer",
            ],
        ),
        ({"max_biometrics": "3 years"}, None, "3 years", []),
        ({"max_biometrics": "3 years"}, None, None, []),
        (
            {"max_biometrics": "3 years"},
            None,
            "1096 days",
            [
                "retention.biometrics: 1096 days is more than the operator's maximum:"
                " write 3 years or shorter"
            ],
        ),
        ({"max_all_credentials": "10 years"}, "3652 days", None, ["retention.all_credentials: "]),
        ({"max_all_credentials": "10 years"}, "3651 days", None, []),
    ],
)
def test_bounds(
    bounds: dict[str, str],
    all_credentials: str | None,
    biometrics: str | None,
    problems: list[str],
) -> None:
    """Minimum and maximum hold on every day of the calendar; equal is allowed."""
    limits = PolicyBounds(**{name: Period.parse(text) for name, text in bounds.items()})
    found = [str(problem) for problem in limits.check(_policy(all_credentials, biometrics))]
    assert len(found) == len(problems)
    assert all(line.startswith(start) for line, start in zip(found, problems, strict=True))


def test_require_raises_one_line() -> None:
    """Where a policy becomes parameters of SQL the same rules hold, as one configuration error."""
    PolicyBounds().require(ACME)
    with pytest.raises(ConfigurationError, match=r"^policy of acme: retention\.biometrics: ") as e:
        PolicyBounds().require(_policy("1 day", "1 day"))
    assert "\n" not in str(e.value)


@given(st.integers(1, 1200), st.integers(1, 30_000))
def test_what_passes_erases_biometrics_first(months: int, days: int) -> None:
    """Whatever passes the bounds, biometrics are shorter at their longest."""
    for one, two in ((Period(months=months), Period(days=days)),) * 2:
        for everything, biometrics in ((one, two), (two, one)):
            judged = replace(ACME, all_credentials=everything, biometrics=biometrics)
            if not PolicyBounds().check(judged):
                assert biometrics.longest_days < everything.shortest_days
