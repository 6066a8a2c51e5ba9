"""Section 3: what the worker refuses to do by itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from retention_worker.demo.play import Play
from retention_worker.domain.lane.report import SweepReport
from retention_worker.domain.scope import Scope

_BACKLOG = "acme"
# A slip of the finger each: the first makes the file wrong, the second only the period.
_BROKEN = ("acme", "360 days", "36 days")
_TOO_SHORT = ("cedar-cars", "18 months", "18 days")


def show_guards(play: Play) -> None:
    """A backlog waits for an approval; a slip in a policy erases nothing."""
    play.screen.section("Guards: when in doubt, nothing is erased")
    _first_sweep(play)
    _typo(play)


def _first_sweep(play: Play) -> None:
    play.screen.say(
        f"The first sweep does the small lanes (a lane is a tenant and a scope). {_BACKLOG}'s "
        "biometrics were never erased before: so many at once look like an accident, so that lane "
        "waits until a person has looked and approves."
    )
    play.screen.command("sweep", play.time)
    _tell(play, play.sweep())
    play.scene.clock.forward(minutes=15)
    reason = "first backlog"
    play.screen.command(f'approve {_BACKLOG} --scope biometrics --reason "{reason}"', play.time)
    for lane in play.approve(_BACKLOG, Scope.BIOMETRICS, reason):
        play.screen.item(
            f"approved: {lane.due} accounts, last active {lane.cutoff:%d %b %Y} or earlier; "
            "no others"
        )
    play.screen.command("sweep", play.time)
    _tell(play, play.sweep())


def _typo(play: Play) -> None:
    play.screen.say(
        "\nThen two people mistype a period. One file contradicts itself; the other is valid, but "
        "suddenly makes half of the tenant's accounts due."
    )
    play.scene.clock.forward(minutes=15)
    before = play.book.gone
    with _edited(play, *_BROKEN), _edited(play, *_TOO_SHORT):
        for tenant, right, wrong in (_BROKEN, _TOO_SHORT):
            play.screen.item(f"config/tenants/{tenant}.yaml: {right} -> [bold]{wrong}[/]")
        play.screen.command("sweep", play.time)
        _tell(play, play.sweep())
    play.scene.clock.forward(minutes=15)
    play.screen.say("\nBoth files are put right, and the next sweep goes on as before:")
    play.screen.command("sweep", play.time)
    _tell(play, play.sweep())
    play.screen.say(f"\nLost by the two mistakes: [bold]{play.book.gone - before} accounts[/].")


def _tell(play: Play, report: SweepReport) -> None:
    """A line for each lane that erased something or needs a person, and one for the rest."""
    told = 0
    for lane in report.lanes:
        name = f"{lane.tenant} {lane.scope or ''}".strip()
        if lane.stop_reason.needs_person:
            play.screen.quote(f"{name}: {lane.stop_reason}: {play.tidy(lane.reason)}")
        elif lane.accounts:
            accounts = "1 account" if lane.accounts == 1 else f"{lane.accounts} accounts"
            play.screen.item(f"{name}: erased {accounts}, {sum(lane.rows.values()):,} rows")
        else:
            continue
        told += 1
    quiet = len(report.lanes) - told
    play.screen.item(f"[dim]{'the other' if told else 'all'} {quiet} lanes: nothing to do[/]")


@contextmanager
def _edited(play: Play, tenant: str, right: str, wrong: str) -> Iterator[None]:
    path = play.scene.policy_file(tenant)
    text = path.read_text(encoding="utf-8")
    assert right in text, f"the sample policy of {tenant} says no longer {right}"
    path.write_text(text.replace(right, wrong), encoding="utf-8")
    try:
        yield
    finally:
        path.write_text(text, encoding="utf-8")
