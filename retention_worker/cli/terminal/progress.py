"""The progress of a sweep, and of the drain after it, on a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from retention_worker.cli.terminal.output import clean, console

if TYPE_CHECKING:
    from retention_worker.service.objects.drain import DrainProgress
    from retention_worker.service.sweep.batches import Progress


@contextmanager
def progress_bar() -> Iterator[Progress | None]:
    """A callback that moves a bar on standard error; None where that is no terminal.

    The bar has no end: how much is due is not counted beforehand, it would cost as much as a sweep.
    """
    out = console(stderr=True)
    if not out.is_terminal:
        yield None
        return
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        TextColumn("{task.completed:,} accounts", markup=False),
        TimeElapsedColumn(),
    )
    with Bar(*columns, console=out, transient=True) as bar:
        task = bar.add_task("sweeping", total=None)

        def moved(tenant: str, scope: str, accounts: int) -> None:
            bar.update(task, advance=accounts, description=f"{clean(tenant)} {scope}")

        yield moved


@contextmanager
def drain_bar() -> Iterator[DrainProgress | None]:
    """A callback that moves a bar with an end; None where standard error is no terminal."""
    out = console(stderr=True)
    if not out.is_terminal:
        yield None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("objects"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Bar(*columns, console=out, transient=True) as bar:
        task = bar.add_task("objects", total=None)

        def moved(deleted: int, total: int) -> None:
            bar.update(task, completed=deleted, total=total)

        yield moved
