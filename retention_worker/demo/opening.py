"""Sections 1 and 2: what there is, and what a sweep would erase."""

from __future__ import annotations

from datetime import datetime, timedelta

from retention_worker.configfiles.datamap import load_datamap
from retention_worker.demo.scene import ROLE, DemoScene
from retention_worker.demo.screen import Screen
from retention_worker.domain.lane.lane import StopReason
from retention_worker.domain.policy.policy import Policy
from retention_worker.domain.scope import CredentialClass, Scope
from retention_worker.service.plan.plan import plan

_SAMPLE = "acme"
_EDGE = "birch-bank"
_RIGHTS = """
SELECT rolsuper, count(*) FILTER (WHERE has_table_privilege(rolname, c.oid, 'DELETE')), count(*)
  FROM pg_roles, pg_class c
 WHERE rolname = %s AND relnamespace = 'public'::regnamespace AND relkind = 'r'
 GROUP BY 1
"""
_PEOPLE = """
SELECT tenant_id, count(*), count(*) FILTER (WHERE last_activity_at > at - interval '14 days'),
       extract(day FROM max(at - last_activity_at))
  FROM accounts, CAST(%s AS timestamptz) AS at
 GROUP BY 1
"""
_DOES = {
    None: "erase",
    StopReason.WAITING: "[yellow]wait for a person[/]",
    StopReason.PAUSED: "[dim]do nothing: paused[/]",
}


def introduce(scene: DemoScene, screen: Screen) -> None:
    """Say what the worker and the demo are, and what was started."""
    superuser, erasable, tables = scene.rows(_RIGHTS, ROLE)[0]
    rights = "a superuser" if superuser else "not a superuser"
    screen.say(
        "It runs beside the PostgreSQL database of an identity-verification product. When a person "
        "has been inactive for longer than the tenant's retention period, it erases their ID "
        "images, selfies, extracted fields and face biometrics, and keeps a ledger that proves "
        "what went, when, and under which rule."
    )
    screen.say(
        f"\nStarted for this demo alone, and gone when it ends: PostgreSQL {scene.version} "
        f"with the reference schema and {scene.stored.total():,} rows of invented people. The "
        f"worker is the database role {ROLE}, {rights}: of the {tables} tables it may erase "
        f"rows of {erasable}, those with credentials. The clock is simulated; it says {scene.time}."
    )


def show_policies(scene: DemoScene, screen: Screen) -> None:
    """Show the policy files and who is there."""
    screen.section("Policies: one small YAML file a tenant")
    screen.say(
        "A tenant is a customer of the product. A period counts from the [bold]last activity of "
        "the account[/]: who stays active loses nothing, however old the transactions. Biometrics "
        "(face vectors and templates) may have a shorter period; images then stay. Without a "
        "period nothing is ever erased."
    )
    sample = scene.policy_file(_SAMPLE).read_text(encoding="utf-8")
    screen.file(f"config/tenants/{_SAMPLE}.yaml", sample)
    people = {tenant: numbers for tenant, *numbers in scene.rows(_PEOPLE, scene.now)}
    rows = []
    for tenant_id, policy in scene.policies().items():
        accounts, active, oldest = people[tenant_id]
        name = policy.tenant + (" [yellow](paused)[/]" if policy.paused else "")
        everything = _period(policy, Scope.ALL, "never")
        biometrics = _period(policy, Scope.BIOMETRICS, "with all")
        rows.append(
            (name, everything, biometrics, f"{accounts:,}", f"{active:,}", f"{oldest} days")
        )
    headings = ("tenant", "all credentials", "biometrics", "accounts", "active", "idle up to")
    screen.table(headings, rows, texts=3)


def _period(policy: Policy, scope: Scope, without: str) -> str:
    return str(policy.period(scope) or f"[dim]{without}[/]")


def show_plan(scene: DemoScene, screen: Screen) -> None:
    """Show what a sweep would do now, and that a period ends to the second."""
    screen.section("Plan: what would a sweep erase now?")
    screen.say(
        "Nothing is erased by looking: a plan runs the sweep's own predicate in a READ ONLY "
        "transaction."
    )
    screen.command("plan", scene.time)
    entries = load_datamap(scene.context.settings.config_dir).datamap.credentials
    biometric = {entry.name for entry in entries if entry.class_ is CredentialClass.BIOMETRIC}
    rows = []
    for lane in plan(scene.context).lanes:
        total = sum(lane.rows.values())
        faces = sum(number for entry, number in lane.rows.items() if entry in biometric)
        does = _DOES.get(lane.stop_reason, str(lane.stop_reason))
        numbers = (f"{number:,}" for number in (lane.due, faces, total - faces))
        rows.append((lane.tenant, str(lane.scope), does, *numbers))
    headings = ("tenant", "scope", "a sweep would", "accounts", "biometric\nrows", "other\nrows")
    screen.table(headings, rows, texts=3)
    later = scene.now + timedelta(seconds=1)
    screen.say(
        f"\nNever early, not by a second: accounts of {_EDGE} stand on the edge, and of them "
        f"{_due(scene, scene.now)} are due at {scene.now:%H:%M:%S} and {_due(scene, later)} at "
        f"{later:%H:%M:%S}."
    )


def _due(scene: DemoScene, at: datetime) -> int:
    return sum(lane.due for lane in plan(scene.context, tenants=[_EDGE], at=at).lanes)
