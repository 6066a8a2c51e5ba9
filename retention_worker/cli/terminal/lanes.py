"""Lanes as tables: what a sweep did, what a plan found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.text import Text

from retention_worker.cli.terminal.output import clean, console, count, counted, table
from retention_worker.domain.lane.lane import StopReason
from retention_worker.domain.lane.report import LanePlan, LaneReport

# Stop reasons that a person should see at once are red; the others are quiet.
_STYLES = {StopReason.EXHAUSTED: "green"}
_NONE = Text("–", style="dim")
_STILL = ",\nnot deleted"


def sweep_table(lanes: Sequence[LaneReport], *, drained: bool) -> None:
    """Print the lanes of a sweep in which something happened, then why lanes ended.

    `drained`: a drain went through the outbox after it, and says what became of the objects.
    """
    shown = [lane for lane in lanes if _interesting(lane.stop_reason, lane.accounts, lane)]
    out = console()
    numbers = [lane.accounts for lane in shown]
    ended = [_stop(lane.stop_reason) for lane in shown]
    _print(out, shown, ("accounts", numbers), ("ended", ended), still="" if drained else _STILL)


def plan_table(lanes: Sequence[LanePlan], out: Console | None = None) -> None:
    """Print the lanes of a plan in which something is due, then why a sweep would not erase it."""
    shown = [lane for lane in lanes if _interesting(lane.stop_reason, lane.due, lane)]
    erased = Text("erased", style="green")
    endings = [_stop(lane.stop_reason) if lane.stop_reason else erased for lane in shown]
    numbers = [lane.due for lane in shown]
    _print(out or console(), shown, ("due", numbers), ("would be", endings))


def _print(
    out: Console,
    lanes: Sequence[LaneReport | LanePlan],
    numbers: tuple[str, Sequence[int]],
    endings: tuple[str, Sequence[Text]],
    *,
    still: str = "",
) -> None:
    """The table without the columns in which no lane has anything, then a line a reason."""
    columns: dict[str, Sequence[Text | str]] = {
        "tenant": [lane.tenant for lane in lanes],
        "scope": [lane.scope or "" for lane in lanes],
        numbers[0]: [count(number) if number else _NONE for number in numbers[1]],
        "rows": [_rows(lane.rows) for lane in lanes],
        "objects": [_objects(lane.objects_queued, still) for lane in lanes],
        "kept back": [_kept_back(lane) for lane in lanes],
        endings[0]: endings[1],
    }
    for name in ("rows", "objects", "kept back"):
        if all(cell is _NONE for cell in columns[name]):
            del columns[name]
    if lanes:
        rows = zip(*columns.values(), strict=True)
        table(tuple(columns), rows, numbers=(numbers[0],), out=out)
    _reasons(out, lanes)


def in_words(lanes: Sequence[LaneReport | LanePlan], *, left: bool = False) -> str:
    """What goes, in words. Accounts are not added up: one may be in both lanes of its tenant.

    `left`: nobody has deleted the objects that were queued.
    """
    rows = sum(sum(lane.rows.values()) for lane in lanes)
    if not rows:
        return "nothing"
    busy = sum(1 for lane in lanes if any(lane.rows.values()))
    objects = sum(lane.objects_queued for lane in lanes)
    still = ", not deleted" if left else ""
    queued = f" ({counted(objects, 'object')} queued{still})" if objects else ""
    return f"{counted(rows, 'row')} in {counted(busy, 'lane')}{queued}"


def _interesting(stop: StopReason | None, accounts: int, lane: LaneReport | LanePlan) -> bool:
    """Ten thousand tenants with nothing due are a number, not ten thousand lines."""
    quiet = stop in {None, StopReason.EXHAUSTED}
    return bool(accounts or lane.deferred or lane.errors or lane.on_hold) or not quiet


def _rows(rows: Mapping[str, int]) -> Text:
    numbers = {clean(name): count(number) for name, number in rows.items() if number}
    width = max(map(len, numbers.values()), default=0)
    lines = [f"{number:>{width}} {name}" for name, number in numbers.items()]
    return Text("\n".join(lines)) if lines else _NONE


def _objects(queued: int, still: str) -> Text:
    if not queued:
        return _NONE
    return Text(f"{count(queued)} queued{still}", style="yellow" if still else "")


def _kept_back(lane: LaneReport | LanePlan) -> Text:
    parts = [
        f"{count(number)} {what}"
        for number, what in ((lane.on_hold, "on hold"), (_passing(lane), "deferred"))
        if number
    ]
    parts += [f"{count(lane.errors)} failed"] if lane.errors else []
    return Text("\n".join(parts)) if parts else _NONE


def _passing(lane: LaneReport | LanePlan) -> int:
    """Deferred accounts that go by themselves, later."""
    return max(0, lane.deferred - lane.errors)


def _stop(stop: StopReason) -> Text:
    style = "bold red" if stop.needs_person else _STYLES.get(stop, "yellow")
    return Text(stop.replace("_", " "), style=style)


def _reasons(out: Console, lanes: Sequence[LaneReport | LanePlan]) -> None:
    """The reason of each lane, a line each below the table: sentences do not fit into columns."""
    for lane in lanes:
        if lane.reason is None:
            continue
        name = " · ".join(filter(None, (lane.tenant, lane.scope)))
        line = Text.assemble((clean(name), "bold"), ": ", clean(lane.reason))
        out.print(line, soft_wrap=not out.is_terminal)
