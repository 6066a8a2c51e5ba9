"""Sections 3 and 4: what the worker refuses to do by itself, and whose credentials stay."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from random import Random

from retention_worker.demo.population import by_table
from retention_worker.demo.rows import AccountSpec, account_rows
from retention_worker.demo.scene import DemoScene
from retention_worker.demo.screen import Screen
from retention_worker.demo.tenants import START, TENANTS, TRIO_AGE
from retention_worker.domain.lane.report import SweepReport
from retention_worker.domain.scope import Scope
from retention_worker.service.guard import holds
from retention_worker.service.plan.approve import approve, waiting

_OPERATOR = "dana@operator"
_BACKLOG = "acme"
# A slip of the finger each: the first makes the file wrong, the second only the period.
_BROKEN = ("acme", "360 days", "36 days")
_TOO_SHORT = ("cedar-cars", "18 months", "18 days")
_CLINIC = "40017"
# The trio with the biometric rows that each account has.
_TRIO = """
SELECT id, (SELECT count(*) FROM authentication_vectors WHERE account_id = a.id)
         + (SELECT count(*) FROM face_vectors JOIN transactions t ON t.id = transaction_id
             WHERE account_id = a.id)
         + (SELECT count(*) FROM face_templates JOIN transactions t ON t.id = transaction_id
             WHERE account_id = a.id)
  FROM accounts a
 WHERE tenant_id = %s AND external_ref = ANY (%s) ORDER BY external_ref
"""
_REFERENCES = "SELECT external_ref FROM accounts WHERE tenant_id = %s AND last_activity_at = %s"


def show_guards(scene: DemoScene, screen: Screen) -> None:
    """A backlog waits for an approval; a slip in a policy erases nothing."""
    screen.section("Guards: when in doubt, nothing is erased")
    _show_backlog(scene, screen)
    _show_slips(scene, screen)


def _show_backlog(scene: DemoScene, screen: Screen) -> None:
    screen.say(
        f"The first sweep does the small lanes (a lane is a tenant and a scope). {_BACKLOG}'s "
        "biometrics were never erased before: so many at once look like an accident, so that lane "
        "waits until a person has looked and approves."
    )
    _sweep(scene, screen)
    scene.clock.forward(minutes=15)
    reason = "first backlog"
    screen.command(f'approve {_BACKLOG} --scope biometrics --reason "{reason}"', scene.time)
    shown = waiting(scene.context, _BACKLOG, Scope.BIOMETRICS).lanes
    approve(scene.context, shown, reason=reason, actor=_OPERATOR, lasts=timedelta(days=7))
    for lane in shown:
        until = f"last active {lane.cutoff:%d %b %Y} or earlier"
        screen.item(f"approved: {lane.due} accounts, {until}; no others")
    _sweep(scene, screen)


def _show_slips(scene: DemoScene, screen: Screen) -> None:
    screen.say(
        "\nThen two people mistype a period. One file contradicts itself; the other is valid, but "
        "suddenly makes half of the tenant's accounts due."
    )
    scene.clock.forward(minutes=15)
    with _edited(scene, *_BROKEN), _edited(scene, *_TOO_SHORT):
        for tenant, right, wrong in (_BROKEN, _TOO_SHORT):
            screen.item(f"config/tenants/{tenant}.yaml: {right} -> [bold]{wrong}[/]")
        lost = _sweep(scene, screen)
    scene.clock.forward(minutes=15)
    screen.say("\nBoth files are put right, and the next sweep goes on as before:")
    _sweep(scene, screen)
    screen.say(f"\nLost by the two mistakes: [bold]{lost} accounts[/].")


@contextmanager
def _edited(scene: DemoScene, tenant: str, right: str, wrong: str) -> Iterator[None]:
    path = scene.policy_file(tenant)
    text = path.read_text(encoding="utf-8")
    assert right in text, f"the sample policy of {tenant} says no longer {right}"
    path.write_text(text.replace(right, wrong), encoding="utf-8")
    try:
        yield
    finally:
        path.write_text(text, encoding="utf-8")


def _sweep(scene: DemoScene, screen: Screen) -> int:
    """Sweep and tell what came of it; returns how many accounts were erased."""
    screen.command("sweep", scene.time)
    report = scene.sweep()
    _tell(scene, screen, report)
    return sum(lane.accounts for lane in report.lanes)


def _tell(scene: DemoScene, screen: Screen, report: SweepReport) -> None:
    """A line for each lane that erased something or needs a person, and one for the rest."""
    quiet = 0
    for lane in report.lanes:
        name = f"{lane.tenant} {lane.scope or ''}".strip()
        if lane.stop_reason.needs_person:
            # The folder of the files as an operator would have it.
            words = (lane.reason or "").replace(str(scene.context.settings.config_dir), "config")
            screen.quote(f"{name}: {lane.stop_reason}: {words}")
        elif lane.accounts:
            accounts = "1 account" if lane.accounts == 1 else f"{lane.accounts} accounts"
            screen.item(f"{name}: erased {accounts}, {sum(lane.rows.values()):,} rows")
        else:
            quiet += 1
    which = "the other" if quiet < len(report.lanes) else "all"
    screen.item(f"[dim]{which} {quiet} lanes: nothing to do[/]")


def show_staying(scene: DemoScene, screen: Screen) -> None:
    """Three accounts are due the next day, and two of them stay."""
    tenant = TENANTS[_CLINIC]
    screen.section("Who comes back stays, and so does who is on hold")
    screen.say(
        f"Three accounts of {tenant} were last active 89 days ago: their biometrics are due "
        "tomorrow. Today one of the people authenticates, and one account becomes part of a "
        "lawsuit."
    )
    references = [name for (name,) in scene.rows(_REFERENCES, _CLINIC, START - TRIO_AGE)]
    before = scene.rows(_TRIO, _CLINIC, references)
    (returning, _), (held, _), _ = before
    scene.clock.forward(hours=1)
    # The product stores that somebody authenticated; its trigger moves the last activity.
    spec = AccountSpec(tenant=_CLINIC, last_activity=scene.now, transactions=0, biometrics=False)
    visit = account_rows(Random(4), spec, returning)  # noqa: S311 (sample data)
    del visit.tables["public.accounts"]  # it is there already
    scene.insert(by_table([visit]))
    screen.command(f"hold place {str(held)[:8]}... --tenant {tenant} --reason lawsuit", scene.time)
    holds.place(
        scene.context, str(held), tenant=tenant, reason="lawsuit", actor=_OPERATOR, until=None
    )
    scene.clock.forward(days=2)
    screen.command("sweep", scene.time)
    scene.sweep()
    happened = ("authenticated", "on hold", "nothing")
    after = scene.rows(_TRIO, _CLINIC, references)
    rows = [
        (f"{str(account)[:8]}...", what, str(had), str(has))
        for what, (account, had), (_, has) in zip(happened, before, after, strict=True)
    ]
    screen.table(("account", "what happened", "biometric rows before", "and after"), rows, texts=2)
