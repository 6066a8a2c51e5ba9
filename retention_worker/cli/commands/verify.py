"""The command `verify`: proof from the rows themselves."""

from __future__ import annotations

from typing import Annotated

import typer

from retention_worker.cli.terminal.context import open_context
from retention_worker.cli.terminal.options import AsJson
from retention_worker.cli.terminal.output import count, counted, instant, print_json, say, table
from retention_worker.cli.terminal.progress import check_bar
from retention_worker.domain.ledger.verification import LaneLeft, Observation, Verification

_HEADINGS = ("overdue", "paused", "waiting", "on hold", "deferred")


def verify(
    tenant: Annotated[
        str | None,
        typer.Option(
            "--tenant",
            metavar="TENANT",
            help="Only this tenant; what only the whole database can tell is left out then.",
        ),
    ] = None,
    objects: Annotated[
        int,
        typer.Option(
            "--objects",
            metavar="N",
            min=0,
            help="Also ask the stores for so many objects that are noted as gone.",
        ),
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Prove that what was due is gone and nothing else is, without asking the sweep.

    Reads only, each check by itself: what is overdue, what was erased and is back, what was erased
    too early or under a hold, rows that nobody erases, the ledger's chains. Ends with 1 where
    anything is wrong.
    """
    from retention_worker.service.verify import verify as examine

    with open_context() as context, check_bar() as progress:
        found = examine(context, tenant=tenant, sample=objects, progress=progress)
    if as_json:
        print_json(found)
    else:
        _show(found)
    raise typer.Exit(found.exit_code)


def _show(found: Verification) -> None:
    if found.lanes:
        table(
            ("tenant", "scope", *_HEADINGS, "oldest was due"),
            (_cells(lane) for lane in found.lanes),
            title="Past their due date, with credentials",
            numbers=_HEADINGS,
        )
    for each in found.observations:
        say(_line(each), "red" if each.wrong else "yellow")
    looked = (
        f"{counted(found.accounts, 'account')} of {counted(found.tenants, 'tenant')} and "
        f"{counted(found.erasures, 'erasure')} were looked at, as of {instant(found.at)}"
    )
    if found.wrong:
        wrong = len(found.wrong)
        say(
            f"{looked}: {counted(wrong, 'thing')} {'is' if wrong == 1 else 'are'} wrong.",
            "bold red",
        )
    else:
        say(f"{looked}: nothing is wrong.", "green")


def _cells(lane: LaneLeft) -> tuple[str, ...]:
    numbers = (lane.overdue, lane.paused, lane.waiting, lane.on_hold, lane.deferred)
    shown = (count(number) if number else "–" for number in numbers)
    return (lane.tenant, lane.scope, *shown, instant(lane.oldest, "–"))


def _line(each: Observation) -> str:
    about = " · ".join(part for part in (each.tenant, each.scope) if part)
    since = f"; the oldest: {instant(each.oldest)}" if each.oldest else ""
    such = f" (such as {', '.join(each.examples)})" if each.examples else ""
    start = f"{'wrong' if each.wrong else 'note'}: {about + ': ' if about else ''}"
    return f"{start}{each.message}{since}{such}"
