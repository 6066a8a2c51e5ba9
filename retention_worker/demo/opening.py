"""Sections 1 and 2: what there is, and what a sweep would erase."""

from __future__ import annotations

from datetime import datetime, timedelta

from retention_worker.configfiles.policies import load_policies
from retention_worker.demo.counts import people
from retention_worker.demo.play import Play, rows_of
from retention_worker.demo.population import population, tenant_rows
from retention_worker.demo.scene import ROLE
from retention_worker.demo.tenants import START, TENANTS, groups
from retention_worker.domain.lane.lane import StopReason
from retention_worker.domain.lane.report import LanePlan
from retention_worker.domain.policy.policy import Policy
from retention_worker.domain.scope import Scope
from retention_worker.embedded.tables import copy_rows
from retention_worker.service.plan.plan import plan

_SAMPLE = "acme"
_EDGE = "birch-bank"
_RIGHTS = """
SELECT rolsuper,
       (SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace
           AND relkind = 'r' AND has_table_privilege(rolname, oid, 'DELETE')),
       (SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace
           AND relkind = 'r')
  FROM pg_roles WHERE rolname = %s
"""
_DOES = {
    None: "erase",
    StopReason.WAITING: "[yellow]wait for a person[/]",
    StopReason.PAUSED: "[dim]do nothing: paused[/]",
}


def load(play: Play) -> None:
    """Fill the database with the first day's accounts."""
    copy_rows(play.scene.dsn, [tenant_rows(TENANTS, created_at=START)])
    copy_rows(play.scene.dsn, play.book.noting(population(groups(), now=START)))


def introduce(play: Play) -> None:
    """What the worker and the demo are, and what was started."""
    superuser, erasable, tables = play.scene.rows(_RIGHTS, ROLE)[0]
    rights = "a superuser" if superuser else "not a superuser"
    play.screen.say(
        "It runs beside the PostgreSQL database of an identity-verification product. When a person "
        "has been inactive for longer than the tenant's retention period, it erases their ID "
        "images, selfies, extracted fields and face biometrics, and keeps a ledger that proves "
        "what went, when, and under which rule."
    )
    play.screen.say(
        f"\nStarted for this demo alone, and gone when it ends: PostgreSQL {play.scene.version} "
        f"with the reference schema and {play.book.stored.total():,} rows of invented people. The "
        f"worker is the database role {ROLE}, {rights}: of the {tables} tables it may erase "
        f"rows of {erasable}, those with credentials. The clock is simulated; it says {play.time}."
    )


def show_policies(play: Play) -> None:
    """The policy files and who is there."""
    play.screen.section("Policies: one small YAML file a tenant")
    play.screen.say(
        "A tenant is a customer of the product. A period counts from the [bold]last activity of "
        "the account[/]: who stays active loses nothing, however old the transactions. Biometrics "
        "(face vectors and templates) may have a shorter period; images then stay. Without a "
        "period nothing is ever erased."
    )
    sample = play.scene.policy_file(_SAMPLE)
    play.screen.file(f"config/tenants/{_SAMPLE}.yaml", sample.read_text(encoding="utf-8"))
    settings = play.scene.context.settings
    policies = load_policies(settings.config_dir, settings.bounds).files
    found = people(play.scene)
    rows = []
    for tenant, file in policies.items():
        policy = file.policy
        number, active, oldest = found[policy.tenant_id]
        rows.append(
            (
                tenant + (" [yellow](paused)[/]" if policy.paused else ""),
                _period(policy, Scope.ALL),
                _period(policy, Scope.BIOMETRICS),
                f"{number:,}",
                f"{active:,}",
                f"{oldest} days",
            )
        )
    headings = ("tenant", "all credentials", "biometrics", "accounts", "active", "idle up to")
    play.screen.table(headings, rows, texts=3)


def _period(policy: Policy, scope: Scope) -> str:
    period = policy.period(scope)
    if period is not None:
        return str(period)
    return "[dim]never[/]" if scope is Scope.ALL else "[dim]with all[/]"


def show_plan(play: Play) -> None:
    """What a sweep would do now, and that a period ends to the second."""
    play.screen.section("Plan: what would a sweep erase now?")
    play.screen.say(
        "Nothing is erased by looking: a plan runs the sweep's own predicate in a READ ONLY "
        "transaction."
    )
    play.screen.command("plan", play.time)
    rows = [_plan_row(lane) for lane in plan(play.scene.context).lanes]
    headings = ("tenant", "scope", "a sweep would", "accounts", "biometric\nrows", "other\nrows")
    play.screen.table(headings, rows, texts=3)
    later = play.scene.now + timedelta(seconds=1)
    now_due, then_due = (_due(play, at) for at in (play.scene.now, later))
    play.screen.say(
        f"\nNever early, not by a second: accounts of {_EDGE} stand on the edge, and of them "
        f"{now_due} are due at {play.scene.now:%H:%M:%S} and {then_due} at {later:%H:%M:%S}."
    )


def _due(play: Play, at: datetime) -> int:
    return sum(lane.due for lane in plan(play.scene.context, tenants=[_EDGE], at=at).lanes)


def _plan_row(lane: LanePlan) -> tuple[str, ...]:
    return (
        lane.tenant,
        str(lane.scope),
        _DOES.get(lane.stop_reason, str(lane.stop_reason)),
        f"{lane.due:,}",
        f"{rows_of(lane, biometric=True):,}",
        f"{rows_of(lane, biometric=False):,}",
    )
