"""Sections 3 and 4: what the worker refuses to do by itself, and whose credentials stay."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from random import Random
from uuid import UUID

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
_TRIO = "SELECT id FROM accounts WHERE tenant_id = %s AND last_activity_at = %s ORDER BY 1 DESC"
_BIOMETRIC_ROWS = """
SELECT count(*)
  FROM (SELECT account_id FROM authentication_vectors
        UNION ALL SELECT account_id FROM transactions t JOIN face_vectors ON transaction_id = t.id
        UNION ALL SELECT account_id FROM transactions t JOIN face_templates ON transaction_id = t.id
       ) AS biometrics
 WHERE account_id = %s
"""


def show_guards(scene: DemoScene, screen: Screen) -> None:
    """Show that a backlog waits for an approval, and that a slip in a policy erases nothing."""
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
    """Print a line for each lane that erased something or needs a person, and one for the rest."""
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
    """Show three accounts that are due the next day; two of them stay."""
    tenant = TENANTS[_CLINIC]
    screen.section("Who comes back stays, and so does who is on hold")
    screen.say(
        f"Three accounts of {tenant} were last active 89 days ago: their biometrics are due "
        "tomorrow. Today one of the people authenticates, and one account becomes part of a "
        "lawsuit."
    )
    trio = [account for (account,) in scene.rows(_TRIO, _CLINIC, START - TRIO_AGE)]
    before = [_biometric_rows(scene, account) for account in trio]
    returning, held, _ = trio
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
    rows = [
        (f"{str(account)[:8]}...", what, had, _biometric_rows(scene, account))
        for account, what, had in zip(
            trio, ("authenticated", "on hold", "nothing"), before, strict=True
        )
    ]
    screen.table(("account", "what happened", "biometric rows before", "and after"), rows, texts=2)


def _biometric_rows(scene: DemoScene, account: UUID) -> str:
    return str(scene.rows(_BIOMETRIC_ROWS, account)[0][0])
