"""The demo's second writing of the policies says what the files say, and its calendar is right."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.resources import as_file, files

import pytest

from retention_worker.configfiles.policies import load_policies
from retention_worker.demo.tenants import TENANTS, Span
from retention_worker.domain.policy.policy import PolicyBounds
from tests.config_folder import SAMPLES

ACTIVITIES = [
    datetime(2024, 2, 29, 23, 59, tzinfo=UTC),
    datetime(2026, 1, 31, tzinfo=UTC),
    datetime(2026, 8, 31, 12, 0, 0, 1, tzinfo=UTC),
    datetime(2026, 12, 1, tzinfo=UTC),
]


def test_the_package_carries_the_samples() -> None:
    """The demo of an installed wheel reads the same files that stand in config/."""
    with as_file(files("retention_worker.demo") / "config") as carried:
        for path in (SAMPLES / "datamap.yaml", *sorted((SAMPLES / "tenants").iterdir())):
            copy = carried / path.relative_to(SAMPLES)
            assert copy.read_text() == path.read_text(), f"copy {path} to retention_worker/demo/"
        assert len(list((carried / "tenants").iterdir())) == len(TENANTS)


def test_the_tenants_are_those_of_the_samples() -> None:
    """Ids, pauses and which periods there are."""
    policies = load_policies(SAMPLES, PolicyBounds()).files
    for tenant in TENANTS.values():
        policy = policies[tenant.name].policy
        assert (policy.tenant_id, policy.paused) == (tenant.id, tenant.paused)
        assert (policy.all_credentials is None) == (tenant.everything is None)
        assert (policy.biometrics is None) == (tenant.biometrics is None)


@pytest.mark.parametrize("activity", ACTIVITIES)
def test_both_calendars_agree(activity: datetime) -> None:
    """The worker's calendar and the demo's come to the same due date, month ends included."""
    policies = load_policies(SAMPLES, PolicyBounds()).files
    for tenant in TENANTS.values():
        policy = policies[tenant.name].policy
        for span, period in (
            (tenant.everything, policy.all_credentials),
            (tenant.biometrics, policy.biometrics),
        ):
            if span and period:
                assert span.after(activity) == period.due_at(activity)


def test_a_day_that_the_month_lacks() -> None:
    """The last of August and six months end with February."""
    end = datetime(2027, 2, 28, 23, 59, 59, 999_999, tzinfo=UTC)
    assert Span(months=6).after(ACTIVITIES[2]) == end
