"""Bars on a terminal that show how far a sweep, a drain or a check is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from retention_worker.cli.terminal.output import clean, console

if TYPE_CHECKING:
    from retention_worker.service.ledger.verify import Progress as LedgerProgress
    from retention_worker.service.objects.drain import DrainProgress
    from retention_worker.service.sweep.batches import Progress as SweepProgress
    from retention_worker.service.verify import Progress as CheckProgress

_BAR, _TIME, _PERCENT, _OF = "bar", "time", "percent", "of"


@contextmanager
def _bar(
    description: str, *columns: str, total: int | None = None
) -> Iterator[Callable[..., Any] | None]:
    """Moves a bar on standard error; None where that is no terminal.

    Args:
        description: what is going on.
        columns: names of those above, or texts with places to fill.
        total: where it ends, if that is known.
    """
    out = console(stderr=True)
    if not out.is_terminal:
        yield None
        return
    from rich import progress

    known: dict[str, progress.ProgressColumn] = {
        _BAR: progress.BarColumn(bar_width=20),
        _TIME: progress.TimeElapsedColumn(),
        _PERCENT: progress.TaskProgressColumn(),
        _OF: progress.MofNCompleteColumn(),
    }
    shown = (known.get(each) or progress.TextColumn(each, markup=False) for each in columns)
    with progress.Progress(*shown, console=out, transient=True) as bar:
        yield partial(bar.update, bar.add_task(description, total=total))


@contextmanager
def sweep_bar() -> Iterator[SweepProgress | None]:
    """Of a sweep.

    It has no end: how much is due is not counted beforehand, which would cost as much as a sweep.
    """
    accounts = "{task.completed:,} accounts"
    with _bar("sweeping", "{task.description}", _BAR, accounts, _TIME) as update:

        def moved(tenant: str, scope: str, accounts: int) -> None:
            assert update is not None
            update(advance=accounts, description=f"{clean(tenant)} {scope}")

        yield moved if update else None


@contextmanager
def drain_bar() -> Iterator[DrainProgress | None]:
    """Of a drain, by its objects."""
    with _bar("objects", "objects", _BAR, _OF, _TIME) as update:

        def moved(deleted: int, total: int) -> None:
            assert update is not None
            update(completed=deleted, total=total)

        yield moved if update else None


@contextmanager
def ledger_bar(what: str) -> Iterator[LedgerProgress | None]:
    """Of work on the ledger, by its batches."""
    with _bar(what, "{task.description}", _BAR, _PERCENT, _TIME) as update:

        def moved(done: int, total: int) -> None:
            assert update is not None
            update(completed=done, total=max(total, 1))

        yield moved if update else None


@contextmanager
def check_bar() -> Iterator[CheckProgress | None]:
    """Of the checks of `verify`, one after the other."""
    done_of_all = "{task.completed}/{task.total}"
    with _bar("", _BAR, done_of_all, _TIME, "{task.description}", total=1) as update:

        def begins(name: str, done: int, total: int) -> None:
            assert update is not None
            update(completed=done, total=total, description=clean(name))

        yield begins if update else None
