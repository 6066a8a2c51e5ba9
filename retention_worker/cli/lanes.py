"""Lanes as tables: what a sweep did, what a plan found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.text import Text

from retention_worker.cli.output import clean, console, count, counted, table
from retention_worker.domain.lane import StopReason
from retention_worker.domain.report import LanePlan, LaneReport

__all__ = ["in_words", "plan_table", "sweep_table"]

_COLUMNS = ("tenant", "scope", "accounts", "rows", "objects", "kept back")
# Stop reasons that a person should see at once; the others are quiet.
_STYLES = {StopReason.EXHAUSTED: "green"}


def sweep_table(lanes: Sequence[LaneReport]) -> None:
    """Print the lanes of a sweep in which something happened, then why lanes ended."""
    shown = [lane for lane in lanes if _interesting(lane.stop_reason, lane.accounts, lane)]
    if shown:
        table(
            (*_COLUMNS, "ended"),
            (
                (
                    lane.tenant,
                    lane.scope or "",
                    count(lane.accounts),
                    _rows(lane.rows),
                    _objects(lane.objects_queued),
                    _kept_back(lane),
                    _stop(lane.stop_reason),
                )
                for lane in shown
            ),
            numbers=("accounts",),
        )
    _reasons(console(), shown)


def plan_table(lanes: Sequence[LanePlan], out: Console | None = None) -> None:
    """Print the lanes of a plan in which something is due, then why a sweep would not erase it."""
    shown = [lane for lane in lanes if _interesting(lane.stop_reason, lane.due, lane)]
    target = out or console()
    if shown:
        table(
            ("tenant", "scope", "due", "rows", "objects", "kept back", "would be"),
            (
                (
                    lane.tenant,
                    lane.scope or "",
                    count(lane.due),
                    _rows(lane.rows),
                    _objects(lane.objects_queued),
                    _kept_back(lane),
                    _stop(lane.stop_reason) if lane.stop_reason else Text("erased", style="green"),
                )
                for lane in shown
            ),
            numbers=("due",),
            out=target,
        )
    _reasons(target, shown)


def in_words(lanes: Sequence[LaneReport | LanePlan]) -> str:
    """What goes, in words. Accounts are not added up: one may be in both lanes of its tenant."""
    rows = sum(sum(lane.rows.values()) for lane in lanes)
    if not rows:
        return "nothing"
    busy = sum(1 for lane in lanes if any(lane.rows.values()))
    objects = sum(lane.objects_queued for lane in lanes)
    queued = f" ({counted(objects, 'object')} queued, not deleted)" if objects else ""
    return f"{counted(rows, 'row')} in {counted(busy, 'lane')}{queued}"


def _interesting(stop: StopReason | None, accounts: int, lane: LaneReport | LanePlan) -> bool:
    """Ten thousand tenants with nothing due are a number, not ten thousand lines."""
    quiet = stop in {None, StopReason.EXHAUSTED}
    return bool(accounts or lane.deferred or lane.on_hold) or not quiet


def _rows(rows: Mapping[str, int]) -> Text:
    numbers = {clean(name): count(number) for name, number in rows.items() if number}
    width = max(map(len, numbers.values()), default=0)
    lines = [f"{number:>{width}} {name}" for name, number in numbers.items()]
    return Text("\n".join(lines) or "–", style="" if lines else "dim")


def _objects(queued: int) -> Text:
    if not queued:
        return Text("–", style="dim")
    return Text(f"{count(queued)} queued,\nnot deleted", style="yellow")


def _kept_back(lane: LaneReport | LanePlan) -> Text:
    parts = [
        f"{count(number)} {what}"
        for number, what in ((lane.on_hold, "on hold"), (lane.deferred, "deferred"))
        if number
    ]
    return Text("\n".join(parts) or "–", style="" if parts else "dim")


def _stop(stop: StopReason) -> Text:
    style = "bold red" if stop.needs_person else _STYLES.get(stop, "yellow")
    return Text(stop.replace("_", " "), style=style)


def _reasons(out: Console, lanes: Sequence[LaneReport | LanePlan]) -> None:
    """One line a lane, below the table: sentences do not fit into columns."""
    for lane in lanes:
        if lane.reason is None:
            continue
        name = " · ".join(filter(None, (lane.tenant, lane.scope)))
        line = Text.assemble((clean(name), "bold"), ": ", clean(lane.reason))
        out.print(line, soft_wrap=not out.is_terminal)
